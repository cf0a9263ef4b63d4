"""The row band: untiled files are read in full-width strips, and the strips under the current row of windows are kept.

Reading a window of a striped, PNG or JPEG file decodes its rows over the full width. So strips of `STRIP_ROWS` level
rows are read once, brought to the level's scale, and serve every window of the row and, where rows of windows
overlap, of the next one; strips above the current window are dropped. Where the band of a very wide level would take
more than `BAND_BYTES`, it covers as many columns as fit, and the rows are decoded once per such segment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from swathe.raster.pyramid import Level
from swathe.raster.resample import Chunk
from swathe.raster.window import Window

STRIP_ROWS = 128  # level rows
BAND_BYTES = 192 << 20
SAMPLES = 4  # bytes kept per level pixel of a picture: RGB and whether it holds data

Render = Callable[[Level, Window], Chunk]


@dataclass(frozen=True)
class _Strip:
    row_off: int  # first row, level pixels
    chunk: Chunk

    @property
    def end(self) -> int:
        return self.row_off + len(self.chunk.pixels)


class RowBand:
    """Serves windows of a level from strips that are read once, as long as windows come in row order."""

    def __init__(self, render: Render, samples: int = SAMPLES) -> None:
        self._render = render
        self._samples = samples
        self._strips: deque[_Strip] = deque()
        self._level: Level | None = None
        self._columns = range(0)

    def read(self, level: Level, window: Window) -> Chunk:
        """Return the pixels of a window, reading only rows that are not in the band.

        Args:
            level: The level.
            window: Level pixels.

        Returns:
            A copy of the pixels.

        Raises:
            SourceError: If the source cannot be read.
        """
        columns = range(window.col_off, window.col_off + window.width)
        if not self._serves(level, columns, window.row_off):
            self._strips.clear()
            self._level, self._columns = level, segment(level, window, self._samples)
        while self._strips and self._strips[0].end <= window.row_off:
            self._strips.popleft()
        bottom = window.row_off + window.height
        end = self._strips[-1].end if self._strips else window.row_off
        while end < bottom:
            rows = min(STRIP_ROWS, bottom - end)
            place = Window(self._columns.start, end, len(self._columns), rows)
            self._strips.append(_Strip(end, self._render(level, place)))
            end += rows
        return self._cut(window)

    def _serves(self, level: Level, columns: range, row_off: int) -> bool:
        if self._level != level or not self._strips or row_off < self._strips[0].row_off:
            return False
        return self._columns.start <= columns.start and columns.stop <= self._columns.stop

    def _cut(self, window: Window) -> Chunk:
        left = window.col_off - self._columns.start
        columns = slice(left, left + window.width)
        pixels, valid, bottom = [], [], window.row_off + window.height
        for strip in self._strips:
            rows = slice(max(window.row_off - strip.row_off, 0), max(min(bottom, strip.end) - strip.row_off, 0))
            pixels.append(strip.chunk.pixels[rows, columns])
            mask = strip.chunk.valid
            valid.append(np.ones(pixels[-1].shape[:2], dtype=np.bool_) if mask is None else mask[rows, columns])
        whole = all(strip.chunk.valid is None for strip in self._strips)
        return Chunk(np.concatenate(pixels), None if whole else np.concatenate(valid))


def segment(level: Level, window: Window, samples: int = SAMPLES) -> range:
    """Return the columns of a level that a band under a window covers: all, or as many as `BAND_BYTES` allows."""
    affordable = BAND_BYTES // ((window.height + STRIP_ROWS) * samples)
    if affordable >= level.width:
        return range(level.width)
    return range(window.col_off, min(level.width, window.col_off + max(affordable, window.width)))
