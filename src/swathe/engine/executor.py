"""The executor seam: who carries out the batches."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Protocol

from swathe.engine.task import BatchJob, BatchResult, Retry, Work


class Executor(Protocol):
    """Walks over jobs; the results of a run are the same whichever executor does it."""

    workers: int  # worker processes, 0 when the work is done in the calling process

    def run(self, jobs: Iterable[BatchJob], work: Work) -> Generator[BatchResult | Retry, None, None]:
        """Carry out jobs; closing the generator ends all work at once.

        Args:
            jobs: What to do. Taken one by one as workers become free, so that the caller can leave out jobs that are
                no longer wanted.
            work: What all jobs have in common.

        Returns:
            A generator of one result per job, in any order; the part file of a result is there before the result is.
            Between them stand retries, one for each time that a job is begun again.
        """
        ...
