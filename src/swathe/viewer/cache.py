"""What was made lately, up to an amount of memory; what several ask for at once is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Keeps what was asked for last."""

    def __init__(self, weigh: Callable[[T], int], most_bytes: int) -> None:
        """Take what tells the bytes of a value, and how many are kept."""
        self._weigh = weigh
        self._most = most_bytes
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._turns: dict[Hashable, threading.Lock] = {}  # of what is being made

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return a value, made if it is not kept; who asks for it while it is made waits.

        Args:
            key: What it depends on.
            make: Makes it.

        Returns:
            The value.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            try:
                with self._lock:
                    if key in self._kept:
                        return self._kept[key]
                return self._keep(key, make())
            finally:
                with self._lock:
                    self._turns.pop(key, None)

    def _keep(self, key: Hashable, made: T) -> T:
        with self._lock:
            if key in self._kept:
                self._size -= self._weigh(self._kept.pop(key))
            self._kept[key] = made
            self._size += self._weigh(made)
            while self._size > self._most:
                self._size -= self._weigh(self._kept.popitem(last=False)[1])
        return made
