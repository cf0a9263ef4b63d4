"""Executors on this computer: in the calling process, or with one worker process per core."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import cast

from swathe.engine.executor import Executor
from swathe.engine.task import BatchJob, BatchResult, Work
from swathe.engine.worker import Worker
from swathe.errors import SwatheError

# Libraries that would each start one thread per core in every worker.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
# How long a worker may take to end when it is told to, seconds.
PATIENCE = 5.0


def choose_executor(workers: int | None) -> Executor:
    """Return the executor for a number of workers.

    Args:
        workers: Worker processes; None for one per core this process may use, 0 or 1 for none.

    Returns:
        The executor.
    """
    count = available_cores() if workers is None else workers
    return ProcessExecutor(count) if count > 1 else SerialExecutor()


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SerialExecutor:
    """Does one batch after the other in the calling process."""

    workers = 0

    def run(self, jobs: Iterable[BatchJob], work: Work) -> Generator[BatchResult, None, None]:
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
                yield worker.run(job)
        finally:
            worker.close()


class ProcessExecutor:
    """Keeps a number of worker processes busy, each with a pipe of its own.

    Workers are fresh interpreters in a session of their own: Ctrl-C at a terminal reaches only this process, which ends
    them; a caller's main module is not run again in them; they end by themselves when this process is killed.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, jobs: Iterable[BatchJob], work: Work) -> Generator[BatchResult, None, None]:
        """Carry out jobs, each by the next worker that is free.

        Args:
            jobs: What to do.
            work: What all jobs have in common.

        Yields:
            One result per job, as they come.

        Raises:
            SwatheError: If a worker ends unexpectedly; errors raised in a worker come through as they are.
        """
        source = iter(jobs)
        busy: dict[Connection, _WorkerProcess] = {}
        try:
            while len(busy) < self.workers and (job := next(source, None)) is not None:
                worker = _WorkerProcess(work)
                busy[worker.connection] = worker
                worker.submit(job)
            while busy:
                for connection in wait(list(busy)):
                    worker = busy[cast("Connection", connection)]
                    result = worker.receive()
                    # Hand out the next job first: the caller may merge a whole scene before it asks again.
                    if (job := next(source, None)) is not None:
                        worker.submit(job)
                    else:
                        del busy[worker.connection]
                        worker.stop()
                    yield result
        finally:
            for worker in busy.values():
                worker.terminate()


class _WorkerProcess:
    """One worker process and the job it is busy with."""

    def __init__(self, work: Work) -> None:
        self.connection, theirs = Pipe()
        self._job: BatchJob | None = None
        threads = str(work.detector.threads)
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, threads)
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        # Standard output belongs to the caller (it may be machine-readable), so a library's chatter goes to the errors.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "swathe.engine.process", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,
            start_new_session=True,
        )
        theirs.close()
        self._send(work)

    def submit(self, job: BatchJob) -> None:
        """Give the process something to do."""
        self._job = job
        self._send(job)

    def receive(self) -> BatchResult:
        """Return the result of the job; raise what the worker raised, or that it ended."""
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionError):
            raise self._ended() from None
        if isinstance(answer, SwatheError):
            raise answer
        return cast("BatchResult", answer)

    def stop(self) -> None:
        """Let an idle process end."""
        self.connection.close()
        self._wait()

    def terminate(self) -> None:
        """End the process whatever it is doing; its part file appears whole or not at all."""
        self.connection.close()
        self._process.terminate()
        self._wait()

    def _send(self, value: Work | BatchJob) -> None:
        try:
            self.connection.send(value)
        except ConnectionError:
            raise self._ended() from None

    def _wait(self) -> None:
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self) -> SwatheError:
        self._wait()
        doing = "starting" if self._job is None else f"working on {self._job.batch.describe()}"
        return SwatheError(
            f"a worker process {describe_end(self._process.returncode)} while {doing}. Finished batches are kept: run "
            "the same command again to resume, with fewer workers if memory ran out"
        )


def describe_end(code: int) -> str:
    """Say in words how a process ended, from its return code (negative: minus the signal's number)."""
    if code >= 0:
        return f"ended with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was ended by {name}"
