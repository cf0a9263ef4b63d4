"""Faults put between `swathe.atomic` and the system: the n-th call that could need disk space fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest

# Calls by which atomic changes something on the disk, in the order of a life of a file.
CALLS = ("open", "write", "fsync", "replace")


class Disk:
    """Stands for the module `os` in `swathe.atomic`; counts calls and lets one, or all from one on, fail."""

    def __init__(self, fails_at: int | None, code: int) -> None:
        self._fails_at, self._code = fails_at, code
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)
        if name == "fdopen":
            return lambda *words: _Stream(value(*words), self)
        if name not in CALLS:
            return value

        def call(*words: Any, **options: Any) -> Any:
            if name != "open" or words[1] & os.O_CREAT:
                self.check(name)
            return value(*words, **options)

        return call

    def check(self, name: str) -> None:
        """Count a call, and fail if it is its turn."""
        self.calls.append(name)
        if self._fails_at is not None and len(self.calls) > self._fails_at:
            raise OSError(self._code, os.strerror(self._code))


class _Stream:
    """A file whose writes count as calls."""

    def __init__(self, stream: Any, disk: Disk) -> None:
        self._stream, self._disk = stream, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def write(self, data: Any) -> int:
        """Write, unless the disk is full by now."""
        self._disk.check("write")
        return int(self._stream.write(data))


@contextmanager
def disk(fails_at: int | None = None, code: int = errno.ENOSPC) -> Iterator[Disk]:
    """Let all calls of `swathe.atomic` from a certain one on fail, as on a disk that is full.

    Args:
        fails_at: Number of calls that succeed; None for all.
        code: What the system says.

    Yields:
        The account of the calls.
    """
    with pytest.MonkeyPatch.context() as patch:
        account = Disk(fails_at, code)
        patch.setattr("swathe.atomic.os", account)
        yield account
