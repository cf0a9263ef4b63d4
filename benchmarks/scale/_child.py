"""One run in a process of its own, which tells on standard output when which phase begins; see `memory.py`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.scale._detectors import BACKEND
from swathe.detectors.registry import resolve_model
from swathe.engine.events import BatchFinished, ProgressEvent, SceneMerged
from swathe.engine.memory import Projection
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.raster.opening import open_scene
from swathe.store import open_store

HIGH_SCORE = 0.9  # what the model finds is not used
LATTICE = "benchmarks.scale._detectors:LATTICE"


def tell(phase: str, **more: Any) -> None:
    """Say that a phase begins now."""
    print(json.dumps({"time": time.monotonic(), "phase": phase, **more}), flush=True)


def progress(event: ProgressEvent) -> None:
    """Tell what the engine does."""
    if isinstance(event, BatchFinished) and event.done_windows == event.total_windows:
        tell("merge")
    elif isinstance(event, SceneMerged):
        tell("merged", raw=event.raw, detections=event.detections)


def planned(model: str, sources: Sequence[str], settings: RunSettings) -> tuple[Plan, Projection]:
    """Plan a run of the lattice detector in front of a model; projected is that of the model."""
    backend = os.environ[BACKEND]
    spec = resolve_model(model, backend=backend or "auto", min_score=HIGH_SCORE, tile=settings.tile)[0]
    if not backend:
        spec = replace(spec, backend=LATTICE, path="none")
    scenes = [replace(open_scene(path), id=f"scene-{number}") for number, path in enumerate(sources)]
    plan = make_plan(scenes, settings, replace(spec, backend=LATTICE))
    return plan, plan.memory(settings.workers or 0)


def main(arguments: Sequence[str]) -> None:
    """Carry out a run: model, tile, stride, workers, then the scenes."""
    model, tile, stride, workers, *sources = arguments
    settings = RunSettings(tile=int(tile), stride=int(stride), workers=int(workers))
    plan, projection = planned(model, sources, settings)
    tell("windows", windows=plan.windows, total=projection.total, projected=projection.to_json())
    with tempfile.TemporaryDirectory() as folder:
        summary = run_plan(plan, open_store(Path(folder) / "store", create=True), progress=progress)
    tell("end", detections=summary.detections)


if __name__ == "__main__":
    main(sys.argv[1:])
