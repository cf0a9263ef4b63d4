"""The slow, obvious filter that every store must equal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from swathe.query.values import HALF_TURN
from swathe.raster import georeference
from swathe.times import parse_utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

    from swathe.detections import Detections, SceneInfo
    from swathe.query.condition import Query
    from swathe.query.values import Bounds


def reference_filter(detections: Detections, query: Query) -> Detections:
    """Answer a query row by row, in the slowest and most obvious way; stores are tested against it.

    Args:
        detections: What to choose from.
        query: What to keep.

    Returns:
        The matches in canonical order; of more than `query.limit` those of the highest scores, and of equal scores
        those that come first in canonical order.

    Raises:
        SourceError: If a footprint has no longitude and latitude.
    """
    detections = detections.sorted()
    places = detections.centre_points() if query.within else detections.footprints()
    measures = detections.measures().tolist()
    kept: list[int] = []
    for number, row in enumerate(detections.table.to_pylist()):
        scene = detections.scenes[row["run"], row["scene"]]
        if (
            _names_fit(query, row)
            and _scene_fits(query, scene)
            and _place_fits(query, scene, places[number])
            and _size_fits(query, scene, measures[number])
        ):
            kept.append(number)
    if query.limit is not None:
        kept = sorted(sorted(kept, key=lambda number: -detections.scores[number])[: query.limit])
    runs = {run: about for run, about in detections.runs.items() if query.runs is None or run in query.runs}
    scenes = {
        (run, scene): info
        for (run, scene), info in detections.scenes.items()
        if (query.runs is None or run in query.runs) and (query.scenes is None or scene in query.scenes)
    }
    return replace(detections.take(np.asarray(kept, dtype=np.int64)), scenes=scenes, runs=runs)


def _names_fit(query: Query, row: dict[str, Any]) -> bool:
    """Return whether score, class, scene and run are as asked."""
    if query.min_score is not None and row["score"] < query.min_score:
        return False
    wanted = (("class", query.classes), ("scene", query.scenes), ("run", query.runs))
    return all(names is None or row[column] in names for column, names in wanted)


def _scene_fits(query: Query, scene: SceneInfo) -> bool:
    """Return whether the scene was taken at the time asked for."""
    if query.acquired is None:
        return True
    if scene.acquired is None:
        return False
    begin, end = query.acquired
    time = parse_utc(scene.acquired)
    return (begin is None or time >= begin) and (end is None or time < end)


def _place_fits(query: Query, scene: SceneInfo, footprint: BaseGeometry) -> bool:
    """Return whether a footprint touches box and polygon, one of the areas, and the disc around a point."""
    from shapely.geometry import Polygon

    if query.box is not None and not _box_fits(query.box, scene, footprint):
        return False
    if query.polygon is not None and not footprint.intersects(Polygon(query.polygon)):
        return False
    if query.areas is not None and not (
        scene.georeferenced and any(footprint.intersects(area.geometry) for area in query.areas)
    ):
        return False
    return query.near is None or (scene.georeferenced and _distance(query.near, footprint) <= query.near[2])


def _box_fits(bounds: Bounds, scene: SceneInfo, footprint: BaseGeometry) -> bool:
    """Return whether a footprint touches a box, which may lie across the antimeridian."""
    from shapely.geometry import box

    west, south, east, north = bounds
    if west <= east:
        return bool(footprint.intersects(box(west, south, east, north)))
    parts = box(west, south, HALF_TURN, north), box(-HALF_TURN, south, east, north)
    return scene.georeferenced and any(footprint.intersects(part) for part in parts)


def _distance(near: tuple[float, float, float], footprint: BaseGeometry) -> float:
    """Return the distance of a footprint from a point in metres, by the projection that keeps it."""
    from shapely import Point, transform

    longitude, latitude, _ = near
    around = f"+proj=aeqd +lon_0={longitude!r} +lat_0={latitude!r} +datum=WGS84 +units=m +type=crs"
    projected = transform(footprint, lambda points: georeference.convert("OGC:CRS84", around, points))
    return float(projected.distance(Point(0, 0)))


def _size_fits(query: Query, scene: SceneInfo, measures: Sequence[float]) -> bool:
    """Return whether length, width and azimuth on the ground are in their ranges."""
    length, width, azimuth = measures
    for value, limits in ((length, query.length), (width, query.width)):
        if limits is not None:
            low, high = limits
            if not scene.georeferenced or (low is not None and value < low) or (high is not None and value > high):
                return False
    if query.azimuth is None:
        return True
    first, last = query.azimuth
    inside = first <= azimuth <= last if first <= last else azimuth >= first or azimuth <= last
    return scene.georeferenced and inside
