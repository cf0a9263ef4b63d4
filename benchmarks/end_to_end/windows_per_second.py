"""Windows per second of whole runs on the scene of the demo, beside the bare model in turn; ends in JSON.

The ceiling is the model alone, loaded and warm: as many processes as the run has workers, one thread each, no reading,
no decoding of boxes, no merge and no store. What is missing to 1 in the ratio is everything that Swathe does around the
model, the start of the worker processes included; a mosaic of six times the scene tells how much that start weighs.
Scale 1, so that both models look at the same windows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from benchmarks._machine import processor
from swathe.detectors.network import NetworkDetector
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import open_detector, resolve_model
from swathe.engine.plan import make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import ModelError
from swathe.model.info import ModelInfo
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene
from swathe.store import open_store

SCENE = Path(__file__).resolve().parents[2] / "data" / "banepa" / "banepa.tif"
STRIDE = 768  # pixels
BARE_TILES = 12  # per process and round
CLASSES = 15  # of the model with random weights, as in DOTA
HIGH_SCORE = 0.9  # random weights find something everywhere; above this nothing is left to merge and store


def bare_rate(spec: DetectorSpec, tiles: int) -> float:
    """Return the tiles per second of the bare model in this process."""
    detector = open_detector(spec)
    if not isinstance(detector, NetworkDetector):
        raise TypeError(f"backend {spec.backend} is not a network of the project's own")
    pixels = np.random.default_rng(0).integers(0, 256, (spec.tile, spec.tile, 3), dtype=np.uint8)
    detector.outputs([pixels])
    started = time.perf_counter()
    for _ in range(tiles):
        detector.outputs([pixels])
    return tiles / (time.perf_counter() - started)


def ceiling(spec: DetectorSpec, workers: int) -> float:
    """Return the tiles per second of the bare model in all processes together."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(bare_rate, [spec] * workers, [BARE_TILES] * workers))


def whole_run(scene: Scene, spec: DetectorSpec, settings: RunSettings) -> dict[str, float]:
    """Return windows per second, from the opening of the model to the committed store."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        store = open_store(Path(folder) / "store", create=True)
        summary = run_plan(make_plan([scene], settings, spec), store)
        seconds = time.perf_counter() - started
    looked_at = summary.windows - summary.skipped
    return {"rate": looked_at / seconds, "windows": looked_at, "detections": summary.detections}


def mosaic(path: Path, columns: int, rows: int) -> Path:
    """Write a virtual mosaic of the scene beside and below itself."""
    with rasterio.open(SCENE) as source:
        width, height, count = source.width, source.height, source.count
    bands = []
    for band in range(1, count + 1):
        parts = [
            f'<SimpleSource><SourceFilename relativeToVRT="0">{SCENE}</SourceFilename><SourceBand>{band}</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
            f'<DstRect xOff="{column * width}" yOff="{row * height}" xSize="{width}" ySize="{height}"/></SimpleSource>'
            for row in range(rows)
            for column in range(columns)
        ]
        bands.append(f'<VRTRasterBand dataType="Byte" band="{band}">{"".join(parts)}</VRTRasterBand>')
    size = f'rasterXSize="{columns * width}" rasterYSize="{rows * height}"'
    path.write_text(f"<VRTDataset {size}>{''.join(bands)}</VRTDataset>", encoding="utf-8")
    return path


def measure(name: str, spec: DetectorSpec, path: Path, rounds: int) -> dict[str, Any]:
    """Run whole detections and the bare model in turn."""
    scene, settings = open_scene(path), RunSettings(stride=STRIDE)
    workers = settings.workers or len(os.sched_getaffinity(0))
    runs, bare = [], []
    for _ in range(rounds):
        bare.append(ceiling(spec, workers))
        runs.append(whole_run(scene, spec, settings))
    rates = [run["rate"] for run in runs]
    ratios = [rate / most for rate, most in zip(rates, bare, strict=True)]
    print(f"{name:24s} {max(rates):6.2f} windows/s, bare model {max(bare):6.2f}, ratio {statistics.median(ratios):.2f}")
    return {
        "model": name,
        "backend": spec.backend,
        "windows": runs[0]["windows"],
        "detections": runs[0]["detections"],
        "windows_per_second_best": max(rates),
        "windows_per_second_median": statistics.median(rates),
        "bare_model_per_second_best": max(bare),
        "bare_model_per_second_median": statistics.median(bare),
        "ratio_median": statistics.median(ratios),
    }


def random_model(folder: Path) -> DetectorSpec:
    """Export a model of size s with random weights; needs PyTorch."""
    import torch

    from swathe.detectors.export import export_onnx
    from swathe.model.checkpoint import save_safetensors
    from swathe.model.yolov5 import YWCSL

    torch.manual_seed(0)
    info = ModelInfo("random-s", "s", tuple(f"class-{number}" for number in range(CLASSES)), 1024)
    tensors = {name: tensor.numpy() for name, tensor in YWCSL(info).eval().state_dict().items()}
    save_safetensors(folder / "model.safetensors", tensors, info)
    export_onnx(folder / "model.safetensors", folder / "model.onnx")
    return resolve_model(folder / "model.onnx", min_score=HIGH_SCORE)[0]


def main() -> None:
    """Measure the shipped model and one of size s, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of bare model and whole run (default 5)")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        scenes = {"buildings": SCENE, "buildings, mosaic": mosaic(Path(folder) / "mosaic.vrt", 3, 2)}
        for name, path in scenes.items():
            try:
                results.append(measure(name, resolve_model("buildings")[0], path, arguments.rounds))
            except ModelError as error:
                results.append({"model": name, "skipped": str(error)})
        try:
            spec = random_model(Path(folder))
        except ImportError as error:
            results.append({"model": "random-s", "skipped": f"{error}; PyTorch makes the random weights"})
        else:
            results.append(measure("random-s", spec, SCENE, arguments.rounds))
    report = {"benchmark": "windows per second", "cpu": processor(), "scene": SCENE.name, "models": results}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
