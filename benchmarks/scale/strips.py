"""Five million raw detections of one scene, merged at once by one job and in strips by several; ends in JSON.

The detector finds a lattice of objects without looking at pixels, so that time and memory are those of the parts, the
merge and the file. Peak memory is the highest resident size of a worker process, as the kernel counts it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks._machine import processor
from benchmarks.scale import _detectors
from benchmarks.scale._tree import PROC, tree
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.job import BatchJob, Executor, Job, JobResult, Pool, Retry, SceneJob, StripJob, Work
from swathe.engine.plan import Plan, make_plan
from swathe.engine.processes import ProcessExecutor
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.engine.spark import SparkExecutor
from swathe.engine.spark_session import spark_session
from swathe.engine.strips import MOST_ROWS
from swathe.store import open_store
from swathe.testing.fakes import BLANK_READER
from swathe.testing.scenes import ObjectRule, scene_without_file, synthetic_scene

SIDE = 30_000  # of the scene, pixels
SETTINGS = RunSettings(tile=1024, stride=768, scales=(0.5, 1.0))
VIEWS = 2 * (1024 / 768) ** 2  # of each object
PLACE = (0.5, 0.0, 500_000.0, 0.0, -0.5, 3_000_000.0)
SPARK = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
PERIOD = 0.1  # seconds between looks at the processes
AT_ONCE = 10**9  # detections
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Case:
    """One way to merge the scene."""

    name: str
    workers: int
    merge_rows: int  # detections of a merge
    spark: bool = False  # whether the workers are those of Spark


CASES = (
    Case("at once, one worker", 1, AT_ONCE),
    Case("in strips, one worker", 1, MOST_ROWS),
    Case("in strips, two workers", 2, MOST_ROWS),
    Case("in strips of a million, two workers", 2, 1_000_000),
    Case("in strips, two workers of Spark", 2, MOST_ROWS, spark=True),
)


class Timed:
    """Workers whose merges hold so many detections, with the times of jobs."""

    memory_per_slot = None

    def __init__(self, case: Case, executor: Executor) -> None:
        self.slots, self._rows, self._executor = case.workers, case.merge_rows, executor
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.jobs: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = defaultdict(list)  # of each merging job; only of a lone worker

    def open(self, work: Work) -> Pool:
        """Prepare the workers."""
        self._pool = self._executor.open(replace(work, merge_rows=self._rows))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
        """Carry out jobs."""
        began = time.monotonic()
        for result in self._pool.run(map(self._begun, jobs)):
            ended = time.monotonic()
            kind = "windows" if isinstance(result, JobResult) and result.windows else "merge"
            self.last[kind] = ended
            if isinstance(result, JobResult) and kind == "merge" and self.slots == 1:
                self.seconds["cut" if result.strips else "write" if result.written else "strip"].append(ended - began)
            began = ended
            yield result

    def _begun(self, job: Job) -> Job:
        kind = "windows" if isinstance(job, BatchJob) else "merge"
        self.first.setdefault(kind, time.monotonic())
        names = {BatchJob: "batches", StripJob: "strips", SceneJob: "scenes"}
        self.jobs[names[type(job)]] += 1
        return job


def plan_of(detections: int) -> Plan:
    """Plan a scene in which the windows see so many objects, about."""
    os.environ[_detectors.STEP] = str(math.sqrt(SIDE**2 * VIEWS / detections))
    os.environ |= {_detectors.BACKEND: "", _detectors.MODEL_WINDOWS: "0"}
    spec = DetectorSpec("benchmarks.scale._detectors:LATTICE", "none", ("object",), "0" * 64, 0.0, 0.2)
    scene = scene_without_file(synthetic_scene(SIDE, SIDE, seed=1, rule=ObjectRule(count=0)))
    return make_plan([replace(scene, crs="EPSG:32645", transform=PLACE)], SETTINGS, spec)


def carry_out(case: Case, detections: int) -> dict[str, Any]:
    """Detect and merge, and return what was done when."""
    plan = plan_of(detections)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = open_store(Path(folder) / "store", create=True)
        workers: Executor = ProcessExecutor(case.workers)
        if case.spark:
            workers = SparkExecutor(stack.enter_context(spark_session(f"local[{case.workers}]", SPARK)))
        executor = Timed(case, workers)
        summary = run_plan(plan, store, executor=executor, reader=BLANK_READER)
        with Path(summary.files[0]).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "windows_seconds": executor.last["windows"] - executor.first["windows"],
        "merge_seconds": executor.last["merge"] - executor.first["merge"],
        "jobs": dict(executor.jobs),
        "job_seconds": dict(executor.seconds),
        "windows": summary.windows,
        "detections": summary.detections,
        "sha256": digest,
    }


def measure(case: Case, detections: int) -> dict[str, Any]:
    """Carry out a case in a process of its own, and look at the memory of its workers."""
    number = str(CASES.index(case))
    command = [sys.executable, "-m", "benchmarks.scale.strips", "--case", number, "--detections", str(detections)]
    peaks: dict[int, int] = defaultdict(int)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        while child.poll() is None:
            for process in filter(is_worker, tree(child.pid)):
                peaks[process] = max(peaks[process], peak(process))
            time.sleep(PERIOD)
        lines = list(child.stdout or ())
    if child.returncode != 0:
        raise RuntimeError(f"{case.name}: the run ended with code {child.returncode}")
    return {"case": case.name, **json.loads(lines[-1]), "worker_mib": max(peaks.values()) / MEBIBYTE}


def is_worker(process: int) -> bool:
    """Tell whether a process carries out jobs."""
    try:
        return b"swathe.engine.process" in (PROC / str(process) / "cmdline").read_bytes()
    except OSError:
        return False


def peak(process: int) -> int:
    """Return the highest resident size of a process so far, bytes; 0 if it is gone."""
    try:
        lines = (PROC / str(process) / "status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Measure all cases and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=5_000_000, help="raw ones, about")
    parser.add_argument("--case", type=int, help="carry out this one in this process")
    arguments = parser.parse_args()
    if arguments.case is not None:
        print(json.dumps(carry_out(CASES[arguments.case], arguments.detections)))
        return
    results = []
    for case in CASES:
        results.append(measure(case, arguments.detections))
        one = results[-1]
        print(f"{case.name:40s} merge {one['merge_seconds']:6.1f} s, {one['worker_mib']:6.0f} MiB", flush=True)
    if len({one["sha256"] for one in results}) > 1:
        raise RuntimeError("the files of detections differ")
    report = {"benchmark": "merge of one scene in strips", "cpu": processor(), "raw_detections": arguments.detections}
    print(json.dumps({**report, "cases": results}))


if __name__ == "__main__":
    main()
