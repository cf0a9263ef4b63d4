"""Whether a run would profit from converting a scene first, by counting the pixels that have to be decoded.

The rule: a decoder gives whole blocks, so each row of windows costs the blocks that it touches. They are decoded once
if GDAL's cache holds them until the row is done, and else for each window, or each strip of the row band of untiled
files. PNG and JPEG files are decoded from their start, by each worker. Where no overview serves a scale, the next finer
resolution is decoded, at scale 1/2 four pixels for each one that is needed. The same count for the file that `swathe
convert` would write is what remains; the gain is how many times more it is now.

The rule is cautious beside the times in `benchmarks/results/reads-windows.json`: at scale 1/2, where it says 3 to 4
times, windows of a compressed file took 4.6 times longer without overviews than with them, and PNG 2.6 times longer at
scale 1, where one worker gains nothing by the rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from swathe.raster.band import STRIP_ROWS, segment
from swathe.raster.environment import CACHE_BYTES
from swathe.raster.grid import Grid
from swathe.raster.pyramid import Level, choose_overview
from swathe.raster.scene import Scene

LEAST_GAIN = 1.5  # below this the conversion costs more than it saves
LEAST_WINDOWS = 64  # of a scene over all scales; fewer are read in seconds anyhow
CONVERTED_BLOCK = 512  # side of the tiles that `swathe convert` writes, pixels
# Windows looked at along a side. The pattern repeats, so the rest of a longer side costs as much for each; a small file
# may declare a scene of millions of windows.
MOST_SPANS = 10_000


@dataclass(frozen=True)
class Advice:
    """What a run would gain from converting a scene."""

    scene: str  # scene id
    gain: float  # pixels decoded now for each one decoded after converting
    reason: str  # what makes the difference


def advise(scene: Scene, scales: Sequence[float], tile: int, stride: int, workers: int) -> Advice | None:
    """Tell whether a run would profit from converting a scene first.

    Args:
        scene: The scene.
        scales: Scales to look at, level pixels per scene pixel.
        tile: Side of the windows, level pixels.
        stride: Step between windows, level pixels.
        workers: Processes that read, at least 1.

    Returns:
        The advice; None if the gain is small, or the scene is.
    """
    grids = {scale: _grid(scene, scale, tile, stride) for scale in scales}
    if sum(map(len, grids.values())) < LEAST_WINDOWS:
        return None
    after = converted(scene)
    now, with_overviews, then = (
        sum(decoded_pixels(version, scale, grid, workers) for scale, grid in grids.items())
        for version in (scene, replace(scene, overviews=after.overviews), after)
    )
    if now / then < LEAST_GAIN:
        return None
    blocks_matter_more = with_overviews / then > now / with_overviews
    return Advice(scene.id, round(now / then, 1), _reason(scene, scales, blocks=blocks_matter_more))


def _grid(scene: Scene, scale: float, tile: int, stride: int) -> Grid:
    level = Level.of(scene.width, scene.height, scale)
    return Grid(level.width, level.height, tile, stride)


def converted(scene: Scene) -> Scene:
    """Return the description of a scene after `swathe convert`, as far as reading goes."""
    factors, factor = [], 2
    while max(scene.width, scene.height) * 2 > CONVERTED_BLOCK * factor:
        factors.append(factor)
        factor *= 2
    block = (CONVERTED_BLOCK, CONVERTED_BLOCK)
    return replace(scene, overviews=tuple(factors), block_shape=block, tiled=True, sequential=False)


def decoded_pixels(scene: Scene, scale: float, grid: Grid, workers: int) -> float:
    """Count the pixels that a decoder has to give for one level of a scene.

    Args:
        scene: The scene.
        scale: Level pixels per scene pixel.
        grid: The windows.
        workers: Processes that read.

    Returns:
        Pixels of the resolution that serves the level.
    """
    overview = choose_overview(scene.overviews, scale)
    factor = 1 if overview is None else scene.overviews[overview]
    width, height, ratio = scene.width / factor, scene.height / factor, 1.0 / (scale * factor)
    if scene.sequential:
        return width * height * min(workers, grid.rows)
    block_rows, block_columns = scene.block_shape
    first = grid[0]
    rows = _covered(grid.height, grid.rows, grid, ratio, block_rows, height)
    pixel = len(scene.bands) * np.dtype(scene.dtype).itemsize
    window_rows = math.ceil(first.height * ratio / block_rows + 1) * block_rows
    if min(window_rows, height) * width * pixel <= CACHE_BYTES:
        rows = min(rows, workers * height)  # neighbouring rows of windows find the blocks they share in the cache
    elif scene.tiled:
        return rows * _covered(grid.width, grid.cols, grid, ratio, block_columns, width)
    elif block_rows * block_columns * pixel > CACHE_BYTES:
        rows *= math.ceil(first.height / STRIP_ROWS)  # the band is read strip by strip
    return rows * width * (1 if scene.tiled else _segments(scene, scale, grid))


def _covered(side: int, count: int, grid: Grid, ratio: float, block: int, size: float) -> float:
    """Add up what blocks cover of the windows along a side of a grid, in pixels of the resolution that serves it."""
    length = min(grid.tile, side)
    starts = np.minimum(np.arange(min(count, MOST_SPANS)) * grid.stride, side - length)
    first = np.floor(starts * ratio / block) * block
    last = np.minimum(np.ceil((starts + length) * ratio / block) * block, size)
    return float((last - first).sum()) * count / len(starts)


def _segments(scene: Scene, scale: float, grid: Grid) -> int:
    """Count how often the row band of an untiled file decodes a row, over its full width each time."""
    level = Level.of(scene.width, scene.height, scale)
    count, number = 0, 0
    while number < grid.cols:
        count, end = count + 1, segment(level, grid[number]).stop
        # The first window that the band, which ends there, does not hold.
        number = grid.cols if end >= level.width else max(number, (end - grid.tile) // grid.stride) + 1
    return count


def _reason(scene: Scene, scales: Sequence[float], *, blocks: bool) -> str:
    """Name what makes the difference."""
    if scene.sequential:
        return "it can only be decoded from its start, which each worker does"
    served = converted(scene).overviews
    poor = [scale for scale in scales if _finest(scene.overviews, scale) < _finest(served, scale)]
    if poor and not blocks:
        return f"it has no overview for scale {', '.join(f'{scale:g}' for scale in poor)}"
    rows, columns = scene.block_shape
    return f"its blocks of {columns} x {rows} pixels reach far beyond the windows"


def _finest(factors: Sequence[int], scale: float) -> int:
    """Return how many times smaller the resolution is that serves a scale."""
    overview = choose_overview(factors, scale)
    return 1 if overview is None else factors[overview]
