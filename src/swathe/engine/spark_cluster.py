"""What Spark knows of its cluster: tasks at once, and the memory of each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from swathe.engine.limits import available_memory, parse_bytes
from swathe.engine.memory import MEBIBYTE

# Python worker and daemon of Spark beside the worker process that they start, for each task at once.
SUPERVISOR_BYTES = 100 * MEBIBYTE
# What Java takes beside its heap: classes, compiled code, threads and buffers of the network.
JAVA_BYTES = 256 * MEBIBYTE
# What containers have beside the heap if nothing is set: a share of the heap, and at least so much.
OVERHEAD_SHARE, LEAST_OVERHEAD = "0.1", "384m"
LEAST_OVERHEAD_SETTING = "spark.executor.minMemoryOverhead"
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
    limited = context.master.startswith(LIMITING)
    # Where containers are limited the settings tell it: not all executors may be there at this moment.
    tasks = _tasks(settings) if limited else -(-slots(context) // max(1, _executors(context)))
    if given is not None:
        share = _bytes(given)
    elif limited:
        heap = _bytes(settings.get("spark.executor.memory", "1g"))
        factor = float(settings.get("spark.executor.memoryOverheadFactor", OVERHEAD_SHARE))
        share = max(_bytes(settings.get(LEAST_OVERHEAD_SETTING, LEAST_OVERHEAD)), int(heap * factor))
    else:
        free = context.parallelize([0], 1).map(_free).first()
        if free is None:
            return None
        share = free
    share -= JAVA_BYTES if limited else 0
    return max(0, share // tasks - SUPERVISOR_BYTES)


def last_loss(context: Any) -> str:
    """Return why Spark has lost an executor last, "" if it has lost none."""
    listed = context._jsc.sc().statusStore().executorList(False)  # noqa: SLF001 - Python's part of Spark has none
    lost = [one for one in map(listed.apply, range(listed.size())) if one.removeReason().isDefined()]
    reasons = {one.removeTime().get().getTime(): str(one.removeReason().get()) for one in lost}
    return reasons[max(reasons)].strip().splitlines()[0] if reasons else ""


def near(context: Any, group: str) -> int:
    """Count the tasks of the stage that ended last which ran on a host that they preferred.

    Args:
        context: Spark's context.
        group: The group of jobs that it belongs to.

    Returns:
        Tasks.
    """
    spark, tracker = context._jsc.sc(), context.statusTracker()  # noqa: SLF001
    spark.listenerBus().waitUntilEmpty()  # what happened last is counted then
    stage = max(stage for job in tracker.getJobIdsForGroup(group) for stage in tracker.getJobInfo(job).stageIds)
    level = spark.statusStore().localitySummary(stage, 0).get("NODE_LOCAL")
    return int(level.get()) if level.isDefined() else 0


def room_for(worker_bytes: int, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the setting that gives the containers of executors room for their workers.

    Args:
        worker_bytes: What a worker takes.
        settings: Settings of Spark by name, as far as they are known before it starts.

    Returns:
        Name and value; of no effect outside of containers, and where `spark.executor.memoryOverhead` is set.
    """
    room = JAVA_BYTES + _tasks(settings) * (worker_bytes + SUPERVISOR_BYTES)
    return {LEAST_OVERHEAD_SETTING: f"{-(-room // MEBIBYTE)}m"}


def _tasks(settings: Any) -> int:
    """Return how many tasks an executor in a container does at once."""
    return max(1, int(settings.get("spark.executor.cores", "1")) // int(settings.get("spark.task.cpus", "1")))


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
