"""Squares of 4 x 4 tiles, read from the store once for all of their tiles: who moves a map asks for neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from swathe.viewer.boxes import CELLS, MOST_BOXES, Placed, cells_tile
from swathe.viewer.cache import Cache

if TYPE_CHECKING:
    from swathe.query import Query
    from swathe.store.protocol import Scans
    from swathe.viewer.boxes import Integers
    from swathe.viewer.frames import Floats, Frame

LEVELS = 2  # of zoom from a tile up to its block
FEW = 4000  # detections of a block, of which tiles hold all: one view can draw them
MOST_READ = 16_000  # detections of a block; of one with more, only counts are kept
MOST_BYTES = 32 << 20  # of blocks: about a hundred screens
NEARLY = 1e-6  # of a cell


@dataclass(frozen=True)
class Counted:
    """How many detections lie in the cells of a block; cells are equally high in geometry coordinates."""

    counts: Integers  # by row and column, the first row at the top
    x: Floats  # edges of the columns as shares of the block
    y: Floats  # edges of the rows

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.counts.nbytes

    def part(self, column: int, row: int, parts: int) -> Counted:
        """Return the cells that touch one of the equal squares that the block is cut into; see `Placed.part`."""
        (left, right), (top, bottom) = (_span(*axis, parts) for axis in ((self.x, column), (self.y, row)))
        x, y = self.x[left : right + 1] * parts - column, self.y[top : bottom + 1] * parts - row
        return Counted(self.counts[top:bottom, left:right], x, y)


def _span(edges: Floats, place: int, parts: int) -> tuple[int, int]:
    """Return the first cell, and that after the last, of which more than an edge lies in a part."""
    low, high = (place + NEARLY) / parts, (place + 1 - NEARLY) / parts
    return int(np.searchsorted(edges, low, "right")) - 1, int(np.searchsorted(edges, high, "left"))


Block: TypeAlias = Placed | Counted


class Blocks:
    """Makes tiles of detections from blocks, and keeps those that were asked for last."""

    def __init__(self, scans: Scans) -> None:
        """Take the store."""
        self._scans = scans
        self._kept = Cache[Block](lambda block: block.nbytes, MOST_BYTES)

    def tile(self, version: str, query: Query, frame: Frame) -> bytes:
        """Write a tile of detections.

        Args:
            version: Of what the store holds.
            query: What to show; a box in it is left out.
            frame: The tile.

        Returns:
            A Mapbox Vector Tile, see `Placed.to_tile`.
        """
        square, column, row, parts = frame.inside_of(min(LEVELS, frame.zoom))
        block = self._kept.get((version, query, square), partial(self._read, query, square, CELLS * parts))
        if isinstance(block, Placed):
            return block.part(column, row, parts).to_tile(FEW if len(block) <= FEW else MOST_BOXES)
        cells = block.part(column, row, parts)
        if cells.counts.sum() > MOST_BOXES:
            return cells_tile(cells.counts, cells.x, cells.y)
        return self._placed(query, frame).to_tile()

    def _read(self, query: Query, square: Frame, cells: int) -> Block:
        from swathe.query.cells import Cells

        west, south, east, north = square.bounds
        counts = self._scans.density(replace(query, box=square.bounds), Cells(square.bounds, cells, cells))
        if counts.sum() <= MOST_READ:
            return self._placed(query, square)
        middle, steps = 0.5 * (west + east), np.linspace(north, south, cells + 1)
        rows = square.place(np.column_stack([np.full(cells + 1, middle), steps]))[:, 1]
        if rows[0] > rows[-1]:  # of pixels, y of geometry coordinates goes down
            rows, counts = rows[::-1], counts[::-1]
        return Counted(counts, np.linspace(0.0, 1.0, cells + 1), rows)

    def _placed(self, query: Query, frame: Frame) -> Placed:
        from swathe.store import read

        return Placed.on(frame, read(self._scans, replace(query, box=frame.bounds)))
