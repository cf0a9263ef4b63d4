"""Whole detections by Spark beside those by local processes, in turn, over windows and workers; ends in JSON.

Each is a command of its own, from its start to the committed store: `swathe detect` with so many worker processes, or
with Spark in local mode and as many tasks at once. Model (size s, random weights, a threshold that leaves no boxes),
runtime and windows are the same. Beside the whole command stands its run without the start of Python and of Spark, as
one in a session that is there already has it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks._machine import processor
from benchmarks.rivals.scene import write_model
from benchmarks.scale._scenes import CACHE, repeated_scene

RESULT = Path(__file__).resolve().parents[1] / "results" / "scale-engines.json"
TILE, STRIDE, HIGH_SCORE = 1024, 824, 0.9
NAMES = "whole", "run", "infer"  # seconds: of the command, of the run in it, of all workers in the model
BACKEND = "openvino-bf16"  # the fastest, beside which Spark weighs most
SPARK = ("spark.ui.enabled=false", "spark.driver.host=127.0.0.1", "spark.driver.bindAddress=127.0.0.1")


@dataclass(frozen=True)
class Way:
    """Who does a detection."""

    engine: str
    workers: int

    def words(self) -> list[str]:
        """Return it as options."""
        if self.engine == "local":
            return ["--workers", f"{self.workers}"]
        settings = [word for setting in SPARK for word in ("--spark", setting)]
        return ["--engine", "spark", "--master", f"local[{self.workers}]", *settings]


@dataclass(frozen=True)
class Case:
    """Ways that are compared on one scene, in turn."""

    columns: int  # of windows
    rows: int
    rounds: int
    workers: tuple[int, ...]

    def ways(self) -> list[Way]:
        """Return the ways of a round."""
        return [Way(engine, count) for count in self.workers for engine in ("local", "spark")]


CASES = (
    Case(9, 6, 3, (2,)),
    Case(25, 21, 2, (2,)),
    Case(12, 9, 2, (1, 2)),
)


def detect(scene: Path, model: Path, way: Way) -> dict[str, float]:
    """Let the command do a detection; return its seconds, and those of the run in it."""
    store = CACHE / "store"
    shutil.rmtree(store, ignore_errors=True)
    words = ["detect", scene, "-m", model, "-o", store, "--scales", 1, "--tile", TILE, "--stride", STRIDE]
    words += ["--min-score", HIGH_SCORE, "--backend", BACKEND, "--json", *way.words()]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "from swathe.cli.main import run; run()", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    whole = time.perf_counter() - began
    summary = json.loads(done.stdout.splitlines()[-1])
    return {"whole": whole, "run": summary["seconds"], "infer": summary["stages"]["infer"]}


def measure(case: Case, model: Path) -> dict[str, Any]:
    """Carry out the rounds of a case."""
    scene = repeated_scene(TILE + (case.columns - 1) * STRIDE, TILE + (case.rows - 1) * STRIDE)
    found: dict[Way, list[dict[str, float]]] = {way: [] for way in case.ways()}
    for _ in range(case.rounds):
        for way, runs in found.items():
            runs.append(detect(scene, model, way))
            print(way, runs[-1], flush=True)
    ways = [asdict(way) | {name: [run[name] for run in runs] for name in NAMES} for way, runs in found.items()]
    return {"windows": case.columns * case.rows, "ways": ways}


def main() -> None:
    """Measure, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, nargs="+", help="numbers of cases; what was measured of others is kept")
    chosen: list[int] | None = parser.parse_args().only
    model = write_model(CACHE.parent / "random-s.onnx")
    known = json.loads(RESULT.read_text(encoding="utf-8"))["cases"] if chosen is not None and RESULT.exists() else []
    cases = {case["number"]: case for case in known}
    for number in range(len(CASES)) if chosen is None else chosen:
        cases[number] = {"number": number} | measure(CASES[number], model)
    found = [cases[number] for number in sorted(cases)]
    print(json.dumps({"benchmark": "engines", "cpu": processor(), "backend": BACKEND, "cases": found}))


if __name__ == "__main__":
    main()
