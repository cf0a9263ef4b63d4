"""What Spark knows of its cluster: tasks at once, memory of each, and hosts that are near to the data of a job."""

from __future__ import annotations

import time
from typing import Any

from swathe.engine.job import BatchJob, Job
from swathe.engine.limits import available_memory, parse_bytes
from swathe.engine.memory import MEBIBYTE
from swathe.raster.origins import origin_of

# Python worker and daemon of Spark beside the worker process that they start, for each task at once.
SUPERVISOR_BYTES = 100 * MEBIBYTE
# What containers have beside the heap if nothing is set: a share of the heap, and at least so much.
OVERHEAD_SHARE, LEAST_OVERHEAD = 0.1, 384 * MEBIBYTE
EXECUTOR_SECONDS = 60.0  # that executors may take to come; later ones only find the work cut for fewer
LIMITING = ("yarn", "k8s")  # masters that end an executor which takes more than it was promised


def slots(context: Any) -> int:
    """Return how many tasks run at once, once the executors that were asked for are there."""
    _wait_for_executors(context)
    return max(1, int(context.defaultParallelism) // int(context.getConf().get("spark.task.cpus", "1")))


def memory_per_slot(context: Any) -> int | None:
    """Return what the worker of each task may take.

    Where containers are limited it is their part beside the heap, `spark.executor.memoryOverhead`; elsewhere this
    setting if there is one, else what the machine of an executor has free.

    Args:
        context: Spark's context.

    Returns:
        Bytes; None if all share the memory of this machine.
    """
    settings = context.getConf()
    if _is_local(context):
        return None
    given = settings.get("spark.executor.memoryOverhead")
    if given is not None:
        share = _bytes(given)
    elif context.master.startswith(LIMITING):
        heap = _bytes(settings.get("spark.executor.memory", "1g"))
        factor = float(settings.get("spark.executor.memoryOverheadFactor", OVERHEAD_SHARE))
        share = max(LEAST_OVERHEAD, int(heap * factor))
    else:
        free = context.parallelize([0], 1).map(_free).first()
        if free is None:
            return None
        share = free
    return max(0, share // -(-slots(context) // max(1, _executors(context))) - SUPERVISOR_BYTES)


def job_hosts(job: Job) -> tuple[str, ...]:
    """Return the hosts that have the pixels of a job, best first; none if that makes no difference.

    Args:
        job: A job. The parts that a merge reads may be anywhere.

    Returns:
        Names or addresses as Spark calls its hosts.
    """
    source = job.scene.source
    if not isinstance(job, BatchJob):
        return origin_of(source.uri).hosts(source.uri, 0.0, 1.0) if job.scene.batch_count == 1 else ()
    level, batch = job.batch.level, job.batch
    first, last = (level.grid[level.windows[batch.first + place]] for place in (0, batch.count - 1))
    rows = level.level.height
    return origin_of(source.uri).hosts(source.uri, first.row_off / rows, (last.row_off + last.height) / rows)


def _is_local(context: Any) -> bool:
    """Tell whether the tasks run in the driver itself."""
    return bool(context.master.startswith("local") and not context.master.startswith("local-cluster"))


def _executors(context: Any) -> int:
    return len(context._jsc.sc().statusTracker().getExecutorInfos()) - 1  # noqa: SLF001 - one is the driver


def _wait_for_executors(context: Any) -> None:
    """Wait until Spark would begin; a cluster that gives no executors is waited for by Spark, which says so."""
    comes_later = context.getConf().get("spark.dynamicAllocation.enabled", "false") == "true"
    backend = context._jsc.sc().schedulerBackend()  # noqa: SLF001
    end = time.monotonic() + EXECUTOR_SECONDS
    while not _is_local(context) and not (backend.isReady() and (comes_later or _executors(context))):
        if time.monotonic() > end:
            return
        time.sleep(0.1)


def _bytes(text: str) -> int:
    """Read an amount of memory as Spark writes it: powers of 1024, MiB without a unit."""
    amount = text.strip().lower().removesuffix("b").removesuffix("i")
    return parse_bytes(f"{amount}iB" if amount[-1:] in set("kmgt") else f"{amount}MiB")


def _free(_: Any) -> int | None:
    """Return what the machine of an executor has free."""
    return available_memory()
