"""Detections as vector tiles: boxes where they are few, points where they are tiny, counts where they are many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.viewer import mvt
from swathe.viewer.frames import TILE

if TYPE_CHECKING:
    from swathe.detections import Detections
    from swathe.query import Query
    from swathe.store.protocol import Scans
    from swathe.viewer.frames import Floats, Frame

MOST_BOXES = 2000  # in a tile; a screen shows about six
CELLS = 32  # along the side of a tile
SMALLEST = 3.0  # pixels on screen: shorter boxes are points
FARTHEST = 1.0  # sides of a tile around it up to which corners are kept; beyond, boxes are cut
Integers: TypeAlias = npt.NDArray[np.int64]


def vector_tile(scans: Scans, query: Query, frame: Frame) -> bytes:
    """Write a tile of detections.

    Args:
        scans: The store.
        query: What to show, without a box.
        frame: The tile.

    Returns:
        A Mapbox Vector Tile: layers `boxes` (polygons) and `points` (boxes too small to see), with run, scene, class,
        score and number; or `cells` (polygons) with a count. Empty if nothing is there.
    """
    from swathe.query.cells import Cells
    from swathe.store import read

    inside = replace(query, box=frame.bounds)
    counts = scans.density(inside, Cells(frame.bounds, CELLS, CELLS))
    if counts.sum() > MOST_BOXES:
        return _cells(counts, frame)
    return encode(read(scans, inside), frame)


def encode(detections: Detections, frame: Frame) -> bytes:
    """Write detections as the layers `boxes` and `points` of a tile.

    Args:
        detections: What to write.
        frame: The tile.

    Returns:
        The bytes.
    """
    if not len(detections):
        return b""
    corners = frame.place(detections.to_polygons("geometry"))
    longest = np.linalg.norm(np.diff(corners, axis=1), axis=2).max(axis=1)
    small = longest * TILE < SMALLEST
    middles = corners[small].mean(axis=1, keepdims=True)
    points = [(_units(middles), np.arange(len(middles)))]
    boxes = mvt.layer("boxes", _rings(corners[~small]), mvt.POLYGON, _columns(detections.take(~small)))
    return boxes + mvt.layer("points", points, mvt.POINT, _columns(detections.take(small)))


def _columns(detections: Detections) -> dict[str, Any]:
    numbers = [int(identifier.rpartition("/")[2]) for identifier in detections.table.column("id").to_pylist()]
    return {
        "run": detections.run_ids,
        "scene": detections.scene_ids,
        "class": detections.classes,
        "score": np.round(detections.scores, 3),
        "number": np.asarray(numbers, dtype=np.int64),
    }


def _rings(corners: Floats) -> Iterator[tuple[Integers, Integers]]:
    """Yield boxes with equally many corners, and their rows: those that reach far beyond the tile are cut."""
    import shapely

    far = (np.abs(corners - 0.5) > FARTHEST + 0.5).any(axis=(1, 2))
    yield _units(corners[~far]), np.flatnonzero(~far)
    low, high = 0.01 - FARTHEST, 0.99 + FARTHEST
    for row in np.flatnonzero(far):
        cut = shapely.clip_by_rect(shapely.Polygon(corners[row]), low, low, high, high)
        for part in shapely.get_parts(cut):
            yield _units(shapely.get_coordinates(part)[None, :-1]), np.array([row])


def _cells(counts: npt.NDArray[np.int64], frame: Frame) -> bytes:
    """Write the counts that are not zero."""
    west, south, east, north = frame.bounds
    rows, columns = np.nonzero(counts)
    x, y = np.linspace(west, east, counts.shape[1] + 1), np.linspace(north, south, counts.shape[0] + 1)
    left, right, top, bottom = x[columns], x[columns + 1], y[rows], y[rows + 1]
    rings = np.stack([[left, top], [right, top], [right, bottom], [left, bottom]]).transpose(2, 0, 1)
    values = {"count": counts[rows, columns]}
    return mvt.layer("cells", [(_units(frame.place(rings)), np.arange(len(rows)))], mvt.POLYGON, values)


def _units(shares: Floats) -> Integers:
    return np.round(shares * mvt.EXTENT).astype(np.int64)
