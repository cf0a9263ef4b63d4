"""Reading ahead keeps order and bounds, and lets errors through."""

from __future__ import annotations

import threading

import pytest

from swathe.engine.prefetch import read_ahead
from swathe.errors import SourceError


def test_values_come_in_order() -> None:
    assert list(read_ahead(lambda item: item * item, range(7), 2)) == [(item, item * item) for item in range(7)]


def test_reads_are_ahead_by_the_depth_and_no_further() -> None:
    started: list[int] = []
    enough = threading.Event()

    def read(item: int) -> int:
        started.append(item)
        if len(started) == 3:
            enough.set()
        return item

    ahead = read_ahead(read, range(100), 2)
    next(ahead)
    assert enough.wait(10.0)
    ahead.close()
    assert started == [0, 1, 2]


def test_an_error_comes_when_its_item_is_due() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise SourceError("no third one")
        return item

    ahead = read_ahead(read, range(5), 2)
    assert [next(ahead)[0], next(ahead)[0]] == [0, 1]
    with pytest.raises(SourceError, match="third"):
        next(ahead)


def test_all_reads_are_in_one_other_thread() -> None:
    threads = {value for _, value in read_ahead(lambda _: threading.get_ident(), range(20), 3)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
