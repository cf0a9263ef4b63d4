"""The windows of a level by index arithmetic: a level of a million windows takes four numbers.

Windows step by `stride` from the top left; the last one of a row or column is shifted back inside. A level that is
smaller than the tile in a direction has one window of the level's own size there. A fitted grid has as many windows,
but they are only as wide and as high as they must be to overlap by as much, and spread evenly: nothing is looked at for
the shift of the last one alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from swathe.errors import UsageError
from swathe.raster.window import Window

FITTED_STEP = 32  # sides of fitted windows are multiples of this, pixels, as those of networks are


@dataclass(frozen=True)
class Grid:
    """All windows of a level, numbered row by row."""

    width: int  # columns of the level
    height: int  # rows of the level
    tile: int  # side of the square windows, level pixels
    stride: int  # step between windows, level pixels
    fitted: bool = False  # whether windows are made smaller than the tile where they need not be as large

    def __post_init__(self) -> None:
        """Refuse sizes that leave pixels uncovered."""
        if self.width < 1 or self.height < 1:
            raise UsageError(f"a level of {self.width} x {self.height} pixels cannot be cut into windows")
        if self.tile < 1:
            raise UsageError(f"tile {self.tile}: must be at least 1 pixel")
        if not 0 < self.stride <= self.tile:
            raise UsageError(f"stride {self.stride}: must be 1 up to the tile size, {self.tile}, to miss no pixel")

    @property
    def window_width(self) -> int:
        """Columns of every window."""
        return self._side(self.width)

    @property
    def window_height(self) -> int:
        """Rows of every window."""
        return self._side(self.height)

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
        width, height = self.window_width, self.window_height
        if self.fitted:
            col_off = col * (self.width - width) // max(1, self.cols - 1)
            row_off = row * (self.height - height) // max(1, self.rows - 1)
        else:
            col_off, row_off = min(col * self.stride, self.width - width), min(row * self.stride, self.height - height)
        return Window(col_off, row_off, width, height)

    def _side(self, size: int) -> int:
        """Side of the windows along an axis of the level."""
        side = self.tile
        if self.fitted:
            count = _count(size, self.tile, self.stride)
            least = -(-(size + (count - 1) * (self.tile - self.stride)) // count)
            side = min(side, -(-least // FITTED_STEP) * FITTED_STEP)
        return min(side, size)


def _count(size: int, tile: int, stride: int) -> int:
    """Windows along one axis."""
    return 1 if size <= tile else -(-(size - tile) // stride) + 1
