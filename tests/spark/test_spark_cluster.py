"""Spark on a cluster of two hosts: what every executor must do, where tasks run, and everything that may be lost."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from standalone_spark import HOSTS, descendants
from swathe.engine.events import BatchRetried
from swathe.engine.job import Executor, Job
from swathe.engine.local import SerialExecutor
from swathe.engine.run import run_plan
from swathe.engine.spark import SparkExecutor
from swathe.errors import PartialError, SwatheError
from swathe.testing.fakes import BLANK_READER, Fault, read_log, write_script
from swathe.testing.suites.executor import Example, ExecutorSuite, batch_jobs, files_of, results_of


@pytest.fixture
def executor(cluster: Any) -> SparkExecutor:
    return SparkExecutor(cluster)


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)


class TestSparkOnACluster(ExecutorSuite):
    @pytest.fixture
    def executor(self, cluster: Any) -> Executor:
        return SparkExecutor(cluster)


def run(example: Example, executor: Executor, *faults: Fault, lost: str = "") -> list[BatchRetried]:
    """Run a plan, with faults or a process that is killed, and compare its detections with those of an undisturbed run.

    Returns:
        What was said of retries.
    """
    other = example.empty_store("other")
    run_plan(example.plan_of(example.truth), other, executor=SerialExecutor(), reader=BLANK_READER)
    example.log.unlink()
    write_script(
        example.truth,
        example.folder / "script.json",
        clip="own",
        log=example.log,
        faults=faults,
        delay=0.3 if lost else 0.0,  # seconds: who shall be killed is found before all is done
    )
    ended = threading.Event()
    killer = threading.Thread(target=kill, args=(lost, example, ended))
    if lost:
        killer.start()
    retries: list[BatchRetried] = []

    def note(event: object) -> None:
        if isinstance(event, BatchRetried):
            retries.append(event)

    try:
        run_plan(example.plan, example.store, executor=executor, reader=BLANK_READER, progress=note)
    finally:
        ended.set()
    assert files_of(example.store) == files_of(other)
    assert example.store.workspace(example.plan.run).names() == frozenset()
    return retries


def looked_at_twice(example: Example) -> int:
    return sum(count - 1 for count in Counter(read_log(example.log)).values())


@pytest.mark.parametrize("kind", ["kill", "memory"])
def test_a_worker_process_that_dies_is_replaced(kind: str, executor: SparkExecutor, example: Example) -> None:
    retries = run(example, executor, Fault(kind, "north", 9))
    assert [retry.scene for retry in retries] == ["north"]
    assert 0 < looked_at_twice(example) <= 12, "one batch at most"


@pytest.mark.parametrize("lost", ["pyspark.daemon", "CoarseGrainedExecutorBackend"])
def test_what_spark_loses_it_begins_again(lost: str, executor: SparkExecutor, example: Example) -> None:
    retries = run(example, executor, lost=lost)
    assert retries
    assert all("a task of Spark was lost" in retry.reason for retry in retries)
    assert looked_at_twice(example) <= 2 * 12, "parts that were there are taken as they are"


def test_a_task_that_hangs_is_overtaken_on_another_host(executor: SparkExecutor, example: Example) -> None:
    retries = run(example, executor, Fault("hang", "north", 9))
    assert retries
    assert looked_at_twice(example) <= 12


@pytest.mark.parametrize(
    ("kind", "lost"), [("kill", "workers died 3 times on"), ("orphan", "tasks of Spark were lost 3 times on")]
)
def test_a_scene_over_which_workers_die_is_set_aside(
    kind: str, lost: str, executor: SparkExecutor, example: Example
) -> None:
    plan = example.plan_of(example.truth, [Fault(kind, "south", 20, 999)])
    summary = run_plan(plan, example.store, executor=executor, reader=BLANK_READER)
    assert list(summary.failed) == ["south"]
    assert f"{lost} scene south" in summary.failed["south"]
    assert summary.scenes == ("north", "tiny")
    with pytest.raises(PartialError, match="1 scene failed, the other 2 are stored"):
        summary.raise_for_failures()
    run(example, executor)


def test_a_task_that_raises_again_and_again_ends_the_run(executor: SparkExecutor, example: Example) -> None:
    jobs: list[Any] = [*batch_jobs(example.plan), Unknown(batch_jobs(example.plan)[0])]
    with pytest.raises(
        SwatheError, match=r"Spark has ended the stage.*Unknown|Spark has ended the stage.*run the same"
    ):
        results_of(executor, example.work(), jobs)
    run(example, executor)
    assert looked_at_twice(example) == 0


def test_tasks_run_where_their_data_are(cluster: Any, example: Example) -> None:
    def hosts(job: Job) -> Sequence[str]:
        return HOSTS[job.scene.id == "south" :][:1]

    executor = SparkExecutor(cluster, partitioner="strips", hosts=hosts)
    results_of(executor, example.work(), [job for job in batch_jobs(example.plan) if job.scene.id != "tiny"])
    assert executor.near == executor.placed > 2


class Unknown:
    """A job that no executor can read: it has no such class."""

    def __init__(self, job: Job) -> None:
        self.scene, self.cost, self.describe = job.scene, job.cost, job.describe


def kill(words: str, example: Example, ended: threading.Event) -> None:
    """Kill a process of the cluster that works, when a quarter of the windows was looked at."""
    while len(read_log(example.log)) < example.plan.windows // 4:
        if ended.wait(0.05):
            return
    mine = [pid for pid, line in descendants(os.getpid()).items() if words in line]
    busy = [pid for pid in mine if any("swathe.engine.process" in line for line in descendants(pid).values())]
    os.kill(busy[-1], signal.SIGKILL)
