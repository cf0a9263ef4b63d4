"""Levels: the scene at one scale each, and the overview that serves a scale best.

A level at scale s has ceil(width s) by ceil(height s) pixels, and level coordinates are scene coordinates times s,
exactly: its last column and row may reach beyond the scene by less than one level pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swathe.errors import UsageError

# Keeps products such as 0.1 * 30 = 3.0000000000000004 from adding a column.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Level:
    """A scene at one scale."""

    scale: float  # level pixels per scene pixel
    width: int  # columns
    height: int  # rows

    def __post_init__(self) -> None:
        """Refuse scales and sizes that are none."""
        _check(self.scale)
        if self.width < 1 or self.height < 1:
            raise UsageError(f"a level of {self.width} x {self.height} pixels is empty")

    @classmethod
    def of(cls, width: int, height: int, scale: float) -> Level:
        """Return the level of a scene.

        Args:
            width: Columns of the scene.
            height: Rows of the scene.
            scale: Level pixels per scene pixel.

        Returns:
            The level, at least one pixel wide and high.

        Raises:
            UsageError: If the scale is not above 0.
        """
        _check(scale)
        return cls(scale, *(max(1, math.ceil(size * scale - ROUNDING)) for size in (width, height)))


def _check(scale: float) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise UsageError(f"scale {scale}: must be a number above 0, for instance 0.5")


def levels(width: int, height: int, scales: Sequence[float]) -> tuple[Level, ...]:
    """Return the levels of a scene.

    Args:
        width: Columns of the scene.
        height: Rows of the scene.
        scales: Level pixels per scene pixel, for each level.

    Returns:
        One level per scale, in the same order.

    Raises:
        UsageError: If a scale is not above 0.
    """
    return tuple(Level.of(width, height, scale) for scale in scales)


def choose_overview(factors: Sequence[int], scale: float) -> int | None:
    """Choose the coarsest overview that is not coarser than a level.

    Args:
        factors: How many times smaller each overview is than the scene.
        scale: Scale of the level.

    Returns:
        Place of the overview among the factors, or None if the scene itself has to be read.
    """
    usable = [place for place, factor in enumerate(factors) if 1 < factor <= 1.0 / scale + ROUNDING]
    return max(usable, key=lambda place: factors[place], default=None)
