from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from swathe import boxes as box_math
from swathe.store.geometry import closed_rings


def corners_of(seed: int, count: int, *, mirrored: bool) -> np.ndarray:
    random = np.random.default_rng(seed)
    boxes = np.column_stack(
        [random.uniform(-1e5, 1e5, (count, 2)), random.uniform(1, 50, (count, 2)), random.random(count)]
    )
    return box_math.to_polygons(boxes) * (1, -1 if mirrored else 1)


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.booleans())
def test_rings_agree_with_shapely(seed, count, mirrored):
    corners = corners_of(seed, count, mirrored=mirrored)
    rings = closed_rings(corners)
    assert rings.shape == (count, 5, 2)
    assert shapely.is_ccw(shapely.linearrings(rings)).all()
    assert shapely.equals(shapely.polygons(rings), shapely.polygons(corners)).all()
    np.testing.assert_array_equal(rings[:, 0], corners[:, 0])
