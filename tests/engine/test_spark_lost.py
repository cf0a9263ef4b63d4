"""Tasks that Spark loses again and again: whose fault it is, and what becomes of the others. Without Spark itself."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from requirements import need
from swathe.engine.job import BatchJob, Job, JobResult, Retry
from swathe.engine.partition import PARTITIONERS
from swathe.engine.spark import SparkPool
from swathe.engine.spark_task import Lost, Task
from swathe.testing.suites.executor import Example, batch_jobs


class CostlyPool(SparkPool):
    """A cluster on which each task with a job of certain scenes is lost."""

    def __init__(self, costly: frozenset[str], partitioner: str) -> None:
        self._executor: Any = SimpleNamespace(partitioner=PARTITIONERS[partitioner])
        self._context = None
        self._costly = costly
        self.slots = 2
        self.stages = list[Sequence[list[Job]]]()

    def _stage(self, tasks: Sequence[list[Job]]) -> Iterator[JobResult | Retry | Lost]:
        self.stages.append(tasks)
        for task in tasks:
            if self._costly.isdisjoint(job.scene.id for job in task):
                yield from [JobResult(job.scene.id) for job in task]
            else:
                yield Lost(task)


@pytest.mark.parametrize("partitioner", ["rank", "strips"])
@pytest.mark.parametrize("costly", [(), ("south",), ("north", "tiny"), ("north", "south", "tiny")])
def test_only_the_scenes_that_cost_executors_fail(
    costly: tuple[str, ...], partitioner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swathe.engine.spark.last_loss", lambda _: "killed over its memory")
    jobs = batch_jobs(Example(tmp_path).plan)
    pool = CostlyPool(frozenset(costly), partitioner)
    results = [result for result in pool.run(jobs) if isinstance(result, JobResult)]
    assert Counter(result.scene for result in results) == Counter(job.scene.id for job in jobs), "one for each job"
    failed = [result for result in results if result.error is not None]
    assert {result.scene for result in failed} == set(costly)
    assert all(f"lost 3 times on scene {result.scene}" in str(result.error) for result in failed)
    assert all("(killed over its memory)" in str(result.error) for result in failed)
    later = [task for stage in pool.stages[1:] for task in stage]
    assert all(len({job.scene.id for job in task}) == 1 for task in later)
    assert all(job.again for task in later for job in task if isinstance(job, BatchJob)), "parts stay as they are"


def test_no_jobs_are_no_stage() -> None:
    pool = CostlyPool(frozenset(), "cost")
    assert (list(pool.run([])), pool.stages) == ([], [])


def test_a_task_that_was_lost_three_times_hands_its_jobs_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("pyspark")
    jobs, told = batch_jobs(Example(tmp_path).plan)[:3], list[Any]()
    context = SimpleNamespace(attemptNumber=lambda: 3)
    monkeypatch.setattr("pyspark.TaskContext.get", lambda: context)
    answers: Any = SimpleNamespace(add=told.extend)
    row = pa.RecordBatch.from_pydict({"jobs": pa.array([pickle.dumps(jobs)], pa.binary())})
    (count,) = Task(b"", None, answers)(iter([row]))
    assert (told, count.column("answers").to_pylist()) == ([Lost(jobs)], [1])
