from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from swathe import boxes as box_math
from swathe.store.geometry import closed_rings, ring_hulls, to_wkb


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.booleans())
def test_rings_agree_with_shapely(seed, count, mirrored):
    random = np.random.default_rng(seed)
    boxes = np.column_stack(
        [random.uniform(-1e5, 1e5, (count, 2)), random.uniform(1, 50, (count, 2)), random.random(count)]
    )
    corners = box_math.to_polygons(boxes) * (1, -1 if mirrored else 1)
    rings = closed_rings(corners)
    assert rings.shape == (count, 5, 2)
    assert shapely.is_ccw(shapely.linearrings(rings)).all()
    assert shapely.equals(shapely.polygons(rings), shapely.polygons(corners)).all()
    np.testing.assert_array_equal(rings[:, 0], corners[:, 0])
    np.testing.assert_array_equal(
        ring_hulls(rings).reshape(-1, 4), shapely.bounds(shapely.polygons(corners)).reshape(-1, 4)
    )
    binary = to_wkb(rings)
    assert binary.to_pylist() == shapely.to_wkb(shapely.polygons(rings), byte_order=1).tolist()
