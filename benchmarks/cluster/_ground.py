"""Scenes side by side in a UTM zone, with detections all over them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rasterio.crs import CRS

from swathe.detections import Detections, SceneInfo

CLASSES = tuple(f"class {number:02d}" for number in range(15))
METRES_PER_PIXEL = 0.5
SPACING = 32.0  # pixels between neighbouring objects on average


@dataclass(frozen=True)
class Ground:
    """Scenes side by side."""

    columns: int  # scenes from west to east
    rows: int  # scenes from north to south
    each: int  # detections of a scene

    @property
    def side(self) -> int:
        """Side of a scene in pixels."""
        return math.isqrt(round(SPACING**2 * self.each))

    def scene(self, number: int) -> SceneInfo:
        """Return one of the scenes."""
        row, column = divmod(number, self.columns)
        metres = self.side * METRES_PER_PIXEL
        west, north = 300_000 + column * metres, 3_100_000 - row * metres
        transform = (METRES_PER_PIXEL, 0.0, west, 0.0, -METRES_PER_PIXEL, north)
        name = f"scene {number:03d}"
        return SceneInfo(name, f"{name}.tif", self.side, self.side, CRS.from_epsg(32645).to_wkt(), transform)

    def box(self, share: float) -> tuple[float, float, float, float]:
        """Return a box around the middle that has this share of the area, in degrees."""
        half = 0.5 * share**0.5
        west, south = self._lonlat(0.5 - half, 0.5 + half)
        east, north = self._lonlat(0.5 + half, 0.5 - half)
        return west, south, east, north

    def _lonlat(self, east: float, south: float) -> tuple[float, float]:
        point = np.array([[east * self.columns * self.side, south * self.rows * self.side]])
        longitude, latitude = self.scene(0).place(point, "lonlat")[0].tolist()
        return longitude, latitude


def detections(ground: Ground, number: int, run: str) -> Detections:
    """Make the detections of a scene."""
    random = np.random.default_rng(number)
    centres = random.uniform(0, ground.side, (ground.each, 2))
    sizes = random.lognormal(3, 0.4, (ground.each, 2))
    boxes = np.column_stack([centres, sizes, random.uniform(-1.5, 1.5, ground.each)])
    weights = np.arange(len(CLASSES), 0, -1) ** 2.0
    indexes = random.choice(len(CLASSES), ground.each, p=weights / weights.sum())
    return Detections.from_arrays(boxes, random.beta(3, 2, ground.each), indexes, CLASSES, ground.scene(number), run)
