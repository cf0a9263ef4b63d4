"""A window: the part of a level that is looked at at once."""

from __future__ import annotations

from dataclasses import dataclass

from swathe.errors import UsageError


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels of a level."""

    col_off: int  # left edge, level pixels
    row_off: int  # top edge, level pixels
    width: int  # columns
    height: int  # rows

    def __post_init__(self) -> None:
        """Refuse a window that holds no pixel or begins before the first one."""
        if self.width < 1 or self.height < 1 or self.col_off < 0 or self.row_off < 0:
            raise UsageError(f"window {self}: must start at column and row 0 or later and hold at least one pixel")

    def __str__(self) -> str:
        """Name the columns and rows it covers."""
        right, bottom = self.col_off + self.width, self.row_off + self.height
        return f"columns {self.col_off} to {right}, rows {self.row_off} to {bottom}"
