"""Worker processes on this machine: each is a fresh interpreter with a pipe of its own, replaced when it is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Self, cast

from swathe.engine.child import Deadlines, WorkerLostError, WorkerProcess
from swathe.engine.job import Job, JobResult, Retry, Work
from swathe.errors import SwatheError

# How many workers may be lost over one job before its scene is set aside.
ATTEMPTS = 3
# How many may be lost in a row, without one job done meanwhile, before the run ends: then it is not the scenes.
HOPELESS = 4 * ATTEMPTS


class ProcessExecutor:
    """Starts a number of worker processes.

    Workers are fresh interpreters in a session of their own: Ctrl-C at a terminal reaches only this process, which ends
    them; a caller's main module is not run again in them; they end by themselves when this process is killed.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def open(self, work: Work) -> ProcessPool:
        """Prepare for a run.

        Args:
            work: What all jobs have in common.

        Returns:
            The workers, each of which is started when there is a job for it.
        """
        return ProcessPool(self._workers, work)


class ProcessPool:
    """The worker processes of a run. One that is killed or takes far too long is replaced, and its job begun again."""

    memory_per_slot = None

    def __init__(self, workers: int, work: Work) -> None:
        self.slots, self._work = workers, work
        self._deadlines = Deadlines(work.settings.batch_timeout)
        self._lost: Counter[Job] = Counter()  # workers lost over a job
        self._lost_in_a_row = 0
        self._idle: list[WorkerProcess] = []
        self._busy: dict[Connection, WorkerProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers, whatever they are doing: what they write appears as a whole or not at all."""
        for worker in (*self._idle, *self._busy.values()):
            worker.terminate()

    def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
        """Carry out jobs, each by the next worker that is free.

        Args:
            jobs: What to do; taken one by one.

        Yields:
            One result per job, as they come; a retry whenever a worker was lost. A job over which too many were lost
            has a result that says so.

        Raises:
            SwatheError: If workers are lost one after the other; errors raised in a worker come through as they are.
        """
        source = iter(jobs)
        self._lost_in_a_row = 0
        self._hand_out(source)
        while self._busy:
            patience = max(0.0, min(worker.remaining for worker in self._busy.values()))
            ready = wait(list(self._busy), None if patience == float("inf") else patience)
            for connection in ready:
                answer = self._answer(self._busy[cast("Connection", connection)])
                self._hand_out(source)  # before the caller, who may take its time
                yield answer
            # The caller may have been busy for long: what lies in a pipe by now was in time.
            for worker in [worker for worker in self._busy.values() if worker.connection not in ready]:
                if worker.remaining <= 0 and not worker.connection.poll():
                    worker.kill()
                    yield self._replace(worker, f"gave no answer for {worker.seconds:.0f} seconds")

    def _hand_out(self, source: Iterator[Job]) -> None:
        """Give jobs to all who are free."""
        while len(self._busy) < self.slots and (job := next(source, None)) is not None:
            self._submit(job)

    def _submit(self, job: Job) -> None:
        worker = self._idle.pop() if self._idle else WorkerProcess(self._work)
        self._busy[worker.connection] = worker
        worker.submit(job, self._deadlines.seconds(job))

    def _answer(self, worker: WorkerProcess) -> JobResult | Retry:
        """Take the result of a worker, which is free then."""
        try:
            result = worker.receive()
        except WorkerLostError as error:
            return self._replace(worker, str(error))
        del self._busy[worker.connection]
        self._idle.append(worker)
        self._deadlines.learn(worker.job, worker.seconds)
        self._lost_in_a_row = 0
        return result

    def _replace(self, worker: WorkerProcess, reason: str) -> JobResult | Retry:
        """Let another worker try the job of one that was lost, unless that has been in vain too often."""
        job = worker.job
        del self._busy[worker.connection]
        worker.connection.close()
        self._lost[job] += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= HOPELESS:
            raise SwatheError(
                f"{HOPELESS} worker processes were lost one after the other, the last one on {job.describe()}: it "
                f"{reason}. What is finished is kept: run the same command again to resume, with fewer workers or a "
                "smaller tile if memory ran out"
            )
        if self._lost[job] < ATTEMPTS:
            self._submit(job)
            return Retry(job.scene.id, f"a worker {reason} on {job.describe()}; another one tries again")
        return JobResult(job.scene.id, error=_why_lost(job, reason))


def _why_lost(job: Job, reason: str) -> str:
    """Say why a scene is set aside, and what to do."""
    hung = reason.startswith("gave no answer")
    advice = (
        "if source and model are merely slow, allow more time for a batch"
        if hung
        else "probably out of memory: take fewer workers or a smaller tile"
    )
    return f"workers died {ATTEMPTS} times on {job.describe()}; the last one {reason}; {advice}"
