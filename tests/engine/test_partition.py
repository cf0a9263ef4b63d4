"""Shares cover every batch exactly once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.engine.partition import by_rank, contiguous
from swathe.errors import UsageError


@pytest.mark.parametrize("share", [contiguous, by_rank], ids=lambda function: function.__name__)
@given(count=st.integers(0, 500), parts=st.integers(1, 40))
def test_every_batch_is_in_one_share(share, count: int, parts: int) -> None:
    shares = share(count, parts)
    assert len(shares) == parts
    assert sorted(index for indexes in shares for index in indexes) == list(range(count))
    lengths = [len(indexes) for indexes in shares]
    assert max(lengths) - min(lengths) <= 1


def test_contiguous_shares_are_runs_and_rank_shares_are_dealt() -> None:
    assert contiguous(7, 3) == [range(2), range(2, 4), range(4, 7)]
    assert [list(indexes) for indexes in by_rank(7, 3)] == [[0, 3, 6], [1, 4], [2, 5]]


def test_no_workers_is_refused() -> None:
    with pytest.raises(UsageError, match="0 workers"):
        contiguous(3, 0)
