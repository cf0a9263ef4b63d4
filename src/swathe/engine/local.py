"""Executors on this machine: in the calling process, or with one worker process per core."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from swathe.engine.job import Executor, Job, JobResult, Retry, Work
from swathe.engine.processes import ProcessExecutor
from swathe.engine.worker import Worker


def choose_executor(workers: int | None) -> Executor:
    """Return the executor for a number of workers.

    Args:
        workers: Worker processes; None for one per core this process may use, 0 for none.

    Returns:
        The executor.
    """
    count = worker_count(workers)
    return ProcessExecutor(count) if count > 0 else SerialExecutor()


def worker_count(workers: int | None) -> int:
    """Return how many worker processes are meant; None means one per core that this process may use."""
    return available_cores() if workers is None else workers


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SerialExecutor:
    """Does one job after the other in the calling process; nobody can help if that is killed or hangs."""

    def open(self, work: Work) -> SerialPool:
        """Prepare for a run.

        Args:
            work: What all jobs have in common.

        Returns:
            The worker.
        """
        return SerialPool(work)


class SerialPool:
    """The one worker of a run, in the calling process."""

    slots = 0
    memory_per_slot = None

    def __init__(self, work: Work) -> None:
        self._work = work
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.close()

    def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
        """Carry out jobs in their order.

        Args:
            jobs: What to do.

        Yields:
            One result per job.
        """
        for job in jobs:
            self._worker = self._worker or Worker(self._work)
            try:
                yield self._worker.run(job)
            except MemoryError:
                reason = f"this process ran out of memory on {job.describe()}: choose a smaller tile"
                yield JobResult(job.scene.id, error=reason)
