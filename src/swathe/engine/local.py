"""Executors on this computer: in the calling process, or with one worker process per core."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import cast

from swathe.engine.child import Deadlines, WorkerLostError, WorkerProcess
from swathe.engine.executor import Executor
from swathe.engine.task import BatchJob, BatchResult, Retry, Work
from swathe.engine.worker import Worker
from swathe.errors import SwatheError

# How many workers may be lost over one batch before its scene is given up.
ATTEMPTS = 3
# How many may be lost in a row, without one batch done meanwhile, before the run is: then it is not the scenes.
HOPELESS = 4 * ATTEMPTS


def choose_executor(workers: int | None) -> Executor:
    """Return the executor for a number of workers.

    Args:
        workers: Worker processes; None for one per core this process may use, 0 for none.

    Returns:
        The executor.
    """
    count = available_cores() if workers is None else workers
    return ProcessExecutor(count) if count > 0 else SerialExecutor()


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SerialExecutor:
    """Does one batch after the other in the calling process; nobody can help if that is killed or hangs."""

    workers = 0

    def run(self, jobs: Iterable[BatchJob], work: Work) -> Generator[BatchResult | Retry, None, None]:
        """Carry out jobs in their order.

        Args:
            jobs: What to do.
            work: What all jobs have in common.

        Yields:
            One result per job.
        """
        worker = Worker(work)
        try:
            for job in jobs:
                try:
                    yield worker.run(job)
                except MemoryError:
                    yield given_up(job, f"this process ran out of memory on {job.batch.describe()}: lower --tile")
        finally:
            worker.close()


class ProcessExecutor:
    """Keeps a number of worker processes busy, each with a pipe of its own.

    Workers are fresh interpreters in a session of their own: Ctrl-C at a terminal reaches only this process, which ends
    them; a caller's main module is not run again in them; they end by themselves when this process is killed. A worker
    that is killed, or takes far too long, is replaced, and its job begun again.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, jobs: Iterable[BatchJob], work: Work) -> Generator[BatchResult | Retry, None, None]:
        """Carry out jobs, each by the next worker that is free.

        Args:
            jobs: What to do.
            work: What all jobs have in common.

        Yields:
            One result per job, as they come; a retry whenever a worker was lost. A job over which too many were lost
            has a result that says so.

        Raises:
            SwatheError: If workers are lost one after the other; errors raised in a worker come through as they are.
        """
        crew = _Crew(iter(jobs), work)
        try:
            crew.start(self.workers)
            while crew.busy:
                yield from crew.next_results()
        finally:
            for worker in crew.busy.values():
                worker.terminate()


class _Crew:
    """The workers of a run that have a job, and what is known of their losses."""

    def __init__(self, source: Iterator[BatchJob], work: Work) -> None:
        self._source, self._work = source, work
        self._deadlines = Deadlines(work.settings.batch_timeout)
        self._lost: Counter[int] = Counter()  # index of a batch -> workers lost over it
        self._lost_in_a_row = 0
        self.busy: dict[Connection, WorkerProcess] = {}

    def start(self, workers: int) -> None:
        """Start workers as long as there are jobs for them."""
        while len(self.busy) < workers and (job := next(self._source, None)) is not None:
            self._employ(job)

    def next_results(self) -> Iterator[BatchResult | Retry]:
        """Wait for an answer or a deadline, and yield what there is to tell."""
        patience = max(0.0, min(worker.remaining for worker in self.busy.values()))
        # The caller may have merged for minutes: what lies in a pipe by now was in time.
        ready = wait(list(self.busy), None if patience == float("inf") else patience)
        for connection in ready:
            yield self._answer(self.busy[cast("Connection", connection)])
        for worker in [worker for worker in self.busy.values() if worker.connection not in ready]:
            if worker.remaining <= 0 and not worker.connection.poll():
                worker.kill()
                yield self._replace(worker, f"gave no answer for {worker.seconds:.0f} seconds")

    def _employ(self, job: BatchJob) -> None:
        """Start a worker for a job."""
        worker = WorkerProcess(self._work)
        self.busy[worker.connection] = worker
        worker.submit(job, self._deadlines.seconds(job.batch))

    def _answer(self, worker: WorkerProcess) -> BatchResult | Retry:
        """Take the result of a worker and give it the next job."""
        job = cast("BatchJob", worker.job)
        try:
            result = worker.receive()
        except WorkerLostError as error:
            return self._replace(worker, str(error))
        self._deadlines.learn(job.batch, worker.seconds)
        self._lost_in_a_row = 0
        # Hand out the next job first: the caller may merge a whole scene before it asks again.
        if (following := next(self._source, None)) is not None:
            worker.submit(following, self._deadlines.seconds(following.batch))
        else:
            del self.busy[worker.connection]
            worker.stop()
        return result

    def _replace(self, worker: WorkerProcess, reason: str) -> BatchResult | Retry:
        """Let another worker try the job of one that was lost, unless that has been in vain too often."""
        job = cast("BatchJob", worker.job)
        del self.busy[worker.connection]
        worker.connection.close()
        self._lost[job.batch.index] += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= HOPELESS:
            raise SwatheError(
                f"{HOPELESS} worker processes were lost one after the other, the last one on {job.batch.describe()}: "
                f"it {reason}. Finished batches are kept: run the same command again to resume, with fewer --workers "
                "or a smaller --tile if memory ran out"
            )
        if self._lost[job.batch.index] < ATTEMPTS:
            self._employ(job)
            return Retry(job.batch.index, f"a worker {reason} on {job.batch.describe()}; another one tries again")
        if (following := next(self._source, None)) is not None:
            self._employ(following)
        return given_up(job, _why_lost(job, reason))


def given_up(job: BatchJob, reason: str) -> BatchResult:
    """Return the result of a job that cannot be done.

    Args:
        job: The job.
        reason: Why not.

    Returns:
        A result with an error, upon which the scene counts as failed.
    """
    return BatchResult(job.batch.index, job.batch.count, 0, 0, reason)


def _why_lost(job: BatchJob, reason: str) -> str:
    """Say why a scene is given up, and what to do."""
    hung = reason.startswith("gave no answer")
    advice = (
        "if source and model are merely slow, raise --batch-timeout"
        if hung
        else "probably out of memory: lower --workers or --tile"
    )
    return f"workers died {ATTEMPTS} times on these windows: {job.batch.describe()}; the last one {reason}; {advice}"
