"""Detections as vector tiles: boxes where they are few, points where they are tiny, counts where they are many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.viewer import mvt
from swathe.viewer.frames import TILE

if TYPE_CHECKING:
    from swathe.detections import Detections
    from swathe.viewer.frames import Floats, Frame

MOST_BOXES = 1000  # in a tile; a screen shows about six, and the page draws 4,000 boxes at most
CELLS = 32  # along the side of a tile
SMALLEST = 3.0  # pixels on screen: shorter boxes are points
SCORES = 1000  # steps between 0 and 1
FARTHEST = 1.0  # sides of a tile around it up to which corners are kept; beyond, boxes are cut
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Placed:
    """Detections on a square: a tile, or one that holds several."""

    corners: Floats  # (n, 4, 2) as shares of the side of the square, y down
    numbers: Integers  # (n,) in their scenes
    codes: Integers  # (n, 4), places of what they have in the values
    values: Mapping[str, Sequence[str | float]]  # run, scene, class and score that occur

    @classmethod
    def on(cls, frame: Frame, detections: Detections) -> Placed:
        """Place detections.

        Args:
            frame: The square.
            detections: What to place.

        Returns:
            The detections on the square.
        """
        keys, scenes = detections.scene_codes()
        classes, kinds = detections.class_codes()
        scores = np.round(detections.scores * SCORES).astype(np.int64)
        values = {
            "run": [run for run, _ in keys],
            "scene": [scene for _, scene in keys],
            "class": classes,
            "score": (np.arange(SCORES + 1) / SCORES).tolist(),
        }
        codes = np.column_stack([scenes, scenes, kinds, scores])
        return cls(frame.place(detections.to_polygons("geometry")), detections.numbers, codes, values)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.corners)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.corners.nbytes + self.numbers.nbytes + self.codes.nbytes

    def take(self, rows: Integers | npt.NDArray[np.bool_]) -> Placed:
        """Return some of them, by index or mask."""
        return Placed(self.corners[rows], self.numbers[rows], self.codes[rows], self.values)

    def part(self, column: int, row: int, parts: int) -> Placed:
        """Return what touches one of the equal squares that a square is cut into.

        Args:
            column: Of the small square.
            row: Of the small square.
            parts: Small squares along a side.

        Returns:
            Detections on the small square, of those that it touches or nearly so.
        """
        corners = self.corners * parts - (column, row)
        touching = ((corners.max(axis=1) >= 0) & (corners.min(axis=1) <= 1)).all(axis=1)
        return replace(self, corners=corners).take(touching)

    def to_tile(self, most: int = MOST_BOXES) -> bytes:
        """Write a Mapbox Vector Tile, empty if nothing is there.

        Args:
            most: Boxes that it holds; of more, there are cells only.

        Returns:
            Layers `boxes` (polygons) and `points` (boxes too small to see), with run, scene, class and score, the
            number as id of the feature; and `cells` (polygons) with a count, for a view in which other tiles hold more.
        """
        counts, edges = _count(self.corners.mean(axis=1)), np.linspace(0.0, 1.0, CELLS + 1)
        cells = cells_tile(counts, edges, edges)
        return cells if counts.sum() > most else cells + self.to_boxes()

    def to_boxes(self, smallest: float = SMALLEST) -> bytes:
        """Write the layers `boxes` and `points` of a tile, however many they are.

        Args:
            smallest: Pixels of the tile that the long side of a box has at least; those of shorter ones are points.

        Returns:
            The bytes.
        """
        longest = np.linalg.norm(np.diff(self.corners, axis=1), axis=2).max(axis=1)
        small = longest * TILE < smallest
        boxes, points = self.take(~small), self.take(small)
        middles = points.corners.mean(axis=1, keepdims=True)
        return _layer("boxes", mvt.POLYGON, boxes, _rings(boxes.corners)) + _layer(
            "points", mvt.POINT, points, [(_units(middles), np.arange(len(points)))]
        )


def _layer(name: str, kind: mvt.Kind, placed: Placed, shapes: Iterable[tuple[Integers, Integers]]) -> bytes:
    columns = {key: (values, placed.codes[:, place]) for place, (key, values) in enumerate(placed.values.items())}
    return mvt.layer(name, shapes, kind, columns, placed.numbers) if len(placed) else b""


def _count(points: Floats) -> Integers:
    """Count points (n, 2) by the cells of a tile: (rows, columns), the first row at the top."""
    places = np.floor(points * CELLS).astype(np.int64)
    inside = ((places >= 0) & (places < CELLS)).all(axis=1)
    return np.bincount(places[inside] @ (1, CELLS), minlength=CELLS**2).reshape(CELLS, CELLS)


def cells_tile(counts: Integers, x: Floats, y: Floats) -> bytes:
    """Write the counts of cells that are not zero as the layer `cells` of a tile.

    Args:
        counts: By row and column of cells, the first row at the top.
        x: Edges of the columns, one more than there are, as shares of the side of the tile.
        y: Edges of the rows, as shares, y down.

    Returns:
        The bytes.
    """
    rows, columns = np.nonzero(counts)
    left, right, top, bottom = x[columns], x[columns + 1], y[rows], y[rows + 1]
    rings = np.stack([[left, top], [right, top], [right, bottom], [left, bottom]]).transpose(2, 0, 1)
    values = {"count": mvt.coded(counts[rows, columns])}
    return mvt.layer("cells", [(_units(rings), np.arange(len(rows)))], mvt.POLYGON, values) if len(rows) else b""


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


def _units(shares: Floats) -> Integers:
    return np.round(shares * mvt.EXTENT).astype(np.int64)
