"""Which jobs a cluster's task does: functions from jobs to the number of the partition that each goes into.

| name | rule | good at |
|---|---|---|
| rank | running number modulo the number of partitions | equal counts, the rule of the paper |
| hash | hash of the job's name | nothing here; what clusters do by themselves |
| strips | neighbours stay together, cut where the cost is equal | cheap reads, data that is near |
| cost | strips, unless giving the longest job to the emptiest partition is better balanced | jobs of unequal cost |
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from swathe.engine.job import Job

Partitioner = Callable[[Sequence[Job], int], list[int]]

# Strips are kept if the fullest is no more than this much fuller than that of the better balanced partitions.
KEEPS_STRIPS = 1.05


def rank(jobs: Sequence[Job], count: int) -> list[int]:
    """Deal jobs out one by one.

    Args:
        jobs: In the order of the plan.
        count: Number of partitions.

    Returns:
        The number of a partition for each job.
    """
    return [number % count for number in range(len(jobs))]


def by_hash(jobs: Sequence[Job], count: int) -> list[int]:
    """Let a hash of each job's name decide; arguments and result as those of `rank`."""
    return [zlib.crc32(job.describe().encode()) % count for job in jobs]


def strips(jobs: Sequence[Job], count: int) -> list[int]:
    """Cut the jobs, in their order, into runs of about equal cost; arguments and result as those of `rank`."""
    ends = list(accumulate(job.cost for job in jobs))
    return [min(count - 1, int((end - job.cost / 2) / ends[-1] * count)) for job, end in zip(jobs, ends, strict=True)]


def longest_first(jobs: Sequence[Job], count: int) -> list[int]:
    """Give each job, the costliest first, to the emptiest partition; arguments and result as those of `rank`."""
    partitions = [0] * len(jobs)
    loads = [(0.0, partition) for partition in range(count)]
    for number in sorted(range(len(jobs)), key=lambda number: -jobs[number].cost):
        load, partition = heapq.heappop(loads)
        partitions[number] = partition
        heapq.heappush(loads, (load + jobs[number].cost, partition))
    return partitions


def by_cost(jobs: Sequence[Job], count: int) -> list[int]:
    """Balance the cost, and keep neighbours together where that costs nothing; arguments and result as of `rank`."""
    straight, balanced = strips(jobs, count), longest_first(jobs, count)
    kept = imbalance(jobs, straight, count) <= KEEPS_STRIPS * imbalance(jobs, balanced, count)
    return straight if kept else balanced


def imbalance(jobs: Sequence[Job], partitions: Sequence[int], count: int) -> float:
    """Return the cost of the fullest partition over the mean of all.

    Args:
        jobs: The jobs, at least one.
        partitions: The partition of each.
        count: Number of partitions.

    Returns:
        1 if all are equally full, `count` if one has everything.
    """
    loads = [0.0] * count
    for job, partition in zip(jobs, partitions, strict=True):
        loads[partition] += job.cost
    return max(loads) * count / sum(loads)


PARTITIONERS: Mapping[str, Partitioner] = {"rank": rank, "hash": by_hash, "strips": strips, "cost": by_cost}
