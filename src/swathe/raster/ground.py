"""Sizes and directions on the ground: how long, how wide, and pointing where a box in pixels is on the earth."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from swathe.raster.georeference import ECCENTRICITY_SQUARED, EQUATORIAL_RADIUS, Transform, to_lonlat

FloatArray = npt.NDArray[np.float64]

HALF_TURN = 180.0  # degrees: a side has a direction, but no front
# Pixels over which steps are measured: far enough that the noise of a projection's inverse (a millionth of a metre)
# does not show, near enough that they are those of the place.
BASELINE = 64.0
MEAN_RADIUS = 6_371_008.8  # metres; only bends chords, whose length it hardly matters for


def measure(crs: str | None, transform: Transform | None, boxes: FloatArray) -> FloatArray:
    """Measure boxes on the WGS 84 ellipsoid.

    The middles of opposite sides are placed on the ellipsoid, and the straight line between them through the earth is
    taken for the way along its surface, after a correction for the curvature. Against the geodesic the length is right
    to a millionth for boxes up to 100 km, at the poles and across the antimeridian too; the azimuth is that at the
    centre of the box. A side shorter than a pixel is measured over a pixel, so that its direction is not noise.

    Args:
        crs: Reference system of the scene, as WKT or anything else that names one.
        transform: a, b, c, d, e, f with x = a col + b row + c and y = d col + e row + f.
        boxes: Boxes (n, 5): cx, cy, w, h in scene pixels, theta in radians, clockwise on screen.

    Returns:
        Measures (n, 3) of length (the side that is longer on the ground) and width in metres, azimuth of the long side
        in degrees clockwise from true north, in [0, 180). NaN without georeference, or where there is no longitude and
        latitude.

    Raises:
        SourceError: If the reference system cannot be brought to WGS 84, or a box is outside of what it can describe.
    """
    if crs is None or transform is None or not len(boxes):
        return np.full((len(boxes), 3), np.nan)
    centres, sides, theta = boxes[:, :2], boxes[:, 2:4], boxes[:, 4]
    along = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    baselines = np.maximum(sides, 1.0)
    steps = 0.5 * baselines[:, :, None] * np.stack([along, along[:, ::-1] * (-1.0, 1.0)], axis=1)
    ends = np.concatenate([centres[:, None] - steps, centres[:, None] + steps, centres[:, None]], axis=1)
    degrees = to_lonlat(crs, transform, ends.reshape(-1, 2)).reshape(-1, 5, 2)
    places = geocentric(degrees)
    lines = places[:, 2:4] - places[:, :2]
    chords = np.linalg.norm(lines, axis=2)
    arcs = 2.0 * MEAN_RADIUS * np.arcsin(np.minimum(chords / (2.0 * MEAN_RADIUS), 1.0))
    lengths = arcs * sides / baselines
    longer = np.argmax(lengths, axis=1)
    rows = np.arange(len(boxes))
    azimuths = _azimuths(lines[rows, longer], degrees[:, 4])
    return np.column_stack([lengths[rows, longer], lengths[rows, 1 - longer], azimuths])


def metres_per_pixel(crs: str | None, transform: Transform | None, place: tuple[float, float]) -> FloatArray | None:
    """Measure how steps in pixels lead over the ground, on the WGS 84 ellipsoid.

    Args:
        crs: Reference system of the scene, as WKT or anything else that names one.
        transform: a, b, c, d, e, f with x = a col + b row + c and y = d col + e row + f.
        place: x, y in scene pixels.

    Returns:
        Matrix (2, 2) that makes metres to the east and to the north of a step in columns and rows; None without
        georeference, or where there is no longitude and latitude.

    Raises:
        SourceError: If the reference system cannot be brought to WGS 84.
    """
    if crs is None or transform is None:
        return None
    half = BASELINE / 2
    steps = np.array([[half, 0.0], [-half, 0.0], [0.0, half], [0.0, -half], [0.0, 0.0]])
    degrees = to_lonlat(crs, transform, np.asarray(place) + steps)
    if not np.isfinite(degrees).all():
        return None
    ends = geocentric(degrees)
    (sin_lon, sin_lat), (cos_lon, cos_lat) = np.sin(np.radians(degrees[4])), np.cos(np.radians(degrees[4]))
    east = np.array([-sin_lon, cos_lon, 0.0])
    north = np.array([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat])
    lines = np.stack([ends[0] - ends[1], ends[2] - ends[3]], axis=1) / BASELINE
    matrix = np.stack([east, north]) @ lines
    # A transform that lays all pixels on a line has no directions to turn by.
    return matrix if abs(np.linalg.det(matrix)) > np.finfo(np.float64).tiny else None


def ground_sample_distance(crs: str | None, transform: Transform | None, width: int, height: int) -> float | None:
    """Return the side of a pixel on the ground at the centre of a scene.

    The stretch of a projection (web Mercator: 1 / cos(latitude)) does not count. Of pixels that are not square, the
    square root of their area.

    Args:
        crs: Reference system of the scene, as WKT or anything else that names one.
        transform: a, b, c, d, e, f with x = a col + b row + c and y = d col + e row + f.
        width: Columns of the scene.
        height: Rows of the scene.

    Returns:
        Metres per pixel; None without georeference, or if the centre has no longitude and latitude.

    Raises:
        SourceError: If the reference system cannot be brought to WGS 84.
    """
    matrix = metres_per_pixel(crs, transform, (width / 2, height / 2))
    return None if matrix is None else math.sqrt(abs(float(np.linalg.det(matrix))))


def geocentric(degrees: FloatArray) -> FloatArray:
    """Place points of the WGS 84 ellipsoid in space.

    Args:
        degrees: Longitude, latitude (..., 2) in degrees.

    Returns:
        x, y, z (..., 3) in metres from the centre of the earth, as EPSG:4978 has them.
    """
    longitude, latitude = np.radians(degrees[..., 0]), np.radians(degrees[..., 1])
    prime_vertical = EQUATORIAL_RADIUS / np.sqrt(1.0 - ECCENTRICITY_SQUARED * np.sin(latitude) ** 2)
    equatorial = prime_vertical * np.cos(latitude)
    height = prime_vertical * (1.0 - ECCENTRICITY_SQUARED) * np.sin(latitude)
    return np.stack([equatorial * np.cos(longitude), equatorial * np.sin(longitude), height], axis=-1)


def _azimuths(lines: FloatArray, centres: FloatArray) -> FloatArray:
    """Return the directions (n,) of lines (n, 3) in space, seen from centres (n, 2) in degrees, modulo half a turn."""
    (sin_lon, sin_lat), (cos_lon, cos_lat) = np.sin(np.radians(centres)).T, np.cos(np.radians(centres)).T
    x, y, z = lines.T
    eastward = cos_lon * y - sin_lon * x
    northward = cos_lat * z - sin_lat * (cos_lon * x + sin_lon * y)
    turned = np.degrees(np.arctan2(eastward, northward)) % HALF_TURN
    return np.where(turned < HALF_TURN, turned, 0.0)  # -1e-17 % 180 is 180
