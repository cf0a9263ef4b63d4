"""Levels have the size they should, and the coarsest overview that is fine enough is chosen."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.errors import UsageError
from swathe.raster.pyramid import Level, choose_overview, levels


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [(100, 0.5, 50), (101, 0.5, 51), (30, 0.1, 3), (3, 0.1, 1), (7, 1.5, 11), (1, 1e-6, 1)],
)
def test_level_sizes(size: int, scale: float, expected: int) -> None:
    assert Level.of(size, size, scale) == Level(scale, expected, expected)


@given(st.integers(1, 10**6), st.floats(0.01, 4.0))
def test_the_last_level_pixel_touches_the_scene(size: int, scale: float) -> None:
    width = Level.of(size, size, scale).width
    assert width >= size * scale - 1e-6
    assert (width - 1) / scale < size


def test_levels_keep_the_order_of_the_scales() -> None:
    assert [level.scale for level in levels(10, 10, (1.5, 0.5, 1.0))] == [1.5, 0.5, 1.0]


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_impossible_scales_are_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale"):
        Level.of(10, 10, scale)


@given(st.lists(st.integers(1, 64), max_size=6), st.floats(0.01, 3.0))
def test_overview_choice_equals_the_slow_rule(factors: list[int], scale: float) -> None:
    chosen = choose_overview(factors, scale)
    usable = [factor for factor in factors if factor > 1 and factor <= 1 / scale]
    assert (None if chosen is None else factors[chosen]) == max(usable, default=None)
