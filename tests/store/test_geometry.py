from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from swathe import boxes as box_math
from swathe.store.geometry import closed_rings, counter_clockwise


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


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.lists(st.booleans(), min_size=20, max_size=20))
def test_outlines_are_turned_and_stay_the_same_geometries(seed, count, turned):
    polygons = shapely.polygons(corners_of(seed, count, mirrored=False))
    mixed = np.where(turned[:count], shapely.reverse(polygons), polygons)
    found = counter_clockwise(mixed)
    assert shapely.is_ccw(shapely.get_exterior_ring(found)).all()
    assert shapely.equals(found, mixed).all()
    np.testing.assert_array_equal(
        shapely.get_point(shapely.get_exterior_ring(found), 0), shapely.get_point(shapely.get_exterior_ring(mixed), 0)
    )


def test_parts_of_a_multipolygon_are_turned_one_by_one():
    one, other = shapely.box(179, 0, 180, 1, ccw=False), shapely.box(-180, 0, -179, 1, ccw=True)
    both = np.array([shapely.MultiPolygon([one, other]), shapely.box(0, 0, 1, 1, ccw=False)], dtype=object)
    found = counter_clockwise(both)
    assert shapely.is_ccw(shapely.get_exterior_ring(shapely.get_parts(found))).all()
    assert shapely.equals(found, both).all()
    assert found[0].geom_type == "MultiPolygon"
