"""Scenes for the graph of `tiny_models`: it sees a ship in every red cell of 8 x 8 pixels, a plane in yellow ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from swathe.boxes import canonical, to_polygons

CELL = 8  # pixels
BOX = (30.0, 16.0, np.radians(-57.5))  # long side, short side, angle of every box
TRANSFORM = (0.5, 0.0, 9_500_000.0, 0.0, -0.5, 3_200_000.0)


@dataclass(frozen=True)
class RedCells:
    """A scene and where its objects are."""

    path: Path
    ships: tuple[tuple[int, int], ...]  # column and row of red cells, in cells
    planes: tuple[tuple[int, int], ...]  # of yellow cells

    def boxes(self, cells: tuple[tuple[int, int], ...]) -> npt.NDArray[np.float64]:
        """Return the boxes (n, 5) in scene pixels around cells."""
        return canonical([[(col + 0.5) * CELL, (row + 0.5) * CELL, *BOX] for col, row in cells])

    def dota_lines(self) -> list[str]:
        """Return the truth as lines of a DOTA label file."""
        objects = [("ship", self.ships), ("plane", self.planes)]
        return [
            f"{' '.join(map(repr, corners.reshape(-1).tolist()))} {name} 0"
            for name, cells in objects
            for corners in to_polygons(self.boxes(cells))
        ]


def write_red_cells(path: Path, *, width: int = 448, height: int = 320, georeferenced: bool = True) -> RedCells:
    """Write a tiled GeoTIFF with a ship or a plane every 64 pixels.

    Args:
        path: The file.
        width: Pixels.
        height: Pixels.
        georeferenced: In EPSG:3857, half a metre per pixel, or without reference.

    Returns:
        The scene.
    """
    import rasterio

    cells = [(col, row) for row in range(4, height // CELL - 4, 8) for col in range(4, width // CELL - 4, 8)]
    scene = RedCells(path, tuple(cells[::2]), tuple(cells[1::2]))
    pixels = np.zeros((3, height, width), dtype=np.uint8)
    for band, places in ((0, cells), (1, scene.planes)):
        for col, row in places:
            pixels[band, row * CELL : (row + 1) * CELL, col * CELL : (col + 1) * CELL] = 255
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8", "photometric": "rgb"}
    profile |= {"tiled": True, "blockxsize": 128, "blockysize": 128}
    if georeferenced:
        profile |= {"crs": "EPSG:3857", "transform": rasterio.Affine(*TRANSFORM)}
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
    return scene
