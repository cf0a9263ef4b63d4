"""Ways to share the batches of a plan among workers; each covers every batch exactly once.

Contiguous shares read a scene strip by strip, which is two to three times cheaper than scattered windows;
rank shares spread an uneven scene more evenly.
"""

from __future__ import annotations

from itertools import pairwise

from swathe.errors import UsageError


def contiguous(count: int, parts: int) -> list[range]:
    """Cut batches into neighbouring runs whose lengths differ by at most one.

    Args:
        count: Number of batches.
        parts: Number of shares.

    Returns:
        One range of batch indexes per share, in order; some are empty when there are more shares than batches.

    Raises:
        UsageError: If there are no shares or a negative number of batches.
    """
    _check(count, parts)
    edges = [count * part // parts for part in range(parts + 1)]
    return [range(first, last) for first, last in pairwise(edges)]


def by_rank(count: int, parts: int) -> list[range]:
    """Deal batches out like cards: share k gets the batches whose index modulo `parts` is k.

    Args:
        count: Number of batches.
        parts: Number of shares.

    Returns:
        One range of batch indexes per share; some are empty when there are more shares than batches.

    Raises:
        UsageError: If there are no shares or a negative number of batches.
    """
    _check(count, parts)
    return [range(rank, count, parts) for rank in range(parts)]


def _check(count: int, parts: int) -> None:
    if parts < 1 or count < 0:
        raise UsageError(f"cannot share {count} batches among {parts} workers; at least one worker is needed")
