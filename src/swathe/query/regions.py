"""Regions of a query: first which upright hulls may touch them, then which footprints do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.query.values import HALF_TURN, QUARTER_TURN
from swathe.raster import georeference

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from swathe.query.values import Bounds

FloatArray: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

MOST_RECTANGLES = 32  # parts of a shape that are looked at one by one; of more, the hull of all
POLAR_RADIUS = 6_356_752.314_245  # metres, of WGS 84
FLATTENING = 1 / 298.257_223_563  # of WGS 84
MARGIN = 1e-9  # degrees around a disc, for what is lost in rounding


@dataclass(frozen=True)
class Shapes:
    """A region of one or more polygons; a footprint touches it if it touches one of them."""

    polygons: tuple[BaseGeometry, ...]  # shapely polygons or multipolygons, in geometry coordinates

    @classmethod
    def of_box(cls, box: Bounds) -> Shapes:
        """Make the region of a box; one with xmin > xmax lies across the antimeridian."""
        import shapely

        return cls(tuple(shapely.box(*part) for part in box_parts(box)))

    def rectangles(self) -> FloatArray:
        """Return upright rectangles (m, 4) that hold the region, as xmin, ymin, xmax, ymax."""
        import shapely

        parts = shapely.get_parts(np.asarray(self.polygons, dtype=object))
        bounds = shapely.bounds(parts if len(parts) <= MOST_RECTANGLES else np.asarray(self.polygons, dtype=object))
        return np.asarray(bounds).reshape(-1, 4)

    def touched_by(self, geometries: npt.NDArray[Any]) -> Mask:
        """Tell which geometries (n,) touch the region."""
        import shapely

        touched = np.zeros(len(geometries), dtype=np.bool_)
        pairs = shapely.STRtree(geometries).query(np.asarray(self.polygons, dtype=object), predicate="intersects")
        touched[pairs[1]] = True
        return touched


@dataclass(frozen=True)
class Disc:
    """What lies within a geodesic distance of a point, on the WGS 84 ellipsoid."""

    longitude: float  # degrees
    latitude: float  # degrees
    radius: float  # metres

    def rectangles(self) -> FloatArray:
        """Return rectangles (m, 4) in degrees that hold the disc: one, or two where it crosses the antimeridian.

        On the auxiliary sphere of a geodesic the arc is at most distance / polar radius, latitudes are reduced ones,
        and longitudes differ by more than on the ellipsoid (Karney 2013, Algorithms for geodesics, section 2).
        """
        arc = self.radius / POLAR_RADIUS
        centre = math.atan((1 - FLATTENING) * math.tan(math.radians(self.latitude)))
        south, north = (
            math.degrees(math.atan(math.tan(edge) / (1 - FLATTENING))) if abs(edge) < math.pi / 2 else math.inf
            for edge in (centre - arc, centre + arc)
        )
        south = -QUARTER_TURN if math.isinf(south) else south - MARGIN
        north = min(north + MARGIN, QUARTER_TURN)
        sine = math.sin(arc) / math.cos(centre)
        reach = HALF_TURN if arc + abs(centre) >= math.pi / 2 or sine >= 1 else math.degrees(math.asin(sine)) + MARGIN
        if reach >= HALF_TURN:
            return np.array([[-HALF_TURN, south, HALF_TURN, north]])
        west, east = (wrapped(self.longitude + step) for step in (-reach, reach))
        return np.array(box_parts((west, south, east, north)))

    def touched_by(self, geometries: npt.NDArray[Any]) -> Mask:
        """Tell which geometries (n,), in degrees, come as near as the radius.

        PROJ's azimuthal equidistant projection around the point keeps geodesic distances from it, to a nanometre.
        """
        import shapely

        if not len(geometries):
            return np.zeros(0, dtype=np.bool_)
        projection = f"+proj=aeqd +lon_0={self.longitude!r} +lat_0={self.latitude!r} +datum=WGS84 +units=m +type=crs"
        projected = shapely.transform(
            geometries, lambda points: georeference.convert(georeference.LONGITUDE_LATITUDE, projection, points)
        )
        return np.asarray(shapely.distance(shapely.Point(0.0, 0.0), projected) <= self.radius)


def box_parts(box: Bounds) -> list[Bounds]:
    """Return a box, or if its xmin > xmax its parts on both sides of the antimeridian."""
    xmin, ymin, xmax, ymax = box
    return [box] if xmin <= xmax else [(xmin, ymin, HALF_TURN, ymax), (-HALF_TURN, ymin, xmax, ymax)]


def wrapped(longitude: float) -> float:
    """Bring a longitude to [-180, 180]."""
    return longitude if abs(longitude) <= HALF_TURN else (longitude + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN


def hulls_touch(hulls: FloatArray, rectangles: FloatArray) -> Mask:
    """Tell which hulls (n, 4) touch any of some rectangles (m, 4)."""
    touched = np.zeros(len(hulls), dtype=np.bool_)
    for rectangle in rectangles:
        touched |= (hulls[:, :2] <= rectangle[2:]).all(axis=1) & (hulls[:, 2:] >= rectangle[:2]).all(axis=1)
    return touched


def hulls_within(hulls: FloatArray, rectangles: FloatArray) -> Mask:
    """Tell which hulls (n, 4) lie in one of some rectangles (m, 4)."""
    within = np.zeros(len(hulls), dtype=np.bool_)
    for rectangle in rectangles:
        within |= (hulls[:, :2] >= rectangle[:2]).all(axis=1) & (hulls[:, 2:] <= rectangle[2:]).all(axis=1)
    return within
