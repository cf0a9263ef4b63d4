"""Read ahead: the detector never waits for a disk that could have been busy meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from swathe.stages import stage

Item = TypeVar("Item")
Value = TypeVar("Value")


def read_ahead(read: Callable[[Item], Value], items: Iterable[Item], depth: int) -> Iterator[tuple[Item, Value]]:
    """Yield each item with what `read` returns for it, while a thread reads the next ones.

    All reads happen in order and in one thread, so `read` may use an object that is not safe to share.
    Closing the iterator early drops the reads that have not begun. An error in `read` is raised when its item is due.

    Args:
        read: What to do ahead of time.
        items: What to read, in order.
        depth: How many items may wait or be in work at once; this bounds the memory.

    Yields:
        The item and its value, in the order of the items.
    """
    waiting: deque[tuple[Item, Future[Value]]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="swathe-read") as thread:
        try:
            for item in items:
                waiting.append((item, thread.submit(read, item)))
                if len(waiting) > depth:
                    yield _oldest(waiting)
            while waiting:
                yield _oldest(waiting)
        finally:
            thread.shutdown(wait=True, cancel_futures=True)


def _oldest(waiting: deque[tuple[Item, Future[Value]]]) -> tuple[Item, Value]:
    item, future = waiting.popleft()
    with stage("wait"):
        return item, future.result()
