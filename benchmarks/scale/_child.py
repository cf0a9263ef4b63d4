"""One run in a process of its own, which tells on standard output when which phase begins; see `memory.py`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.scale._detectors import BACKEND
from swathe.detections import Detections, SceneInfo
from swathe.detectors.registry import resolve_model
from swathe.engine.events import BatchFinished, ProgressEvent, SceneMerged
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.raster.scene import open_scene
from swathe.store.geoparquet import GeoParquetStore

LATTICE = "benchmarks.scale._detectors:lattice_detector"


@dataclass(frozen=True)
class TellingStore(GeoParquetStore):
    """A store that tells when a scene is merged and is being published."""

    def publish_scene(self, run: str, detections: Detections, scene: SceneInfo) -> Path:
        """Tell, then publish."""
        tell("publish")
        return super().publish_scene(run, detections, scene)


def tell(phase: str, **more: Any) -> None:
    """Say that a phase begins now."""
    print(json.dumps({"time": time.monotonic(), "phase": phase, **more}), flush=True)


def progress(event: ProgressEvent) -> None:
    """Tell what the engine does."""
    if isinstance(event, BatchFinished) and event.done_windows == event.total_windows:
        tell("merge")
    elif isinstance(event, SceneMerged):
        tell("merged", raw=event.raw, detections=event.detections, seconds=event.seconds)


def planned(model: str, sources: Sequence[str], tile: int, stride: int, workers: int) -> Plan:
    """Plan a run of the lattice detector in front of a model."""
    spec = resolve_model(model)[0]
    if not os.environ[BACKEND]:
        spec = replace(spec, path="none")
    spec = replace(spec, backend=LATTICE)
    scenes = [replace(open_scene(path), id=f"scene-{number}") for number, path in enumerate(sources)]
    return make_plan(scenes, RunSettings(tile=tile, stride=stride, workers=workers), spec)


def main(arguments: Sequence[str]) -> None:
    """Carry out a run: model, tile, stride, workers, then the scenes."""
    model, tile, stride, workers, *sources = arguments
    plan = planned(model, sources, int(tile), int(stride), int(workers))
    tell(
        "windows",
        windows=plan.windows,
        projected=plan.memory(int(workers)).to_json(),
        total=plan.memory(int(workers)).total,
    )
    with tempfile.TemporaryDirectory() as folder:
        summary = run_plan(plan, TellingStore.create(Path(folder) / "store"), progress=progress)
    tell("end", detections=summary.detections)


if __name__ == "__main__":
    main(sys.argv[1:])
