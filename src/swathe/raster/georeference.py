"""From pixels of a scene to places on the ground and back.

Everywhere longitude comes before latitude, in degrees of WGS 84. `crs` is WKT or anything else that names a reference
system, such as "EPSG:3857"; `transform` is a, b, c, d, e, f with x = a col + b row + c and y = d col + e row + f.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.errors import SourceError
from swathe.raster.environment import settings

Points = npt.NDArray[np.float64]
Transform = tuple[float, float, float, float, float, float]

LONGITUDE_LATITUDE = "OGC:CRS84"
# WGS 84 ellipsoid: equatorial radius in metres, and first eccentricity squared.
EQUATORIAL_RADIUS = 6_378_137.0
ECCENTRICITY_SQUARED = 0.006_694_379_990_141_316
FARTHEST = 1e12  # units of any reference system: the earth in millimetres is smaller
LATITUDE_NOISE = 1e-9  # degrees by which rounding may leave the sphere


def to_crs(transform: Transform | None, points: Points) -> Points:
    """Bring pixel coordinates to the scene's reference system.

    Args:
        transform: The scene's transform.
        points: (n, 2) x, y in scene pixels, corner-based: the centre of the first pixel is (0.5, 0.5).

    Returns:
        (n, 2) in units of the reference system.

    Raises:
        SourceError: If the scene has no georeference.
    """
    a, b, c, d, e, f = _placed(transform)
    x, y = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
    return np.column_stack([a * x + b * y + c, d * x + e * y + f])


def from_crs(transform: Transform | None, points: Points) -> Points:
    """Bring coordinates of the scene's reference system to its pixels; the inverse of `to_crs`.

    Args:
        transform: The scene's transform.
        points: (n, 2) in units of the reference system.

    Returns:
        (n, 2) x, y in scene pixels.

    Raises:
        SourceError: If the scene has no georeference, or one that maps all pixels onto a line.
    """
    a, b, c, d, e, f = _placed(transform)
    determinant = a * e - b * d
    if determinant == 0:
        raise SourceError(f"transform {transform} maps all pixels onto a line; correct the scene's georeference")
    x, y = (np.asarray(points, dtype=np.float64).reshape(-1, 2) - (c, f)).T
    return np.column_stack([(e * x - b * y) / determinant, (a * y - d * x) / determinant])


def to_lonlat(crs: str | None, transform: Transform | None, points: Points) -> Points:
    """Bring pixel coordinates to longitude and latitude.

    Args:
        crs: The scene's reference system.
        transform: The scene's transform.
        points: (n, 2) x, y in scene pixels.

    Returns:
        (n, 2) longitude, latitude in degrees, longitudes from -180 to 180 also for a system that counts from 0 to
        360; NaN where the reference system has none, beyond the poles for instance.

    Raises:
        SourceError: If the scene has no georeference, or its reference system cannot be brought to WGS 84.
    """
    degrees = convert(_named(crs), LONGITUDE_LATITUDE, to_crs(transform, points))
    turned = np.abs(degrees[:, 0]) > 180.0
    degrees[turned, 0] = (degrees[turned, 0] + 180.0) % 360.0 - 180.0
    degrees[np.abs(degrees[:, 1]) > 90.0 + LATITUDE_NOISE] = np.nan
    return degrees


def from_lonlat(crs: str | None, transform: Transform | None, points: Points) -> Points:
    """Bring longitude and latitude to pixel coordinates; the inverse of `to_lonlat`.

    Args:
        crs: The scene's reference system.
        transform: The scene's transform.
        points: (n, 2) longitude, latitude in degrees.

    Returns:
        (n, 2) x, y in scene pixels; NaN where the reference system does not reach. In a system of degrees, a longitude
        is taken at the turn that lies from 90 degrees before the scene's first column up to 270 degrees after it.

    Raises:
        SourceError: If the scene has no georeference, or its reference system cannot be brought to WGS 84.
    """
    placed = convert(LONGITUDE_LATITUDE, _named(crs), np.asarray(points, dtype=np.float64))
    a, b, c, *_ = _placed(transform)
    if _in_degrees(_named(crs)):
        start = c - 90.0 if a + b >= 0 else c - 270.0
        placed[:, 0] = (placed[:, 0] - start) % 360.0 + start
    return from_crs(transform, placed)


def convert(source: str, target: str, points: Points) -> Points:
    """Bring points from one reference system to another.

    Args:
        source: Reference system of the points.
        target: Reference system wanted.
        points: (n, 2) x, y (longitude, latitude) in units of the source.

    Returns:
        (n, 2) x, y in units of the target; NaN for points without counterpart.

    Raises:
        SourceError: If there is no way between the systems.
    """
    from rasterio._err import CPLE_BaseError, CPLE_NotSupportedError  # what transform raises has no public name
    from rasterio.crs import CRS
    from rasterio.errors import CRSError
    from rasterio.warp import transform

    def warp(some: Points) -> Points:
        """PROJ refuses all points for one outside of its domain: it is found by halving, and becomes NaN."""
        try:
            x, y = transform(*systems, some[:, 0], some[:, 1])
        except CPLE_NotSupportedError:
            raise
        except CPLE_BaseError:
            half = len(some) // 2
            return np.concatenate([warp(some[:half]), warp(some[half:])]) if half else np.full((1, 2), np.nan)
        return np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])

    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    # PROJ brings an angle into its range turn by turn, which never ends for enormous ones.
    points = np.where(np.abs(points) <= FARTHEST, points, np.inf)
    try:
        with settings():
            systems = CRS.from_user_input(source), CRS.from_user_input(target)
            warped = warp(points) if len(points) else points.copy()
    except (CRSError, CPLE_NotSupportedError) as error:
        raise SourceError(
            f"coordinates cannot be brought from {_short(source)} to {_short(target)} ({error}); "
            f"assign the right reference system to the scene, for instance with gdal_edit -a_srs"
        ) from error
    warped[~np.isfinite(warped).all(axis=1)] = np.nan
    return warped


def reaches_wgs84(crs: str) -> bool:
    """Tell whether there is a way from a reference system to longitude and latitude.

    Args:
        crs: WKT or a name such as "EPSG:3857".

    Returns:
        False for engineering, local and geocentric systems, those of other planets, and what is not a system at all.
    """
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        known = CRS.from_user_input(crs)
        convert(crs, LONGITUDE_LATITUDE, np.zeros((1, 2)))
    except (CRSError, SourceError):
        return False
    return bool(known.is_geographic or known.is_projected)


def code_of(crs: str | None) -> str | None:
    """Return the code of a reference system, such as "EPSG:32645"; None if it has none, or nobody knows it."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        authority = None if crs is None else CRS.from_user_input(crs).to_authority()
    except CRSError:
        return None
    return None if authority is None else ":".join(authority)


def _in_degrees(crs: str) -> bool:
    """Whether a reference system that is known to exist has longitude and latitude as coordinates."""
    from rasterio.crs import CRS

    with settings():
        return bool(CRS.from_user_input(crs).is_geographic)


def _placed(transform: Transform | None) -> Transform:
    if transform is None:
        raise SourceError("the scene has no georeference; use pixel coordinates, or a GeoTIFF that has one")
    return transform


def _named(crs: str | None) -> str:
    if crs is None:
        raise SourceError("the scene has no coordinate reference system; use pixel coordinates, or assign one to it")
    return crs


def _short(crs: str) -> str:
    """Name a reference system in a message: the name inside its WKT."""
    return crs.split('"')[1] if crs.count('"') > 1 else crs
