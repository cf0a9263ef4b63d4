"""The windows of a level by index arithmetic: a level of a million windows takes four numbers.

Windows step by `stride` from the top left; the last one of a row or column is shifted back inside. A level that is
smaller than the tile in a direction has one window of the level's own size there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from swathe.errors import UsageError
from swathe.raster.window import Window


@dataclass(frozen=True)
class Grid:
    """All windows of a level, numbered row by row."""

    width: int  # columns of the level
    height: int  # rows of the level
    tile: int  # side of the square windows, level pixels
    stride: int  # step between windows, level pixels

    def __post_init__(self) -> None:
        """Refuse sizes that leave pixels uncovered."""
        if self.width < 1 or self.height < 1:
            raise UsageError(f"a level of {self.width} x {self.height} pixels cannot be cut into windows")
        if self.tile < 1:
            raise UsageError(f"tile {self.tile}: must be at least 1 pixel")
        if not 0 < self.stride <= self.tile:
            raise UsageError(f"stride {self.stride}: must be 1 up to the tile size, {self.tile}, to miss no pixel")

    @property
    def cols(self) -> int:
        """Number of windows in a row."""
        return _count(self.width, self.tile, self.stride)

    @property
    def rows(self) -> int:
        """Number of windows in a column."""
        return _count(self.height, self.tile, self.stride)

    def __len__(self) -> int:
        """Return the number of windows."""
        return self.rows * self.cols

    def __iter__(self) -> Iterator[Window]:
        """Yield the windows row by row."""
        return (self.window(index) for index in range(len(self)))

    def __getitem__(self, index: int) -> Window:
        """Return a window, see `window`."""
        return self.window(index)

    def window(self, index: int) -> Window:
        """Return a window by its number.

        Args:
            index: 0 up to the number of windows, row by row.

        Returns:
            The window in level pixels.

        Raises:
            UsageError: If there is no such window.
        """
        if not 0 <= index < len(self):
            raise UsageError(f"window {index}: the grid has windows 0 to {len(self) - 1}")
        row, col = divmod(index, self.cols)
        width, height = min(self.tile, self.width), min(self.tile, self.height)
        col_off, row_off = min(col * self.stride, self.width - width), min(row * self.stride, self.height - height)
        return Window(col_off, row_off, width, height)


def _count(size: int, tile: int, stride: int) -> int:
    """Windows along one axis."""
    return 1 if size <= tile else -(-(size - tile) // stride) + 1
