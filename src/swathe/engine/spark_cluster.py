"""What Spark knows of its cluster: tasks at once, memory of each, and hosts that are near to the data of a job."""

from __future__ import annotations

from typing import Any

from swathe.engine.job import BatchJob, Job
from swathe.engine.limits import available_memory, parse_bytes
from swathe.engine.memory import MEBIBYTE
from swathe.raster.origins import origin_of

# Python worker and daemon of Spark beside the worker process that they start, for each task at once.
SUPERVISOR_BYTES = 100 * MEBIBYTE
# What containers have beside the heap if nothing is set: a share of the heap, and at least so much.
OVERHEAD_SHARE, LEAST_OVERHEAD = 0.1, 384 * MEBIBYTE
LIMITING = ("yarn", "k8s")  # masters that end an executor which takes more than it was promised


def slots(context: Any) -> int:
    """Return how many tasks run at once."""
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
    if context.master.startswith("local") and not context.master.startswith("local-cluster"):
        return None
    executors = max(1, len(context._jsc.sc().statusTracker().getExecutorInfos()) - 1)  # noqa: SLF001 - one is the driver
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
    return max(0, share // -(-slots(context) // executors) - SUPERVISOR_BYTES)


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


def _bytes(text: str) -> int:
    """Read an amount of memory as Spark writes it: powers of 1024, MiB without a unit."""
    amount = text.strip().lower().removesuffix("b").removesuffix("i")
    return parse_bytes(f"{amount}iB" if amount[-1:] in set("kmgt") else f"{amount}MiB")


def _free(_: Any) -> int | None:
    """Return what the machine of an executor has free."""
    return available_memory()
