"""Answers that were given lately, up to an amount of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

MOST_BYTES = 96 << 20


class Cache:
    """Keeps the answers that were asked for last."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, tag: str, make: Callable[[], bytes]) -> bytes:
        """Return an answer, made if it is not kept.

        Args:
            tag: What it depends on.
            make: Makes it.

        Returns:
            The bytes.
        """
        with self._lock:
            if tag in self._kept:
                self._kept.move_to_end(tag)
                return self._kept[tag]
        made = make()
        with self._lock:
            self._size += len(made) - len(self._kept.pop(tag, b""))
            self._kept[tag] = made
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made
