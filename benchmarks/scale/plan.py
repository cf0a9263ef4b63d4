"""What a run of a million windows costs its driver: time and memory from the scenes to the last job; ends in JSON.

Workers are made up: a job is done as soon as it is handed out. Opening files is not part of it, nor are detections, of
which a driver sees counts alone; a case with many of them shows that.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks._machine import processor
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.identity import stored_scene
from swathe.engine.job import BatchJob, Job, JobResult, Pool, Retry, Work
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.query import Query
from swathe.raster.scene import Scene
from swathe.store import open_store
from swathe.store.protocol import Store, Written
from swathe.testing.scenes import ObjectRule, scene_without_file, synthetic_scene

MEBIBYTE = 1 << 20
TILE, STRIDE = 1024, 768  # pixels
NOTHING: dict[str, Any] = {"size": 0, "bounds": None, "highest": {}, "classes": ["object"]}
PLACE = (0.5, 0.0, 500_000.0, 0.0, -0.5, 3_000_000.0)


@dataclass(frozen=True)
class Case:
    """A run of so many windows."""

    name: str
    scenes: int
    windows: int  # along each side of a scene
    detections: int = 50  # raw ones in each window
    region: bool = False  # whether only a part of each scene is asked for, in which all windows lie


CASES = (
    Case("one scene of 1,000,000 windows", 1, 1000),
    Case("100 scenes of 10,000 windows", 100, 100),
    Case("10,000 scenes of 100 windows", 10_000, 10),
    Case("one scene, 100 times the detections", 1, 1000, detections=5_000),
    Case("one scene, a region of it", 1, 1000, region=True),
    Case("100,000 windows", 1, 316),
)


class Ready:
    """Workers that have done everything already."""

    slots, memory_per_slot = 64, 64 << 30

    def __init__(self, store: Store, detections: int) -> None:
        self._store, self._detections = store, detections
        self.first = 0.0
        self.jobs = self.bytes = 0

    def open(self, work: Work) -> Pool:
        """Remember the run."""
        self._run = work.run
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
        """Pack each job as if it were sent, and answer."""
        for job in jobs:
            self.first = self.first or time.perf_counter()
            self.jobs += 1
            self.bytes += len(pickle.dumps(job))
            if isinstance(job, BatchJob):
                count = job.batch.count
                yield JobResult(job.scene.id, job.batch.level.level.scale, count, 0, count * self._detections)
            else:
                stored = replace(stored_scene(self._run, job.scene), state="complete")
                yield JobResult(job.scene.id, written=Written(stored, NOTHING))


def scenes_of(case: Case) -> list[Scene]:
    """Describe scenes that need no file."""
    side = (case.windows - 1) * STRIDE + TILE
    scene = scene_without_file(synthetic_scene(side, side, seed=1, rule=ObjectRule(count=0)))
    scene = replace(scene, tiled=True, crs="EPSG:32645", transform=PLACE)
    return [replace(scene, id=f"scene-{number}", uri=f"/images/{number}.tif") for number in range(case.scenes)]


def plan_of(case: Case) -> Plan:
    """Plan the run."""
    region = Query(box=(-180.0, -90.0, 180.0, 90.0)) if case.region else None
    spec = DetectorSpec("benchmarks.scale._detectors:LATTICE", "none", ("object",), "0" * 64, 0.0, 0.2)
    return make_plan(scenes_of(case), RunSettings(tile=TILE, stride=STRIDE, region=region), spec)


def carry_out(case: Case) -> dict[str, Any]:
    """Plan and drive the run in this process."""
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store", create=True)
        started = time.perf_counter()
        plan = plan_of(case)
        planned = time.perf_counter()
        pool = Ready(store, case.detections)
        run_plan(plan, store, executor=pool)
        ended = time.perf_counter()
    return {
        "windows": plan.windows,
        "plan_seconds": planned - started,
        "first_job_seconds": pool.first - started,
        "all_seconds": ended - started,
        "jobs": pool.jobs,
        "job_bytes": pool.bytes / pool.jobs,
        "before_mib": before / MEBIBYTE,
        "peak_mib": peak() / MEBIBYTE,
    }


def peak() -> int:
    """Return the highest resident size of this process so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main() -> None:
    """Measure all cases, each in a process of its own, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=int, help="carry out this one in this process")
    arguments = parser.parse_args()
    if arguments.case is not None:
        print(json.dumps(carry_out(CASES[arguments.case])))
        return
    results = []
    for number, case in enumerate(CASES):
        command = [sys.executable, "-m", "benchmarks.scale.plan", "--case", str(number)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        one = {"case": case.name, **json.loads(done.stdout.splitlines()[-1])}
        results.append(one)
        print(f"{case.name:40s} {one['all_seconds']:6.1f} s, {one['peak_mib']:6.0f} MiB", flush=True)
    print(json.dumps({"benchmark": "planning", "cpu": processor(), "cases": results}))


if __name__ == "__main__":
    main()
