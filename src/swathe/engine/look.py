"""Looking at windows: from the pixels of a batch to detections in scene coordinates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.boxes import hulls
from swathe.detectors.pixels import padded
from swathe.detectors.protocol import Detector, DetectorSpec, Tile, TileDetections
from swathe.engine.parts import Part
from swathe.engine.plan import Batch, Task
from swathe.engine.prefetch import read_ahead
from swathe.engine.raw import RawDetections
from swathe.engine.settings import RunSettings
from swathe.raster.grid import FITTED_STEP, Grid
from swathe.raster.pyramid import Level
from swathe.raster.reader import Reader, TileRead
from swathe.raster.window import Window
from swathe.stages import stage


def look_at(scene: str, batch: Batch, reader: Reader, detector: Detector, settings: RunSettings) -> Part:
    """Look at the windows of a batch.

    Args:
        scene: Id of the scene.
        batch: The windows, in row order.
        reader: Reads windows of the scene.
        detector: Finds objects in one tile.
        settings: Lowest scores, margin of cut boxes, and windows read ahead of the detector.

    Returns:
        The detections in scene coordinates, window by window, and the number of windows without data.

    Raises:
        SourceError: If a window cannot be read.
        ModelError: If the detector fails.
    """
    sides = _sides(batch.level.grid, detector.spec)
    found: list[tuple[Task, TileDetections]] = []
    waiting: list[tuple[Task, Tile]] = []
    skipped = 0

    def read(task: Task) -> TileRead:
        return reader.read(task.level, task.window)

    def detect() -> None:
        with stage("infer"):
            results = detector.detect([tile for _, tile in waiting]) if waiting else []
        found.extend((task, result) for (task, _), result in zip(waiting, results, strict=True))
        waiting.clear()

    for task, tile_read in read_ahead(read, batch.tasks(scene), settings.prefetch):
        if tile_read.valid <= 0.0:
            skipped += 1
            continue
        waiting.append((task, make_tile(task, tile_read.pixels, *sides)))
        if len(waiting) >= detector.spec.batch:
            detect()
    detect()
    raw = RawDetections.concat([to_scene(result, task, settings.cut_margin) for task, result in found])
    if settings.class_scores:
        own = dict(settings.class_scores)
        least = np.array([own.get(name, 0.0) for name in detector.spec.classes])
        raw = raw.take(np.flatnonzero(raw.scores >= least[raw.classes]))
    return Part(raw, skipped, sum(result.full for _, result in found))


def _sides(grid: Grid, spec: DetectorSpec) -> tuple[int, int]:
    """Return the height and width of the tiles that a detector is given: squares, or what its network takes."""
    if not grid.fitted:
        return grid.tile, grid.tile
    stride = FITTED_STEP if spec.card is None else spec.card.stride
    return -(-grid.window_height // stride) * stride, -(-grid.window_width // stride) * stride


def make_tile(task: Task, pixels: npt.NDArray[np.uint8], height: int, width: int) -> Tile:
    """Pad a window at the right and bottom.

    Args:
        task: The window.
        pixels: (window height, window width, bands).
        height: Rows of the tile.
        width: Columns of the tile.

    Returns:
        The tile; its pixels are not copied if they fill it already.
    """
    window = task.window
    return Tile(
        pixels=padded(pixels, height, width),
        scene=task.scene,
        scale=task.level.scale,
        col_off=window.col_off,
        row_off=window.row_off,
        width=window.width,
        height=window.height,
    )


def to_scene(found: TileDetections, task: Task, cut_margin: float) -> RawDetections:
    """Bring detections of a window into scene coordinates and mark those that its edges cut.

    A detection whose centre lies in the padding is not an object of the scene and is dropped.

    Args:
        found: Detections in tile pixels.
        task: The window.
        cut_margin: A box this close to an inner window edge counts as cut, level pixels.

    Returns:
        Detections in scene pixels (float64).
    """
    boxes = np.asarray(found.boxes, dtype=np.float64).reshape(-1, 5)
    window = task.window
    inside = (boxes[:, 0] <= window.width) & (boxes[:, 1] <= window.height)
    boxes = boxes[inside]
    cut = touches_inner_edge(boxes, task.level, window, cut_margin)
    placed = boxes.copy()
    placed[:, 0] += window.col_off
    placed[:, 1] += window.row_off
    placed[:, :4] /= task.level.scale
    return RawDetections(
        boxes=placed,
        scores=np.asarray(found.scores, dtype=np.float64)[inside],
        classes=np.asarray(found.classes, dtype=np.int64)[inside],
        cut=cut,
    )


def touches_inner_edge(
    boxes: npt.NDArray[np.float64], level: Level, window: Window, cut_margin: float
) -> npt.NDArray[np.bool_]:
    """Tell which boxes a window edge may have cut. The edges of the level itself cut nothing.

    Args:
        boxes: (n, 5) canonical boxes in tile pixels.
        level: The level, for its size.
        window: The window in level pixels.
        cut_margin: Distance of the box's hull to an edge up to which it counts as cut, level pixels.

    Returns:
        (n,) true where the box comes within the margin of an edge behind which the level goes on.
    """
    left, top, right, bottom = hulls(boxes).reshape(-1, 4).T
    cut = np.zeros(len(boxes), dtype=np.bool_)
    if window.col_off > 0:
        cut |= left <= cut_margin
    if window.row_off > 0:
        cut |= top <= cut_margin
    if window.col_off + window.width < level.width:
        cut |= right >= window.width - cut_margin
    if window.row_off + window.height < level.height:
        cut |= bottom >= window.height - cut_margin
    return cut
