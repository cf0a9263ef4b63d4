"""Footprints: what a box covers on the ground as a valid polygon in longitude and latitude, wherever it lies.

Longitude and latitude are a plane with edges: a box across the antimeridian falls into two parts, and one over a pole
becomes a band along the upper or lower edge. The library `antimeridian` does the same for large polygons, and the tests
compare with it; it rounds to a centimetre and fails at boxes that touch the meridian, so the cut is made here, by GEOS.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.boxes import to_polygons

FloatArray: TypeAlias = npt.NDArray[np.float64]
Geometries: TypeAlias = npt.NDArray[Any]

TURN = 360.0  # degrees
WIDEST_STRAIGHT = 1.0  # degrees of longitude up to which a side is straight in degrees, to 0.2 % of its length
EDGE = 1e-7  # degrees, a centimetre: what is as near to the edge of the plane may have no area there
POINTS_PER_SIDE = 16  # of boxes that are wider than that


def simple_polygons(corners: FloatArray) -> Geometries:
    """Make polygons whose corners go counter-clockwise (x right, y up).

    Args:
        corners: Rings (n, k, 2), not closed, in either direction.

    Returns:
        Shapely polygons (n,).
    """
    import shapely

    following = np.roll(corners, -1, axis=1)
    twice_area = (corners[..., 0] * following[..., 1] - corners[..., 1] * following[..., 0]).sum(axis=1)
    turned = np.concatenate([corners[:, :1], corners[:, :0:-1]], axis=1)
    polygons: Geometries = shapely.polygons(np.where((twice_area < 0)[:, None, None], turned, corners))
    return polygons


def wide_rows(corners: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which boxes need more than their four corners.

    They are large, near a pole, at or across the antimeridian, or bent at the edge of a map of the earth.

    Args:
        corners: Longitude, latitude (n, 4, 2) in degrees.

    Returns:
        Mask (n,).
    """
    sides = np.roll(corners, -1, axis=1) - corners
    following = np.roll(sides, -1, axis=1)
    turns = np.sign(sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0])
    at_edge = (np.abs(corners) >= np.array([TURN, TURN / 2]) / 2 - EDGE).any(axis=(1, 2))
    return np.asarray((np.ptp(corners[..., 0], axis=1) > WIDEST_STRAIGHT) | at_edge | (np.abs(turns.sum(axis=1)) < 4))


def points_along_sides(boxes: FloatArray) -> FloatArray:
    """Place points along the sides of boxes, evenly in pixels.

    Args:
        boxes: Boxes (n, 5) in scene pixels.

    Returns:
        Rings (n, 4 `POINTS_PER_SIDE`, 2) in scene pixels, not closed.
    """
    corners = np.asarray(to_polygons(boxes))
    shares = np.arange(POINTS_PER_SIDE)[:, None] / POINTS_PER_SIDE
    sides = (np.roll(corners, -1, axis=1) - corners)[:, :, None]
    return (corners[:, :, None] + shares * sides).reshape(len(boxes), -1, 2)


def cut_at_antimeridian(rings: FloatArray) -> Geometries:
    """Make valid polygons of rings that may cross the antimeridian or go around a pole.

    Args:
        rings: Longitude, latitude (n, k, 2) in degrees, not closed, in either direction; neighbouring points are less
            than half a turn apart.

    Returns:
        Shapely polygons (n,), or multipolygons of those that are cut, within [-180, 180]; counter-clockwise.
    """
    import shapely

    half = TURN / 2
    steps = (np.roll(rings[..., 0], -1, axis=1) - rings[..., 0] + half) % TURN - half
    winding = steps.sum(axis=1)  # 0, or a whole turn around a pole
    unwound = rings.copy()
    unwound[:, 1:, 0] = rings[:, :1, 0] + np.cumsum(steps[:, :-1], axis=1)
    polygons = simple_polygons(unwound)
    polar = np.flatnonzero(np.abs(winding) > half)
    polygons[polar] = simple_polygons(np.concatenate([unwound[polar], _way_over_pole(unwound, winding)[polar]], axis=1))
    # Boxes that reach beyond the edge of a map of the earth are bent there, and may cross themselves.
    broken = ~shapely.is_valid(polygons)
    polygons[broken] = shapely.convex_hull(polygons[broken])
    parts = [
        shapely.transform(
            shapely.intersection(polygons, shapely.box(-half + shift, -90.0, half + shift, 90.0)),
            lambda points, shift=shift: points - (shift, 0.0),
        )
        for shift in (-TURN, 0.0, TURN)
    ]
    joined = shapely.union_all(np.stack([_areas(part) for part in parts]), axis=0)
    cut: Geometries = np.where(shapely.is_empty(joined), _hulls(polygons), _counter_clockwise(joined))
    return cut


def _hulls(geometries: Geometries) -> Geometries:
    """Return upright boxes around geometries that have no area, wide enough to have one."""
    import shapely

    west, south, east, north = np.nan_to_num(shapely.bounds(geometries).T)
    west, south = np.clip(west, -TURN / 2, TURN / 2 - EDGE), np.clip(south, -TURN / 4, TURN / 4 - EDGE)
    hulls: Geometries = shapely.box(west, south, np.maximum(east, west + EDGE), np.maximum(north, south + EDGE))
    return hulls


def _way_over_pole(unwound: FloatArray, winding: FloatArray) -> FloatArray:
    """Return the points (n, 3, 2) that close rings around a pole: back to the start, one turn on, and to the pole."""
    start = unwound[:, 0]
    end = np.column_stack([start[:, 0] + winding, start[:, 1]])
    pole = np.copysign(90.0, unwound[..., 1].mean(axis=1))
    return np.stack([end, np.column_stack([end[:, 0], pole]), np.column_stack([start[:, 0], pole])], axis=1)


def _areas(geometries: Geometries) -> Geometries:
    """Forget the points and lines among the parts of geometries: they arise where a polygon touches the cut."""
    import shapely

    parts, rows = shapely.get_parts(geometries, return_index=True)
    kept = shapely.get_dimensions(parts) == 2
    return _collected(parts[kept], rows[kept], len(geometries))


def _counter_clockwise(geometries: Geometries) -> Geometries:
    """Turn all outer rings counter-clockwise, and make a polygon of a multipolygon that has one part."""
    import shapely

    parts, rows = shapely.get_parts(geometries, return_index=True)
    rings = shapely.get_exterior_ring(parts)
    parts = shapely.polygons(np.where(shapely.is_ccw(rings), rings, shapely.reverse(rings)))
    turned = _collected(parts, rows, len(geometries))
    single = np.bincount(rows, minlength=len(geometries)) == 1
    turned[single] = shapely.get_geometry(turned[single], 0)
    return turned


def _collected(parts: Geometries, rows: npt.NDArray[np.int64], count: int) -> Geometries:
    """Return multipolygons (count,) of the parts (k,) that belong to each row; empty where there is none."""
    import shapely

    collected = np.full(count, shapely.MultiPolygon(), dtype=object)
    if len(parts):
        shapely.multipolygons(parts, indices=rows, out=collected)
    return collected
