"""Entry point of a worker process: `python -m swathe.engine.process FD`, started by the local executor."""

from __future__ import annotations

import ctypes
import signal
import sys
import time
from multiprocessing.connection import Connection

from swathe.engine.job import Work
from swathe.engine.worker import Worker
from swathe.errors import SwatheError
from swathe.raster.environment import restore
from swathe.stages import count

# Code of a worker that could not get the memory it asked for: another one may be luckier.
OUT_OF_MEMORY = 71
SET_SIGNAL_OF_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def main(handle: int, began: float) -> int:
    """Take the work and then jobs from a pipe until it is closed.

    Args:
        handle: File descriptor of this end of the pipe.
        began: When the parent started this process, seconds of the system's monotonic clock.

    Returns:
        The code to end with.
    """
    if sys.platform == "linux":  # a process that hangs would not see that its parent is gone
        ctypes.CDLL(None).prctl(SET_SIGNAL_OF_PARENTS_DEATH, signal.SIGKILL)
    with Connection(handle) as connection:
        try:
            work: Work = connection.recv()
        except (EOFError, ConnectionError):
            return 0
        try:
            count("start", time.monotonic() - began)
            with restore(work.environment):
                serve(connection, work)
        except MemoryError:
            return OUT_OF_MEMORY
    return 0


def serve(connection: Connection, work: Work) -> None:
    """Answer each job with its result, or with the error that ended the worker.

    Args:
        connection: This end of the pipe.
        work: What all jobs have in common.
    """
    worker: Worker | None = None
    try:
        worker = Worker(work)
        while True:
            connection.send(worker.run(connection.recv()))
    except (EOFError, ConnectionError):
        # The parent has closed the pipe, or is gone: there is nobody left to work for.
        return
    except SwatheError as error:
        connection.send(error)
    finally:
        if worker is not None:
            worker.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))
