"""Fig. 11 of the paper again: the inference stage of Spark with rank, hash, strips and cost; ends in JSON.

The shipped model looks at small windows, in scenes of many sizes, one in five of them without tiles. All ways take
turns in one session, whose two workers have their model already. Beside the seconds of the stage stands how full the
fullest partition is over the mean of all, by projected cost and by the seconds that Spark says its task took: that is
what a stage lasts where there is a core for each partition.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._machine import processor
from benchmarks.scale._scenes import repeated_scene
from swathe.detectors.registry import resolve_model
from swathe.engine.job import BatchJob, Job, JobResult, Work
from swathe.engine.partition import PARTITIONERS, imbalance
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import RASTER_READER
from swathe.engine.settings import RunSettings
from swathe.engine.spark import SparkExecutor, SparkPool
from swathe.engine.spark_session import spark_session
from swathe.raster.opening import open_scene
from swathe.store import open_store

SPARK = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
SETTINGS = RunSettings(tile=320, stride=256)
BACKEND = "openvino-bf16"
SIDES = (800, 3_600)  # of the scenes, pixels
SIZES = (500, 1_500)  # windows, about
COUNTS = (2, 8, 32, 128)  # partitions
UNTILED = 5  # one scene of so many


class CountedPool(SparkPool):
    """Shares jobs out among as many tasks as the benchmark asks for."""

    rule = "rank"
    count = 2

    def _tasks(self, jobs: Sequence[Job]) -> list[list[Job]]:
        tasks: dict[int, list[Job]] = defaultdict(list)
        for job, place in zip(jobs, PARTITIONERS[self.rule](jobs, self.count), strict=True):
            tasks[place].append(job)
        return [tasks[place] for place in sorted(tasks)]

    def task_seconds(self) -> list[float]:
        """Return how long the tasks of the stage before took, as Spark knows it."""
        spark, tracker = self._context._jsc.sc(), self._context.statusTracker()  # noqa: SLF001 - Python's part has none
        spark.listenerBus().waitUntilEmpty()
        stage = max(
            stage for job in tracker.getJobIdsForGroup(self._group) for stage in tracker.getJobInfo(job).stageIds
        )
        tasks = spark.statusStore().taskList(stage, 0, 10_000)
        return [tasks.apply(place).duration().get() / 1000 for place in range(tasks.size())]


def planned(windows: int) -> Plan:
    """Plan a run over so many windows."""
    spec = resolve_model("buildings", backend=BACKEND, tile=SETTINGS.tile)[0]
    draw, paths, left = random.Random(1), list[Path](), float(windows)
    while left > 0:
        width, height = (draw.randrange(*SIDES) for _ in range(2))
        paths.append(repeated_scene(width, height, tiled=len(paths) % UNTILED != 0))
        left -= width * height / SETTINGS.stride**2
    return make_plan([open_scene(path) for path in paths], SETTINGS, spec)


def measure(pool: CountedPool, jobs: Sequence[Job], rounds: int) -> list[dict[str, Any]]:
    """Carry out the stage with all partitioners and numbers of partitions, in turn."""
    found = list[dict[str, Any]]()
    for pool.count in (count for count in COUNTS if count < len(jobs)):
        runs: dict[str, list[dict[str, float]]] = {rule: [] for rule in PARTITIONERS}
        for _ in range(rounds):
            for pool.rule in PARTITIONERS:
                began = time.perf_counter()
                results = [result for result in pool.run(jobs) if isinstance(result, JobResult)]
                seconds = time.perf_counter() - began
                tasks = pool.task_seconds()
                read = sum(result.stages.get("read", 0.0) for result in results)
                run = {"seconds": seconds, "fullest_task": max(tasks), "read": read}
                runs[pool.rule].append(run | {"imbalance": max(tasks) * pool.count / sum(tasks)})
        for rule, each in runs.items():
            medians = {name: statistics.median(run[name] for run in each) for name in each[0]}
            projected = imbalance(jobs, PARTITIONERS[rule](jobs, pool.count), pool.count)
            found.append({"partitions": pool.count, "partitioner": rule, "projected": projected, **medians})
            print(found[-1], flush=True)
    return found


def main() -> None:
    """Measure, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="windows, about")
    parser.add_argument("--rounds", type=int, default=2, help="of the smaller sizes; the largest has one less")
    arguments = parser.parse_args()
    cases = list[dict[str, Any]]()
    with spark_session("local[2]", SPARK) as session, tempfile.TemporaryDirectory() as folder:
        executor = SparkExecutor(session)
        for size in arguments.sizes:
            plan = planned(size)
            jobs: list[Job] = [BatchJob(scene, batch) for scene in plan.scenes for batch in scene.batches()]
            if plan.detector is None:
                raise ValueError("the plan has a detector")
            store = open_store(Path(folder) / f"store-{size}", create=True)
            work = Work(plan.detector, plan.settings, plan.run, plan.about(), store.address, RASTER_READER)
            with CountedPool(executor, work) as pool:
                list(pool.run(jobs[:4]))  # the workers get their model
                rounds = max(1, arguments.rounds - (size == max(arguments.sizes)))
                found = measure(pool, jobs, rounds)
            cases.append({"windows": plan.windows, "jobs": len(jobs), "scenes": plan.scene_count, "runs": found})
    print(json.dumps({"benchmark": "inference stage", "cpu": processor(), "cases": cases}))


if __name__ == "__main__":
    main()
