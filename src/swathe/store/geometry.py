"""Footprints as files want them: outlines that go counter-clockwise."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]


def closed_rings(corners: FloatArray) -> FloatArray:
    """Close quadrilaterals and let them go counter-clockwise (x right, y up), as RFC 7946 and GeoParquet want it.

    Args:
        corners: Corners (n, 4, 2), in either direction.

    Returns:
        Rings (n, 5, 2) that begin and end with the first corner.
    """
    x, y = corners[..., 0], corners[..., 1]
    twice_area = ((x[:, 2] - x[:, 0]) * (y[:, 3] - y[:, 1])) - ((x[:, 3] - x[:, 1]) * (y[:, 2] - y[:, 0]))
    reversed_corners = corners[:, [0, 3, 2, 1]]
    turned = np.where((twice_area < 0)[:, None, None], reversed_corners, corners)
    return np.concatenate([turned, turned[:, :1]], axis=1)


def counter_clockwise(geometries: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Let the outlines of polygons go counter-clockwise (x right, y up); each keeps its first corner.

    Args:
        geometries: Shapely polygons or multipolygons (n,) without holes.

    Returns:
        The same geometries (n,).
    """
    import shapely

    parts, owners = shapely.get_parts(geometries, return_index=True)
    wrong = ~shapely.is_ccw(shapely.get_exterior_ring(parts))
    turned = geometries.copy()
    rows = np.unique(owners[wrong])
    for row in rows[shapely.get_type_id(geometries[rows]) == shapely.GeometryType.MULTIPOLYGON]:
        own = parts[owners == row]
        turned[row] = shapely.MultiPolygon(np.where(wrong[owners == row], shapely.reverse(own), own).tolist())
    plain = rows[shapely.get_type_id(geometries[rows]) == shapely.GeometryType.POLYGON]
    turned[plain] = shapely.reverse(geometries[plain])
    return turned
