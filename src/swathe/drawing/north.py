"""Metres and true north at a place of a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from swathe.detections import SceneInfo
    from swathe.raster.scene import Scene

BASELINE = 64.0  # pixels over which a direction is measured: far beyond the noise of a projection, still local


def metres_per_pixel(scene: Scene | SceneInfo, place: tuple[float, float]) -> npt.NDArray[np.float64] | None:
    """Measure how steps in pixels lead over the ground, on the WGS 84 ellipsoid.

    Args:
        scene: The scene.
        place: x, y in scene pixels.

    Returns:
        Matrix (2, 2) that makes metres to the east and to the north of a step in columns and rows; None without
        georeference, or where there is no longitude and latitude.

    Raises:
        SourceError: If the reference system cannot be brought to WGS 84.
    """
    from swathe.raster.georeference import to_lonlat
    from swathe.raster.ground import geocentric

    if scene.crs is None or scene.transform is None:
        return None
    half = BASELINE / 2
    steps = np.array([[half, 0.0], [-half, 0.0], [0.0, half], [0.0, -half], [0.0, 0.0]])
    degrees = to_lonlat(scene.crs, scene.transform, np.asarray(place) + steps)
    if not np.isfinite(degrees).all():
        return None
    ends = geocentric(degrees)
    (sin_lon, sin_lat), (cos_lon, cos_lat) = np.sin(np.radians(degrees[4])), np.cos(np.radians(degrees[4]))
    east = np.array([-sin_lon, cos_lon, 0.0])
    north = np.array([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat])
    lines = np.stack([ends[0] - ends[1], ends[2] - ends[3]], axis=1) / BASELINE
    matrix = np.stack([east, north]) @ lines
    # A transform that lays all pixels on a line has no directions to turn by.
    return matrix if abs(np.linalg.det(matrix)) > np.finfo(float).tiny else None
