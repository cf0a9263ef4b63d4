"""Synthetic scenes of any size with objects whose place is known exactly.

A scene is a value made from a seed: objects that do not touch each other, and a rule that says the colour of every
point, so that any window at any scale can be drawn without drawing the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from swathe.boxes import canonical, hulls, to_polygons
from swathe.errors import UsageError
from swathe.raster.scene import Scene

CLASS_NAMES = ("ship", "vehicle", "building")
COLOURS = np.array([(225, 225, 215), (200, 60, 50), (70, 110, 210), (235, 190, 60), (150, 80, 190), (60, 170, 110)])
GROUND, GROUND_STEP, CHECK = 88, 14, 48  # grey levels of the chequered ground, and the side of its squares in pixels
STRIP_ROWS = 512  # rows drawn at once when a scene is written


@dataclass(frozen=True)
class SyntheticScene:
    """Ground truth of a made-up scene."""

    id: str  # scene id, also the stem of files written from it
    width: int  # pixels
    height: int  # pixels
    boxes: npt.NDArray[np.float64]  # (n, 5) canonical, scene pixels, all inside and apart from each other
    classes: npt.NDArray[np.int64]  # (n,) index into class_names
    class_names: tuple[str, ...] = CLASS_NAMES

    def polygons(self) -> npt.NDArray[np.float64]:
        """Return the corners of the objects, (n, 4, 2), scene pixels."""
        return to_polygons(self.boxes)


@dataclass(frozen=True)
class ObjectRule:
    """What the objects of a synthetic scene look like."""

    count: int = 40  # how many are wanted; fewer if they do not fit
    long_side: tuple[float, float] = (16.0, 60.0)  # range of the long side, pixels
    aspect: tuple[float, float] = (1.0, 5.0)  # range of long side over short side
    gap: float = 3.0  # least distance between the circles around two objects, pixels
    class_names: tuple[str, ...] = field(default=CLASS_NAMES)

    def __post_init__(self) -> None:
        """Refuse ranges that no object fits."""
        for name, (low, high), least in (("long_side", self.long_side, 0.0), ("aspect", self.aspect, 1.0)):
            if not least <= low <= high:
                raise UsageError(f"{name} {low} to {high}: must be a rising range from at least {least}")


def synthetic_scene(
    width: int, height: int, *, seed: int, rule: ObjectRule | None = None, scene_id: str = "synthetic"
) -> SyntheticScene:
    """Make a scene.

    Args:
        width: Pixels.
        height: Pixels.
        seed: Equal seeds make equal scenes.
        rule: What the objects look like.
        scene_id: Id of the scene.

    Returns:
        The scene; objects keep a pixel's distance from its edges.
    """
    rule = rule or ObjectRule()
    random = np.random.default_rng(seed)
    boxes = np.array(list(_placed(width, height, rule, random))).reshape(-1, 5)
    classes = random.integers(0, len(rule.class_names), len(boxes))
    return SyntheticScene(scene_id, width, height, canonical(boxes), classes, rule.class_names)


def _placed(width: int, height: int, rule: ObjectRule, random: np.random.Generator) -> Iterator[tuple[float, ...]]:
    """Draw objects at random and keep those whose circle touches no other; a coarse grid finds the neighbours."""
    cell = math.hypot(rule.long_side[1], rule.long_side[1] / rule.aspect[0]) + rule.gap
    taken: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    placed = 0
    for _ in range(rule.count * 20):
        if placed == rule.count:
            return
        long_side = random.uniform(*rule.long_side)
        short_side = long_side / random.uniform(*rule.aspect)
        radius = math.hypot(long_side, short_side) / 2
        low, right, bottom = radius + 1.0, width - radius - 1.0, height - radius - 1.0
        theta = random.uniform(-math.pi / 2, math.pi / 2)
        x, y = random.uniform(size=2)
        if right <= low or bottom <= low:
            continue
        x, y = low + x * (right - low), low + y * (bottom - low)
        col, row = int(x // cell), int(y // cell)
        near = (other for dx in (-1, 0, 1) for dy in (-1, 0, 1) for other in taken.get((col + dx, row + dy), ()))
        if any(math.hypot(x - ox, y - oy) < radius + other_radius + rule.gap for ox, oy, other_radius in near):
            continue
        taken.setdefault((col, row), []).append((x, y, radius))
        placed += 1
        yield x, y, long_side, short_side, theta


def draw(
    scene: SyntheticScene, col_off: int, row_off: int, width: int, height: int, scale: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Draw a window of a scene at a scale.

    Args:
        scene: The scene.
        col_off: Left edge of the window, level pixels.
        row_off: Top edge of the window, level pixels.
        width: Level pixels.
        height: Level pixels.
        scale: Level pixels per scene pixel.

    Returns:
        (height, width, 3) RGB: chequered grey ground, objects filled with the colour of their class.
    """
    x = (col_off + 0.5 + np.arange(width, dtype=np.float64)) / scale
    y = (row_off + 0.5 + np.arange(height, dtype=np.float64)) / scale
    ground = GROUND + GROUND_STEP * (((x // CHECK)[None, :] + (y // CHECK)[:, None]) % 2)
    pixels = np.repeat(ground.astype(np.uint8)[:, :, None], 3, axis=2)
    around = hulls(scene.boxes).reshape(-1, 4)
    seen = (around[:, 0] < x[-1]) & (around[:, 2] > x[0]) & (around[:, 1] < y[-1]) & (around[:, 3] > y[0])
    for number in np.flatnonzero(seen):
        left, top, right, bottom = around[number]
        cols = slice(*np.searchsorted(x, (left, right)))
        rows = slice(*np.searchsorted(y, (top, bottom)))
        inside = _inside(scene.boxes[number], x[cols], y[rows])
        pixels[rows, cols][inside] = COLOURS[scene.classes[number] % len(COLOURS)]
    return pixels


def _inside(
    box: npt.NDArray[np.float64], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Tell which points of a grid (rows of y, columns of x, scene pixels) lie in a box (5,)."""
    cx, cy, w, h, theta = box
    dx, dy = x[None, :] - cx, y[:, None] - cy
    along = dx * math.cos(theta) + dy * math.sin(theta)
    across = dy * math.cos(theta) - dx * math.sin(theta)
    return np.asarray((np.abs(along) <= w / 2) & (np.abs(across) <= h / 2))


def scene_without_file(scene: SyntheticScene) -> Scene:
    """Describe a synthetic scene as the engine sees scenes, for readers that need no file.

    Args:
        scene: The scene.

    Returns:
        Its description; the URI names nothing that can be opened.
    """
    return Scene(
        id=scene.id,
        uri=f"synthetic:{scene.id}",
        width=scene.width,
        height=scene.height,
        bands=(1, 2, 3),
        dtype="uint8",
        nodata=None,
        crs=None,
        transform=None,
        overviews=(),
        tiled=True,
        block_shape=(256, 256),
        value_range=None,
        has_mask=False,
        fingerprint=(0, 0),
    )


def write_geotiff(
    scene: SyntheticScene,
    path: Path,
    *,
    tiled: bool = True,
    crs: str | None = None,
    transform: tuple[float, float, float, float, float, float] | None = None,
    overviews: tuple[int, ...] = (),
) -> Path:
    """Write a scene as an 8-bit RGB GeoTIFF, strip by strip.

    Args:
        scene: The scene.
        path: File to write.
        tiled: Blocks of 256 by 256 pixels, or strips.
        crs: Coordinate reference system; none if not given.
        transform: Affine a, b, c, d, e, f from pixels to `crs`.
        overviews: Factors of the overviews to add.

    Returns:
        The path.
    """
    import rasterio

    profile: dict[str, Any] = {"driver": "GTiff", "width": scene.width, "height": scene.height, "count": 3}
    profile |= {"dtype": "uint8", "compress": "deflate", "photometric": "rgb"}
    if tiled:
        profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    if crs is not None and transform is not None:
        profile |= {"crs": crs, "transform": rasterio.Affine(*transform)}
    with rasterio.open(path, "w", **profile) as file:
        for row in range(0, scene.height, STRIP_ROWS):
            rows = min(STRIP_ROWS, scene.height - row)
            strip = draw(scene, 0, row, scene.width, rows)
            file.write(np.moveaxis(strip, 2, 0), window=rasterio.windows.Window(0, row, scene.width, rows))
        if overviews:
            file.build_overviews(list(overviews), rasterio.enums.Resampling.average)
    return path
