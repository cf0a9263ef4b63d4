"""Peak memory of whole runs over scenes of growing size, beside what the plan projected; ends in JSON.

The scenes hold one repeated picture. The detector reads every window and finds a lattice of objects, as many as the
case asks for; the shipped model looks at the first windows of each process besides, which is what its memory needs, and
not its time. The sum of the proportional set sizes (PSS) of all processes is what a run takes: the sum of the resident
sizes (RSS) counts the libraries that processes share once in each of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._machine import processor
from benchmarks.end_to_end.windows_per_second import random_model
from benchmarks.scale import _detectors
from benchmarks.scale._scenes import CACHE, repeated_scene
from benchmarks.scale._tree import PERIOD, Sample, Sampler

MEBIBYTE = 1 << 20
MODEL_WINDOWS = 10  # through the real model in each process; its memory does not change any more after the second
RANDOM = "random-s"  # a network of size s with random weights
OVERLAP = (4 / 3) ** 2  # how often windows of 3/4 stride see an object


@dataclass(frozen=True)
class Case:
    """One run."""

    name: str  # what the case shows
    width: int  # of each scene, pixels
    height: int  # pixels
    detections: int = 0  # raw ones, about, in each scene
    tile: int = 1024  # pixels
    tiled: bool = True  # how the file is cut
    scenes: int = 1  # how many of this size
    model: str = "buildings"  # model, see `swathe detect`; or RANDOM
    backend: str = "onnx"  # "" for no model
    workers: int = 2  # processes

    @property
    def step(self) -> float:
        """Distance of the objects, pixels, so that the windows see as many as wanted."""
        return math.sqrt(self.width * self.height * OVERLAP / self.detections) if self.detections else 0.0


CASES = (
    Case("5,000 x 5,000", 5_000, 5_000, 20_000),
    Case("15,000 x 15,000", 15_000, 15_000, 20_000),
    Case("30,000 x 30,000", 30_000, 30_000, 20_000),
    Case("60,000 x 60,000", 60_000, 60_000, 20_000),
    Case("30,000 x 30,000, a million raw detections", 30_000, 30_000, 1_000_000),
    Case("two of 20,000 x 20,000, half a million each", 20_000, 20_000, 500_000, scenes=2),
    Case("30,000 x 30,000 in strips", 30_000, 30_000, 20_000, tiled=False),
    Case("three of 10,000 x 10,000 in strips", 10_000, 10_000, 100_000, tiled=False, scenes=3),
    Case("tile 512", 10_000, 10_000, 20_000, tile=512),
    Case("tile 2048", 20_000, 20_000, 20_000, tile=2048),
    Case("one process", 10_000, 10_000, 20_000, workers=0),
    Case("size s", 10_000, 10_000, 20_000, model=RANDOM),
    Case("OpenVINO", 10_000, 10_000, 20_000, backend="openvino"),
    Case("OpenVINO, size s", 10_000, 10_000, 20_000, model=RANDOM, backend="openvino"),
    Case("PyTorch", 10_000, 10_000, 20_000, backend="torch"),
    Case("no model", 10_000, 10_000, 20_000, backend=""),
)


def measure(case: Case) -> dict[str, Any]:
    """Run a case and tell the highest sums of its processes, by phase."""
    files = [str(repeated_scene(case.width, case.height, tiled=case.tiled, copy=n)) for n in range(case.scenes)]
    model = str(random_model_file()) if case.model == RANDOM else case.model
    words = (model, case.tile, case.tile * 3 // 4, case.workers, *files)
    environment = os.environ | {
        _detectors.STEP: str(case.step),
        _detectors.BACKEND: case.backend,
        _detectors.MODEL_WINDOWS: str(MODEL_WINDOWS),
    }
    command = [sys.executable, "-m", "benchmarks.scale._child", *map(str, words)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        sampler = Sampler(child.pid)
        sampler.start()
        told = [json.loads(line) for line in child.stdout or ()]
        samples = sampler.stop()
    if child.returncode != 0:
        raise RuntimeError(f"{case.name}: the run ended with code {child.returncode}")
    return {
        "case": case.name,
        "windows": told[0]["windows"],
        "raw_detections": sum(line.get("raw", 0) for line in told),
        "detections": told[-1]["detections"],
        "projected_mib": told[0]["total"] / MEBIBYTE,
        "projected_mib_by_part": {
            name: size / MEBIBYTE for name, size in told[0]["projected"].items() if "bytes" in name
        },
        "peak_pss_mib": max(one.pss for one in samples) / MEBIBYTE,
        "peak_rss_mib": max(one.rss for one in samples) / MEBIBYTE,
        "peak_anonymous_mib": max(one.anonymous for one in samples) / MEBIBYTE,
        "peak_pss_mib_by_phase": by_phase(told, samples),
    }


def random_model_file() -> Path:
    """Return the file of the network with random weights, made at the first call and kept."""
    folder = CACHE / RANDOM
    path = folder / "model.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        random_model(folder)
    return path


def in_mebibytes(parts: dict[str, int]) -> dict[str, float]:
    """Bring the parts of a projection from bytes to MiB."""
    return {name.removesuffix("_bytes"): size / MEBIBYTE for name, size in parts.items() if name.endswith("_bytes")}


def by_phase(told: Sequence[dict[str, Any]], samples: Sequence[Sample]) -> dict[str, float]:
    """Return the highest PSS within each phase, MiB; a phase that comes again counts as one."""
    peaks: dict[str, float] = {}
    for begin, end in itertools.pairwise(told):
        within = [one.pss / MEBIBYTE for one in samples if begin["time"] <= one.time < end["time"]]
        if within:
            peaks[begin["phase"]] = max([peaks.get(begin["phase"], 0.0), *within])
    return peaks


def main() -> None:
    """Measure all cases, or those named, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="only cases whose name begins so")
    arguments = parser.parse_args()
    results = []
    for case in CASES:
        if case.name.startswith(arguments.only):
            results.append(measure(case))
            peak, projected = results[-1]["peak_pss_mib"], results[-1]["projected_mib"]
            print(f"{case.name:45s} peak {peak:6.0f} MiB, projected {projected:6.0f} MiB", flush=True)
    report = {"benchmark": "peak memory of whole runs", "cpu": processor(), "period_ms": round(PERIOD * 1000)}
    print(json.dumps({**report, "cases": results}))


if __name__ == "__main__":
    main()
