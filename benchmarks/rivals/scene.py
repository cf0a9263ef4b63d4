"""Whole detections beside SAHI with YOLO11s-obb, and suppression beside supervision, in turn; writes JSON.

python -m benchmarks.rivals.scene build/rivals --rivals openvino onnx --rounds 2

The scene is that of the demo, repeated to 84 windows of 1024 pixels every 824, a JPEG in tiles with overviews. All
weights are random, and thresholds so high that no boxes are left to merge. Swathe is a whole command from its start to
the committed store; for SAHI, whose model is loaded and waits, only the detection counts. Swathe's model (size s) takes
44.6 billion operations a window of 1024 pixels, YOLO11s-obb 58.1. Each tool has an environment of its own, made by
`benchmarks/rivals/install.sh sahi` and `... supervision`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine import processor
from benchmarks.micro.nms import IOU, make_scene
from swathe.boxes import nms, to_polygons

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULT = HERE.parent / "results" / "rivals-scene.json"
WIDTH, HEIGHT, BLOCK = 10088, 5968, 512
CLASSES, LARGEST_OBJECT, HIGH_SCORE = 16, 168.0, 0.9
SUPPRESSED = 20_000  # boxes


def write_scene(path: Path) -> Path:
    """Write the scene, once."""
    import rasterio
    import rasterio.shutil
    from rasterio.io import MemoryFile

    if path.exists():
        return path
    with rasterio.open(ROOT / "data" / "banepa" / "banepa.tif") as source:
        pixels, place = source.read(), {"crs": source.crs, "transform": source.transform}
    repeats = (1, -(-HEIGHT // pixels.shape[1]), -(-WIDTH // pixels.shape[2]))
    size = {"width": WIDTH, "height": HEIGHT, "count": 3, "dtype": "uint8"}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", **size, **place) as whole:
            whole.write(np.tile(pixels, repeats)[:, :HEIGHT, :WIDTH])
        with memory.open() as whole:
            rasterio.shutil.copy(whole, path, driver="COG", COMPRESS="JPEG", QUALITY=85, BLOCKSIZE=BLOCK)
    return path


def write_model(path: Path) -> Path:
    """Export a network of size s with random weights, once."""
    if path.exists():
        return path
    import torch

    from swathe.detectors.export import export_onnx
    from swathe.model.checkpoint import save_safetensors
    from swathe.model.info import ModelInfo
    from swathe.model.yolov5 import YWCSL

    torch.manual_seed(0)
    names = tuple(f"class-{number}" for number in range(CLASSES))
    info = ModelInfo("random-s", "s", names, 1024, largest_object=LARGEST_OBJECT)
    tensors = {name: tensor.numpy() for name, tensor in YWCSL(info).eval().state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_safetensors(path.with_suffix(".safetensors"), tensors, info)
    return export_onnx(path.with_suffix(".safetensors"), path).path


def swathe(scene: Path, model: Path, *options: str) -> Callable[[], dict[str, Any]]:
    """Return what runs the command and measures it from outside."""
    store = model.parent / "store"

    def run() -> dict[str, Any]:
        shutil.rmtree(store, ignore_errors=True)
        words = ["detect", scene, "-m", model, "-o", store, "--scales", "1", "--min-score", HIGH_SCORE, "--json"]
        command = [sys.executable, "-c", "from swathe.cli.main import run; run()", *map(str, words), *options]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "boxes": json.loads(done.stdout.splitlines()[-1])["detections"]}

    return run


def sahi(kind: str, folder: Path, scene: Path) -> Callable[[], dict[str, Any]]:
    """Start the tool, whose model is loaded then, and return what asks it for a detection."""
    python = HERE / ".venv-sahi" / "bin" / "python"
    words = [str(python), str(HERE / "sahi_scene.py"), kind, str(folder.absolute()), str(scene.absolute())]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    answers, requests = process.stdout, process.stdin
    if answers is None or requests is None:
        raise RuntimeError("no pipes")

    def answer() -> dict[str, Any]:
        for line in answers:  # the tool itself prints, too
            if line.startswith("{"):
                return dict(json.loads(line))
        raise RuntimeError(f"SAHI on {kind} has ended")

    def run() -> dict[str, Any]:
        requests.write("\n")
        requests.flush()
        return answer()

    answer()
    return run


def suppression(folder: Path) -> dict[str, Any]:
    """Compare the suppression of many boxes: seconds, memory, and how many are kept."""
    boxes, scores, classes = make_scene(SUPPRESSED)
    given = folder / "boxes.npz"
    np.savez(given, boxes=boxes, scores=scores, classes=classes, corners=to_polygons(boxes), iou=IOU)
    nms(boxes[:100], scores[:100], classes[:100], IOU)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        kept = nms(boxes, scores, classes, IOU)
        times.append(time.perf_counter() - began)
    python = HERE / ".venv-supervision" / "bin" / "python"
    command = [str(python), str(HERE / "supervision_suppression.py"), str(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    mine = {"seconds": statistics.median(times), "kept": len(kept)}
    return {"boxes": SUPPRESSED, "swathe": mine, "supervision": json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    """Measure, and add what was measured to the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rivals", nargs="*", default=["openvino", "onnx", "torch"])
    parser.add_argument("--backends", nargs="*", default=["openvino-bf16", "onnx"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--suppression", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    held: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {"runs": []}
    held = {
        "benchmark": "rivals",
        "cpu": processor(),
        **{key: held[key] for key in ("runs", "suppression") if key in held},
    }
    if options.suppression or "suppression" not in held:
        held["suppression"] = suppression(options.folder)
    scene, model = write_scene(options.folder / "scene.tif"), write_model(options.folder / "random-s.onnx")
    ways = {f"Swathe, {backend}": swathe(scene, model, "--backend", backend) for backend in options.backends}
    ways |= {f"SAHI + YOLO11s-obb, {kind}": sahi(kind, options.folder / "sahi", scene) for kind in options.rivals}
    if "onnx" in options.rivals:
        same = options.folder / "sahi" / "yolo11s-obb.onnx"
        ways["Swathe, onnx, with SAHI's YOLO11s-obb"] = swathe(scene, same, "--backend", "onnx", "--stride", "824")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, run in ways.items():
            seconds[name].append(run()["seconds"])
            print(f"{name:40s} {seconds[name][-1]:7.1f} s", flush=True)
    if options.rounds:
        held["runs"].append(
            {"windows": 84, "rounds": options.rounds, "seconds": seconds}
        )  # ratios hold within one run only
    RESULT.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(held))


if __name__ == "__main__":
    main()
