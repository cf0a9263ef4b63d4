"""Where a raster says it lies on the ground, and if that cannot be used, why not.

A scene is placed by one affine transform and a reference system that PROJ can bring to WGS 84. Ground control points
are used where an affine transform meets every one of them to within `TOLERANCE` pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from swathe.counts import counted
from swathe.errors import SourceError
from swathe.raster.georeference import Transform, reaches_wgs84, to_lonlat

if TYPE_CHECKING:
    from swathe.raster.scene import Scene
    from swathe.raster.stac import Told

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # what GDAL gives for a file without a transform
TOLERANCE = 1.0  # pixels by which the fitted transform may miss a ground control point
FEWEST_POINTS = 3  # an affine transform has six numbers, a point gives two
POINTS_PER_SIDE = 17  # at the edge, looked at for places beyond the earth
WAY_OUT = "detections stay in pixels; "


@dataclass(frozen=True)
class Placement:
    """The georeference of a raster, or why it has none."""

    crs: str | None  # coordinate reference system as WKT
    transform: Transform | None  # a, b, c, d, e, f: x = a col + b row + c, y = d col + e row + f
    note: str | None = None  # what the user should know, None if all is well or there is nothing to use


def place(dataset: Any) -> Placement:
    """Find out where a raster lies.

    Args:
        dataset: The open raster.

    Returns:
        Reference system and transform. Without a usable reference system, the system is None; without a usable
        transform, both are.
    """
    from rasterio._err import CPLE_BaseError  # what properties raise has no public name
    from rasterio.errors import CRSError

    try:
        return _place(dataset)
    except (CRSError, CPLE_BaseError, SourceError) as error:
        note = f"not georeferenced: its reference system cannot be used ({error}); {WAY_OUT}name another with gdal_edit"
        return Placement(None, None, f"{note} -a_srs")


def placed_by_item(scene: Scene, told: Told | None) -> Scene:
    """Place a scene that does not say where it lies by its STAC item.

    Args:
        scene: The scene as its file describes it.
        told: What the item tells, if there is one.

    Returns:
        The scene; as it was if it is placed, or no item has no transform and reference system for its size.
    """
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    if told is None:
        return scene
    fits = told.shape in (None, (scene.height, scene.width))
    if scene.georeferenced or told.crs is None or told.transform is None or not fits:
        return scene
    a, b, _, d, e, _ = told.transform
    try:
        wkt = CRS.from_user_input(told.crs).to_wkt()
        usable = math.isfinite(sum(told.transform)) and a * e - b * d != 0 and reaches_wgs84(wkt)
    except (CRSError, SourceError):
        usable = False
    if not usable:
        return replace(scene, notes=(*scene.notes, f"the place that STAC item {told.name!r} tells cannot be used"))
    return replace(scene, crs=wkt, transform=told.transform, notes=(*scene.notes, "placed by its STAC item"))


def _place(dataset: Any) -> Placement:
    a, b, c, d, e, f = (float(value) for value in dataset.transform[:6])
    transform, crs, note = (a, b, c, d, e, f), dataset.crs, None
    if transform == IDENTITY:
        points, crs = dataset.gcps
        if not points:
            return Placement(None, None, _why_without_transform(dataset))
        fitted = fit_points([(point.col, point.row, point.x, point.y) for point in points])
        if isinstance(fitted, str):
            return Placement(None, None, f"not georeferenced: {fitted}; {WAY_OUT}warp it first, with gdalwarp -tps")
        transform = fitted
    elif not math.isfinite(sum(transform)) or a * e - b * d == 0:
        note = f"not georeferenced: its transform {transform} maps pixels onto a line; {WAY_OUT}see gdal_edit -a_ullr"
        return Placement(None, None, note)
    if not crs:
        note = f"not georeferenced: it names no reference system; {WAY_OUT}name one with gdal_edit -a_srs"
        return Placement(None, transform, note)
    wkt = crs.to_wkt()
    if not reaches_wgs84(wkt):
        note = f"not georeferenced: its reference system has no way to WGS 84; {WAY_OUT}name another with gdal_edit"
        return Placement(None, transform, f"{note} -a_srs")
    if not np.isfinite(to_lonlat(wkt, transform, np.array([[dataset.width / 2, dataset.height / 2]]))).all():
        note = f"not georeferenced: its centre lies outside of its reference system; {WAY_OUT}correct it with gdal_edit"
        return Placement(None, transform, note)
    return Placement(wkt, transform, _why_clipped(dataset, wkt, transform))


def _why_clipped(dataset: Any, wkt: str, transform: Transform) -> str | None:
    """Tell that some of a raster, by a ring of points at its edge, has no longitude and latitude."""
    shares = np.linspace(0.0, 1.0, POINTS_PER_SIDE)
    ring = [(share, side) for share in shares for side in (0.0, 1.0)]
    places = np.array([*ring, *((side, share) for share, side in ring)]) * (dataset.width, dataset.height)
    if np.isfinite(to_lonlat(wkt, transform, places)).all():
        return None
    return "reaches beyond the earth that its reference system describes; what is found there is placed at its edge"


def _why_without_transform(dataset: Any) -> str | None:
    if dataset.rpcs is not None:
        return f"not georeferenced: it has only RPCs; {WAY_OUT}orthorectify it first, with gdalwarp -rpc"
    if dataset.crs:
        return f"not georeferenced: it names a reference system, but no transform; {WAY_OUT}see gdal_edit -a_ullr"
    return None


def fit_points(points: Sequence[tuple[float, float, float, float]]) -> Transform | str:
    """Fit an affine transform to ground control points by least squares.

    Longitudes on both sides of the antimeridian are not joined: such points are refused by their distance.

    Args:
        points: Column and row in pixels, corner-based, and x and y in units of the reference system.

    Returns:
        The transform, or why there is none: fewer than three points, points on a line, or a point that the transform
        misses by more than `TOLERANCE` pixels.
    """
    table = np.asarray(points, dtype=np.float64).reshape(-1, 4)
    if len(table) < FEWEST_POINTS or not np.isfinite(table).all():
        has = counted(len(table), "ground control point")
        return f"it has {has}, and at least {FEWEST_POINTS} with coordinates are needed"
    middle = table.mean(axis=0)  # large numbers would cost precision
    centred = table - middle
    size = max(float(np.abs(centred[:, :2]).max()), 1.0)
    solved, _, rank, _ = np.linalg.lstsq(centred[:, :2] / size, centred[:, 2:], rcond=1e-9)
    linear = solved.T / size  # rows x and y, columns column and row
    if rank < 2 or np.linalg.matrix_rank(linear) < 2:
        return "its ground control points lie on a line"
    missed = np.linalg.solve(linear, (centred[:, :2] @ linear.T - centred[:, 2:]).T)
    worst = float(np.hypot(*missed).max())
    if not worst <= TOLERANCE:
        return f"an affine transform misses its ground control points by up to {worst:.1f} pixels"
    (a, b), (d, e) = linear.tolist()
    c, f = (middle[2:] - linear @ middle[:2]).tolist()
    return a, b, c, d, e, f
