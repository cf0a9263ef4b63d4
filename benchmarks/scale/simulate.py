"""Throughput on more cores than there are here: measured times of jobs, put on 8, 64 and 512 cores; ends in JSON.

Measured on this machine: batches of windows through the model, by a lone worker, beside another one, and out of order;
the start of a worker; the merges of a scene by kind of job (`strips.py`); what Spark takes to start, for a stage, and
for a task. Simulated: which core does which task when. As in `swathe.engine.spark` a stage holds all jobs that are
possible, a partitioner shares them out among tasks, a task goes to the core that is free first, and merges are stages
of their own. The time of a batch is drawn from the measured ones, so tasks that drag on are in it as far as they were
met here; machines that are slower than others, and a network between them, are not. A run on two cores that was both
measured and simulated tells how far to trust it.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks._machine import processor
from benchmarks.scale import _detectors
from benchmarks.scale._scenes import repeated_scene
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import resolve_model
from swathe.engine import spark
from swathe.engine.job import BatchJob, Job, JobResult, SceneJob, StripJob, Work
from swathe.engine.partition import PARTITIONERS, Partitioner
from swathe.engine.plan import Plan, ScenePlan, make_plan
from swathe.engine.processes import ProcessExecutor
from swathe.engine.run import RASTER_READER, run_plan
from swathe.engine.settings import RunSettings
from swathe.engine.spark_session import spark_session
from swathe.engine.strips import MOST_ROWS, Strip, Strips
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene
from swathe.store import open_store
from swathe.testing.fakes import BLANK_READER
from swathe.testing.scenes import ObjectRule, scene_without_file, synthetic_scene

RESULTS = Path(__file__).resolve().parents[1] / "results"
SETTINGS = RunSettings(tile=1024, stride=768)
MEASURED = 8_000, 18_000  # pixels; a narrow scene has short batches, so that there are many times to draw from
SPARK = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
SPARK_TASKS = 40
CORES = (1, 2, 8, 64, 512)
WORKLOADS = (100_000, 1_000_000)  # windows, about
SIDES = 9.0, 0.8  # of the scenes: logarithm of the median in pixels, and its spread
UNTILED = 0.2  # share of the scenes
ROUNDS = 3  # of each simulation, with other draws


@dataclass(frozen=True)
class Times:
    """Measured times, seconds."""

    alone: list[float]  # of each batch by a lone worker, over its cost in full windows
    ordered: list[float]  # the same beside another worker
    scattered: list[float]  # the same out of order, so that nothing which was read for the batch before helps
    raw: float  # raw detections for each window
    worker: float  # until a worker has its model
    session: float  # until Spark is there
    stage: float  # of a stage beside its tasks
    task: float  # of a task beside its jobs
    cut: float  # for each raw detection of a scene with many: finding its strips
    strip: float  # for each raw detection: merging it in a strip
    write: float  # for each raw detection: settling what is open, and writing


def measured_plan() -> Plan:
    """Plan the run that is measured."""
    spec = resolve_model("buildings", tile=SETTINGS.tile)[0]
    return make_plan([open_scene(repeated_scene(*MEASURED))], SETTINGS, spec)


def batch_jobs(plan: Plan) -> list[Job]:
    """Return a job for each batch."""
    return [BatchJob(scene, batch) for scene in plan.scenes for batch in scene.batches()]


def carry_out(plan: Plan, jobs: Sequence[Job]) -> tuple[list[float], int]:
    """Let one worker do jobs; return the seconds of each, and the raw detections."""
    if plan.detector is None:
        raise ValueError("the plan has a detector")
    seconds, raw = [], 0
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store", create=True)
        work = Work(plan.detector, plan.settings, plan.run, plan.about(), store.address, RASTER_READER)
        with ProcessExecutor(1).open(work) as pool:
            began = time.perf_counter()
            for result in pool.run(jobs):
                ended = time.perf_counter()
                seconds.append(ended - began)
                began = ended
                raw += result.detections if isinstance(result, JobResult) else 0
    return seconds, raw


def batch_times(plan: Plan) -> dict[str, Any]:
    """Measure batches: by a lone worker, and by two, one of which does them out of order."""
    jobs = batch_jobs(plan)
    mixed = random.Random(1).sample(jobs, len(jobs))
    alone, raw = carry_out(plan, jobs)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(carry_out, plan, order) for order in (jobs, mixed)]
        (ordered, _), (scattered, _) = (future.result() for future in both)

    def over_cost(seconds: list[float], order: Sequence[Job]) -> list[float]:
        return [one / job.cost for one, job in zip(seconds, order, strict=True)][1:]

    return {
        "alone": over_cost(alone, jobs),
        "ordered": over_cost(ordered, jobs),
        "scattered": over_cost(scattered, mixed),
        "raw": raw / plan.windows,
        "worker": alone[0] - statistics.median(alone[1:]),
    }


def spark_times(plan: Plan) -> tuple[dict[str, Any], float]:
    """Measure what Spark takes for itself, and a whole run on two cores, seconds."""
    os.environ |= {_detectors.STEP: "0", _detectors.BACKEND: "", _detectors.MODEL_WINDOWS: "0"}
    began = time.perf_counter()
    with spark_session("local[2]", SPARK) as session:
        executor = spark.SparkExecutor(session)
        ready = time.perf_counter()
        few, many = empty_stages(executor)[1:]
        task = 2 * (many - few) / (SPARK_TASKS - 2)
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            run_plan(plan, open_store(Path(folder) / "store", create=True), executor=executor)
        whole = time.perf_counter() - started
    return {"session": ready - began, "stage": few - task, "task": task}, whole


def empty_stages(executor: spark.SparkExecutor) -> list[float]:
    """Return the seconds of stages of two, two and many tasks in which next to nothing is done."""
    spec = DetectorSpec("benchmarks.scale._detectors:LATTICE", "none", ("object",), "0" * 64, 0.0, 0.2, tile=64)
    side = SPARK_TASKS * 64
    scene = scene_without_file(synthetic_scene(4 * 64, side, seed=1, rule=ObjectRule(count=0)))
    plan = make_plan([scene], RunSettings(tile=64, stride=64), spec)
    jobs, seconds = batch_jobs(plan), []
    windows, spark.TASK_WINDOWS = spark.TASK_WINDOWS, 1
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store", create=True)
        work = Work(spec, plan.settings, plan.run, plan.about(), store.address, BLANK_READER)
        with executor.open(work) as pool:
            for count in (2, 2, SPARK_TASKS):
                began = time.perf_counter()
                list(pool.run(jobs[:count]))
                seconds.append(time.perf_counter() - began)
    spark.TASK_WINDOWS = windows
    return seconds


def merge_times() -> dict[str, Any]:
    """Take what `strips.py` has measured of a lone worker, for each raw detection."""
    path = RESULTS / "scale-strips.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `python -m benchmarks.scale.strips` first")
    report = json.loads(path.read_text(encoding="utf-8"))
    (case,) = (one for one in report["cases"] if one["job_seconds"].get("strip"))
    return {kind: sum(seconds) / report["raw_detections"] for kind, seconds in case["job_seconds"].items()}


def workload(windows: int) -> Plan:
    """Plan a run over scenes of very different sizes, a part of them without tiles."""
    draw = random.Random(windows)
    base = scene_without_file(synthetic_scene(64, 64, seed=1, rule=ObjectRule(count=0)))
    scenes: list[Scene] = []
    left = float(windows)
    while left > 0:
        width, height = (max(1024, int(draw.lognormvariate(*SIDES))) for _ in range(2))
        tiled = draw.random() >= UNTILED
        scenes.append(replace(base, id=f"scene-{len(scenes)}", width=width, height=height, tiled=tiled))
        left -= math.ceil(width / SETTINGS.stride) * math.ceil(height / SETTINGS.stride)
    return make_plan(scenes, SETTINGS)


class Cluster:
    """Cores that are free from a certain time on."""

    def __init__(self, times: Times, cores: int, partitioner: Partitioner, seed: int) -> None:
        self._times, self._partitioner, self._draw = times, partitioner, random.Random(seed)
        self._cores = cores
        self._cold = cores  # cores without a worker
        self.now = times.session
        self.busy = 0.0  # seconds of all jobs
        self.imbalance = 0.0  # time of the fullest core over the mean, of the stage before

    def stage(self, jobs: Sequence[Job]) -> None:
        """Do jobs, all of which are there at once; nothing else begins before the last one ends."""
        if not jobs:
            return
        begin = self.now + self._times.stage
        free = [(begin, core) for core in range(self._cores)]
        ends = [begin] * self._cores
        for seconds in self._tasks(jobs):
            start, core = heapq.heappop(free)
            cold, self._cold = self._cold > 0 and start == begin, self._cold - (self._cold > 0 and start == begin)
            ends[core] = start + seconds + (self._times.worker if cold else 0.0)
            heapq.heappush(free, (ends[core], core))
        self.now = max(ends)
        spent = [end - begin for end in ends]
        self.imbalance = max(spent) * self._cores / sum(spent)

    def _tasks(self, jobs: Sequence[Job]) -> Iterator[float]:
        """Yield the seconds of each task."""
        cost = sum(job.cost for job in jobs)
        most = min(spark.MOST_TASKS, int(cost / spark.TASK_WINDOWS))
        count = min(len(jobs), max(spark.TASKS_PER_SLOT * self._cores, most))
        tasks: dict[int, list[Job]] = defaultdict(list)
        for job, place in zip(jobs, self._partitioner(jobs, count), strict=True):
            tasks[place].append(job)
        whole = [tasks[place] for place in sorted(tasks)]
        single = [[job] for task in whole[-self._cores :] for job in task]
        for task in whole[: -self._cores] + single:
            seconds = sum(self._seconds(job, last) for job, last in zip(task, [None, *task], strict=False))
            self.busy += seconds
            yield seconds + self._times.task

    def _seconds(self, job: Job, last: Job | None) -> float:
        """Return how long a job takes after another one of the same task."""
        times, raw = self._times, job.scene.windows * self._times.raw
        if isinstance(job, BatchJob):
            return job.cost * self._draw.choice(times.ordered if follows(job, last) else times.scattered)
        if isinstance(job, StripJob):
            return raw / strip_count(job.scene, times) * times.strip
        if job.strips is not None:
            return raw * times.write
        if strip_count(job.scene, times) > 1:
            return raw * times.cut
        looked = job.cost * self._draw.choice(times.scattered) if job.scene.batch_count == 1 else 0.0
        return looked + raw * merge_of(times)


def follows(job: BatchJob, last: Job | None) -> bool:
    """Tell whether a job looks at the windows right after those of another one."""
    if not isinstance(last, BatchJob) or last.scene is not job.scene:
        return False
    return last.batch.first + last.batch.count == job.batch.first


def merge_of(times: Times) -> float:
    """Return the seconds of a merge for each raw detection, whoever does it."""
    return times.cut + times.strip + times.write


def strip_count(scene: ScenePlan, times: Times) -> int:
    """Return into how many strips a scene is cut."""
    return max(1, math.ceil(scene.windows * times.raw / MOST_ROWS))


def stages(plan: Plan, times: Times) -> Iterator[list[Job]]:
    """Yield the jobs of each stage, as the driver hands them out."""
    lone = {scene.id for scene in plan.scenes if scene.batch_count == 1}
    looks: list[Job] = []
    for scene in plan.scenes:
        looks += [SceneJob(scene)] if scene.id in lone else [BatchJob(scene, batch) for batch in scene.batches()]
    yield looks
    yield [SceneJob(scene) for scene in plan.scenes if scene.id not in lone]
    large = [scene for scene in plan.scenes if strip_count(scene, times) > 1]
    yield [
        StripJob(scene, Strip(1, number, number + 1, ()))
        for scene in large
        for number in range(strip_count(scene, times))
    ]
    yield [SceneJob(scene, strips=Strips((), 0, 0)) for scene in large]


def simulate(plan: Plan, times: Times, cores: int, partitioner: Partitioner) -> dict[str, float]:
    """Carry out a run several times, and return medians."""
    found: dict[str, list[float]] = defaultdict(list)
    for seed in range(ROUNDS):
        cluster = Cluster(times, cores, partitioner, seed)
        first, *merges = stages(plan, times)
        cluster.stage(first)
        found["imbalance"].append(cluster.imbalance)
        found["look_seconds"].append(cluster.now)
        for jobs in merges:
            cluster.stage(jobs)
        found["seconds"].append(cluster.now)
        found["busy"].append(cluster.busy / cores / cluster.now)
    return {name: statistics.median(values) for name, values in found.items()}


def one_process(plan: Plan, times: Times) -> float:
    """Return the seconds of a run in one process of this machine, without Spark."""
    cost = sum(scene.cost for scene in plan.scenes)
    return times.worker + cost * statistics.mean(times.alone) + plan.windows * times.raw * merge_of(times)


def outcomes(times: Times) -> Iterator[dict[str, Any]]:
    """Simulate all workloads on all clusters."""
    for windows in WORKLOADS:
        plan = workload(windows)
        best = plan.windows / one_process(plan, times)
        for name, partitioner in PARTITIONERS.items():
            lone = None
            for cores in CORES:
                beside = times if cores > 1 else replace(times, ordered=times.alone, scattered=times.alone)
                found = simulate(plan, beside, cores, partitioner)
                rate = plan.windows / found["seconds"]
                lone = lone or rate
                efficiency = {"against_process": rate / cores / best, "against_one_executor": rate / cores / lone}
                yield {
                    "workload": windows,
                    "windows": plan.windows,
                    "scenes": plan.scene_count,
                    "jobs": sum(scene.batch_count for scene in plan.scenes),
                    "partitioner": name,
                    "cores": cores,
                    "windows_per_second": rate,
                    **efficiency,
                    **found,
                }


def main() -> None:
    """Measure, simulate, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="with the times that were measured last")
    arguments = parser.parse_args()
    if arguments.again:
        known = json.loads((RESULTS / "scale-simulate.json").read_text(encoding="utf-8"))
        times, check, cpu = Times(**known["times"]), known["check"], known["cpu"]
    else:
        plan, cpu = measured_plan(), processor()
        looks = batch_times(plan)
        overhead, whole = spark_times(plan)
        times = Times(**looks, **overhead, **merge_times())
        found = simulate(plan, replace(times, session=0.0), 2, PARTITIONERS["cost"])
        check = {
            "window_ms": 1000 * statistics.median(times.alone),
            "measured_seconds": whole,
            "simulated_seconds": found["seconds"],
        }
    results = []
    for one in outcomes(times):
        results.append(one)
        label = f"{one['workload']:>9,} windows, {one['cores']:3d} cores, {one['partitioner']}"
        print(f"{label:45s} {one['windows_per_second']:7.1f} per second, {one['against_process']:.2f}", flush=True)
    report = {"benchmark": "simulated clusters", "cpu": cpu, "times": asdict(times), "check": check}
    print(json.dumps({**report, "results": results}))


if __name__ == "__main__":
    main()
