from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.store.keys import hilbert, spatial_keys


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_the_curve_visits_each_cell_once_in_single_steps(bits):
    cells = np.stack(np.meshgrid(np.arange(2**bits), np.arange(2**bits)), axis=-1).reshape(-1, 2).astype(np.uint64)
    places = hilbert(cells[:, 0], cells[:, 1], bits)
    assert sorted(places.tolist()) == list(range(4**bits))
    steps = np.abs(np.diff(cells[np.argsort(places)].astype(int), axis=0)).sum(axis=1)
    assert (steps == 1).all()


def slow_hilbert(x: int, y: int, bits: int) -> int:
    """The recursive definition: four quadrants, each a smaller curve, turned so that the ends meet."""
    if bits == 0:
        return 0
    half = 2 ** (bits - 1)
    right, upper = x >= half, y >= half
    x, y = x % half, y % half
    if not upper:
        x, y = (half - 1 - y, half - 1 - x) if right else (y, x)
    quadrant = {(False, False): 0, (False, True): 1, (True, True): 2, (True, False): 3}[right, upper]
    return quadrant * half * half + slow_hilbert(x, y, bits - 1)


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1)), min_size=1, max_size=20))
def test_it_is_the_recursive_curve(cells):
    array = np.array(cells, dtype=np.uint64)
    assert hilbert(array[:, 0], array[:, 1]).tolist() == [slow_hilbert(x, y, 16) for x, y in cells]


def test_keys_of_rectangles():
    random = np.random.default_rng(0)
    corners = random.uniform(85.4, 85.6, (5000, 2))
    hulls = np.hstack([corners, corners + 1e-5])
    keys = spatial_keys(hulls)
    places = corners[np.argsort(keys)]
    assert (
        np.linalg.norm(np.diff(places, axis=0), axis=1).mean()
        < 0.05 * np.linalg.norm(corners - corners[::-1], axis=1).mean()
    )
    assert spatial_keys(hulls[:0]).shape == (0,)
    assert spatial_keys(np.repeat(hulls[:1], 3, axis=0)).tolist() == [0, 0, 0]
    assert len(set(spatial_keys(np.array([[0.0, 5, 0, 5], [9, 5, 9, 5], [3, 5, 3, 5]])).tolist())) == 3
