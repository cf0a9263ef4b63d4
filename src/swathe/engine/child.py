"""A worker process as its parent sees it: started, given jobs, waited for, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import cast

from swathe.engine.job import Job, JobResult, Work
from swathe.engine.process import OUT_OF_MEMORY
from swathe.errors import SwatheError

# Libraries that would each start one thread per core in every worker.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
# How long a worker may take to end when it is told to, seconds.
PATIENCE = 5.0
# A job may take this many times longer than the slowest one so far, window for window, and at least ten minutes: the
# first one also loads the model, and a busy computer or a slow network is not a fault.
DEADLINE_FACTOR = 20.0
LEAST_DEADLINE = 600.0


class WorkerLostError(Exception):
    """A worker was killed, ran out of memory or went silent; its job may be given to another. Stays in the engine."""


class Deadlines:
    """How long a job may take before its worker counts as hung, learned from the jobs that came back."""

    def __init__(self, fixed: float | None) -> None:
        """Begin without experience.

        Args:
            fixed: Seconds for every job, 0 for no end, None to go by measured times.
        """
        self._fixed = fixed
        self._slowest = 0.0  # seconds per unit of cost

    def seconds(self, job: Job) -> float:
        """Return how long a job may take, seconds; infinite if there is no end."""
        if self._fixed is not None:
            return self._fixed or float("inf")
        return max(LEAST_DEADLINE, DEADLINE_FACTOR * self._slowest * job.cost)

    def learn(self, job: Job, seconds: float) -> None:
        """Take notice of how long a job took, seconds."""
        self._slowest = max(self._slowest, seconds / job.cost)


class WorkerProcess:
    """One worker process and the job that it was given last."""

    job: Job

    def __init__(self, work: Work) -> None:
        """Start the process.

        Args:
            work: What all jobs have in common.

        Raises:
            SwatheError: If the system starts no more processes.
        """
        self.connection, theirs = Pipe()
        self._has_job = False
        self._began = self._deadline = 0.0
        threads = str(work.detector.threads)
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, threads)
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        # Standard output belongs to the caller (it may be machine-readable), so a library's chatter goes to the errors.
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "swathe.engine.process", str(theirs.fileno()), str(time.monotonic())],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=2,
                start_new_session=True,
            )
        except OSError as error:
            self.connection.close()
            raise SwatheError(
                f"no worker process can be started ({error.strerror}); what is finished is kept: run the same command "
                "again with fewer workers"
            ) from error
        finally:
            theirs.close()
        self._send(work)

    def submit(self, job: Job, seconds: float) -> None:
        """Give the process something to do, and so many seconds for it."""
        self.job, self._has_job = job, True
        self._began = time.monotonic()
        self._deadline = self._began + seconds
        self._send(job)

    @property
    def seconds(self) -> float:
        """Time since the job was given, seconds."""
        return time.monotonic() - self._began

    @property
    def remaining(self) -> float:
        """Time until the job is overdue, seconds; negative afterwards."""
        return self._deadline - time.monotonic()

    def receive(self) -> JobResult:
        """Return the result of the job.

        Returns:
            The result.

        Raises:
            WorkerLostError: If the process was killed or ran out of memory.
            SwatheError: What the worker raised; or that it ended by a fault of its own.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionError):
            raise self._ended() from None
        if isinstance(answer, SwatheError):
            raise answer
        return cast("JobResult", answer)

    def terminate(self) -> None:
        """End the process whatever it is doing."""
        self.connection.close()
        self._process.terminate()
        self._wait()

    def kill(self) -> None:
        """End a process that does not answer."""
        self.connection.close()
        self._process.kill()
        self._wait()

    def _send(self, value: Work | Job) -> None:
        """Send something; if nobody is there to take it, the next `receive` says why."""
        try:
            self.connection.send(value)
        except ConnectionError:
            return

    def _wait(self) -> None:
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._wait_for_killed()

    def _wait_for_killed(self) -> None:
        """Take leave of a process; one that hangs in a system call (a dead network drive) is left to the system."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return

    def _ended(self) -> Exception:
        """Say how the process ended, as an error of the kind that tells whether another may try."""
        self._wait()
        code = self._process.returncode
        if code is None or code < 0 or code == OUT_OF_MEMORY:
            return WorkerLostError(describe_end(code))
        doing = f"working on {self.job.describe()}" if self._has_job else "starting"
        return SwatheError(
            f"a worker process {describe_end(code)} while {doing}; its last words are above. What is finished is "
            "kept: run the same command again to resume"
        )


def describe_end(code: int | None) -> str:
    """Say in words how a process ended, from its return code (negative: minus the signal's number)."""
    if code is None:
        return "does not end"
    if code == OUT_OF_MEMORY:
        return "ran out of memory"
    if code >= 0:
        return f"ended with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was ended by {name}"
