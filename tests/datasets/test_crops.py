"""Training crops against a plain loop over windows and objects with shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.datasets.crops import crop, crops, shares_inside
from swathe.datasets.sample import Sample
from swathe.raster.grid import Grid
from swathe.raster.window import Window


def sample_of(polygons: np.ndarray, difficult: bool = False) -> Sample:
    marks = np.full(len(polygons), difficult, dtype=np.bool_)
    return Sample("P1", None, np.asarray(polygons, dtype=np.float64), ("ship",) * len(polygons), marks)


def upright(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


@pytest.mark.parametrize(
    ("left", "kept", "ignored"),
    [(90, 1, 0), (93, 1, 0), (93.01, 1, 1), (99.9, 1, 1), (100, 0, 0), (-3, 1, 0), (-3.1, 1, 1), (-10, 0, 0)],
)
def test_seven_tenths_of_the_area_decide(left: float, kept: int, ignored: int) -> None:
    found = crop(sample_of(np.array([upright(left, 10, left + 10, 20)])), Window(0, 0, 100, 100)).sample
    assert len(found) == kept
    assert int(found.difficult.sum()) == ignored


def test_labels_are_relative_and_not_clipped() -> None:
    sample = sample_of(np.array([upright(0, 0, 5, 5), upright(95, 210, 115, 220)]))
    cut = crop(sample, Window(100, 200, 50, 50))
    assert cut.indices.tolist() == [1]
    assert cut.sample.polygons.tolist() == [[[-5, 10], [15, 10], [15, 20], [-5, 20]]]
    assert cut.sample.name == "P1__100__200"
    assert crop(sample_of(sample.polygons, difficult=True), Window(0, 0, 50, 50)).sample.difficult.tolist() == [True]


def test_windows_are_those_of_the_grid_empty_ones_too() -> None:
    cut = crops(sample_of(np.empty((0, 4, 2))), 250, 130, tile=100, stride=80)
    assert [item.window for item in cut] == list(Grid(250, 130, 100, 80))
    assert all(len(item.sample) == 0 for item in cut)


def test_objects_without_area_and_crossed_ones() -> None:
    window = Window(0, 0, 10, 10)
    line, outside = upright(8, 5, 14, 5), upright(20, 5, 21, 5)
    near_line = upright(4, 5, 14, 5)
    bow_tie = [(5.0, 2.0), (15.0, 8.0), (15.0, 2.0), (5.0, 8.0)]
    shares = shares_inside(np.array([line, outside, near_line, bow_tie]), window)
    assert shares.tolist() == pytest.approx([0, 0, 1, 0.5])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(40, 120), st.integers(10, 40))
def test_equals_a_plain_loop(seed: int, tile: int, stride: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = (int(side) for side in rng.integers(1, 200, 2))
    polygons = rng.uniform(-20, 220, (12, 1, 2)) + rng.uniform(-15, 15, (12, 4, 2))
    sample = sample_of(shapely_quads(polygons))
    seen = crops(sample, width, height, tile=tile, stride=stride)
    for item in seen:
        window = item.window
        frame = shapely.box(
            window.col_off, window.row_off, window.col_off + window.width, window.row_off + window.height
        )
        expected = []
        for index, polygon in enumerate(sample.polygons):
            shape = shapely.Polygon(polygon)
            share = shape.intersection(frame).area / shape.area
            if share > 0:
                expected.append((index, share < 0.7))
        assert list(zip(item.indices.tolist(), item.sample.difficult.tolist(), strict=True)) == expected


def shapely_quads(polygons: np.ndarray) -> np.ndarray:
    """Order the corners of each polygon around its centre, so that none crosses itself."""
    offsets = polygons - polygons.mean(axis=1, keepdims=True)
    order = np.argsort(np.arctan2(offsets[..., 1], offsets[..., 0]), axis=1)
    return np.take_along_axis(polygons, order[..., None], axis=1)
