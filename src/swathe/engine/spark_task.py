"""What Spark's Python workers do with the jobs of a task.

In each of them stands one worker process as on a single machine (`swathe.engine.processes`). It keeps its model from
task to task, is replaced when it is killed or hangs, and sets a scene aside over which it dies again and again. So
Spark itself only sees that machines are lost, or the memory of their containers.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from swathe.engine.job import BatchJob, Job, JobResult, Retry, Work
from swathe.engine.processes import ATTEMPTS, ProcessExecutor, ProcessPool
from swathe.errors import SwatheError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.accumulators import Accumulator


@dataclass(frozen=True)
class Lost:
    """Jobs of a task that Spark has begun again too often; they were not tried once more."""

    jobs: list[Job]


Answer = JobResult | Retry | Lost | SwatheError
# The worker process of one of Spark's Python workers, by the work that it was started for.
_processes: dict[bytes, ProcessPool] = {}


class Task:
    """A function for `mapInArrow`; each row holds the jobs of a task. It travels to the executors."""

    def __init__(self, work: bytes, model: str | None, answers: Accumulator[list[Answer]]) -> None:
        """Take what all tasks have in common.

        Args:
            work: A pickled `Work`.
            model: Name of the file of the model among those that executors fetch, None if it is none.
            answers: Where answers go. They arrive when the task ends, and once however often it was begun.
        """
        self._work, self._model, self._answers = work, model, answers

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Carry out the jobs of the rows.

        Args:
            batches: One column of pickled lists of jobs.

        Yields:
            The number of answers.
        """
        import pyarrow as pa

        answers = [answer for batch in batches for row in batch.column(0) for answer in self._answers_to(row.as_py())]
        self._answers.add(answers)
        yield pa.RecordBatch.from_pydict({"answers": pa.array([len(answers)], pa.int64())})

    def _answers_to(self, row: bytes) -> Iterator[Answer]:
        from pyspark import TaskContext

        jobs: list[Job] = pickle.loads(row)
        context: Any = TaskContext.get()
        begun = context.attemptNumber()
        if begun >= ATTEMPTS:
            yield Lost(jobs)
            return
        if begun:
            jobs = begun_before(jobs)
            yield Retry(jobs[0].scene.id, f"a task of Spark was lost; another one does {jobs[0].describe()} and on")
        graphics = context.resources().get("gpu")
        try:
            yield from _carried_out(self._process([] if graphics is None else graphics.addresses), jobs)
        except SwatheError as error:
            yield error

    def _process(self, graphics: Sequence[str]) -> ProcessPool:
        """Return the worker process, the same as for the task before if it was for the same work."""
        from pyspark import SparkFiles

        key = self._work + f"{self._model} {graphics}".encode()
        if key not in _processes:
            for other in _processes.values():
                other.__exit__(None, None, None)
            _processes.clear()
            if graphics:
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(graphics)
            work: Work = pickle.loads(self._work)
            if self._model is not None:
                work = replace(work, detector=replace(work.detector, path=SparkFiles.get(self._model)))
            _processes[key] = ProcessExecutor(1).open(work)
        return _processes[key]


def begun_before(jobs: Iterable[Job]) -> list[Job]:
    """Return jobs that take what is there of them as it is."""
    return [replace(job, again=True) if isinstance(job, BatchJob) else job for job in jobs]


def _carried_out(process: ProcessPool, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
    """Carry out jobs; with the first that fails, the others of its scene have failed: it may have cost workers."""
    failed: dict[str, JobResult] = {}
    skipped: list[JobResult] = []

    def promising() -> Iterator[Job]:
        for job in jobs:
            if job.scene.id in failed:
                skipped.append(failed[job.scene.id])
            else:
                yield job

    for answer in process.run(promising()):
        if isinstance(answer, JobResult) and answer.error is not None:
            failed[answer.scene] = JobResult(answer.scene, error=answer.error)
        yield answer
    yield from skipped
