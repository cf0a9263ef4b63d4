"""Ranges of keys hold what lies in a rectangle, and little else."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from swathe.store.hbase import curve

SHARE = st.floats(0, 1)
CORNERS = st.tuples(SHARE, SHARE, SHARE, SHARE)


def rectangle_of(shares: tuple[float, float, float, float]) -> np.ndarray:
    points = np.array(shares).reshape(2, 2) * (360, 180) - (180, 90)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def is_in(places: np.ndarray, ranges: list[tuple[int, int]]) -> np.ndarray:
    return np.array([any(first <= place <= last for first, last in ranges) for place in places.tolist()])


@given(st.lists(CORNERS, min_size=1, max_size=3), st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=9))
def test_all_of_a_rectangle_lies_in_its_ranges(given: list[tuple[float, ...]], shares: list[tuple[float, ...]]) -> None:
    rectangles = np.array([rectangle_of(one) for one in given])
    ranges = curve.ranges(rectangles, curve.LONLAT)
    for rectangle in rectangles:
        points = rectangle[:2] + np.array(shares) * (rectangle[2:] - rectangle[:2])
        points = np.clip(points, rectangle[:2], rectangle[2:])
        assert is_in(curve.places(points, curve.LONLAT), ranges).all()
    assert all(last < following for (_, last), (following, _) in itertools.pairwise(ranges))


def test_a_small_rectangle_reads_little_of_the_rest() -> None:
    points = np.random.default_rng(0).uniform((85, 27), (86, 28), (20_000, 2))
    rectangle = np.array([85.5, 27.6, 85.6, 27.7])
    ranges = curve.ranges(rectangle[None], curve.LONLAT)
    inside = ((points >= rectangle[:2]) & (points <= rectangle[2:])).all(axis=1)
    assert len(ranges) <= curve.MOST_RANGES
    assert is_in(curve.places(points, curve.LONLAT), ranges).sum() < 3 * inside.sum()


def test_no_rectangle_needs_no_range() -> None:
    assert curve.ranges(np.empty((0, 4)), curve.PIXELS) == []


def test_what_lies_outside_is_taken_to_the_edge() -> None:
    far = np.array([[-1e9, -1e9], [1e9, 1e9]])
    assert curve.places(far, curve.PIXELS).tolist() == [0, 4**curve.BITS - 1]
