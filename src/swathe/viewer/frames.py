"""Tiles and what they show: squares of web Mercator, or of one scene's pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from swathe.query.values import Bounds

TILE = 512  # pixels along the side of a tile
DEEPEST = 24  # zoom
Floats: TypeAlias = npt.NDArray[np.float64]


class Frame(Protocol):
    """What a tile shows of a plane of geometry coordinates."""

    @property
    def zoom(self) -> int:
        """Zoom: one more is half the side."""
        ...

    @property
    def bounds(self) -> Bounds:
        """xmin, ymin, xmax, ymax in geometry coordinates."""
        ...

    def place(self, points: Floats) -> Floats:
        """Bring points (n, ..., 2) from geometry coordinates to shares of the tile's side, y down."""
        ...

    def inside_of(self, levels: int) -> tuple[Frame, int, int, int]:
        """Tell in which larger tile it lies.

        Args:
            levels: Of zoom, up to its own zoom.

        Returns:
            The larger tile; the column and the row in it; and how many fit along its side.
        """
        ...


class _Tile:
    zoom: int
    column: int
    row: int

    def inside_of(self, levels: int) -> tuple[Self, int, int, int]:
        """See `Frame`."""
        parts = 1 << levels
        column, row = divmod(self.column, parts), divmod(self.row, parts)
        larger = replace(self, zoom=self.zoom - levels, column=column[0], row=row[0])  # type: ignore[type-var]
        return larger, column[1], row[1], parts


@dataclass(frozen=True)
class GroundFrame(_Tile):
    """A tile of web Mercator; geometry coordinates are longitude and latitude in degrees."""

    zoom: int
    column: int
    row: int

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north in degrees."""
        (west, north), (east, south) = self.unplace(np.array([[0.0, 0.0], [1.0, 1.0]])).tolist()
        return west, south, east, north

    def place(self, points: Floats) -> Floats:
        """Bring longitude, latitude (n, ..., 2) to shares of the tile, by the short way around the earth."""
        side = 2.0**self.zoom
        x = points[..., 0] / 360.0 + 0.5 - (self.column + 0.5) / side
        y = 0.5 - np.arcsinh(np.tan(np.radians(points[..., 1]))) / (2.0 * math.pi)
        return np.stack([(x - np.round(x)) * side + 0.5, y * side - self.row], axis=-1)

    def unplace(self, shares: Floats) -> Floats:
        """Bring shares of the tile (n, 2) to longitude, latitude."""
        x, y = ((shares + np.array([self.column, self.row])) / 2.0**self.zoom).T
        latitudes = np.degrees(np.arctan(np.sinh(math.pi * (1.0 - 2.0 * y))))
        return np.column_stack([x * 360.0 - 180.0, latitudes])


@dataclass(frozen=True)
class PixelFrame(_Tile):
    """A tile of a scene: at its deepest zoom a pixel of the tile is one of the scene."""

    width: int  # of the scene, pixels
    height: int  # of the scene, pixels
    zoom: int
    column: int
    row: int

    @property
    def scale(self) -> float:
        """Tile pixels per scene pixel."""
        return 2.0 ** (self.zoom - pixel_zoom(self.width, self.height))

    @property
    def bounds(self) -> Bounds:
        """xmin, ymin, xmax, ymax in scene pixels."""
        side = TILE / self.scale
        return self.column * side, self.row * side, (self.column + 1) * side, (self.row + 1) * side

    def place(self, points: Floats) -> Floats:
        """Bring scene pixels (n, ..., 2) to shares of the tile."""
        return np.asarray(points * self.scale / TILE - (self.column, self.row))


def pixel_zoom(width: int, height: int) -> int:
    """Return the zoom at which a tile shows the pixels of a scene as they are."""
    return max(0, math.ceil(math.log2(max(width, height) / TILE)))
