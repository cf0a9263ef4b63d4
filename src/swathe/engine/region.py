"""The region that a run is asked for: which windows touch it, and which detections lie in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.detections import Detections, SceneInfo
from swathe.engine.raw import RawDetections
from swathe.engine.settings import RunSettings
from swathe.query import Query
from swathe.raster.grid import Grid


def touched(region: Query, scene: SceneInfo, grid: Grid, scale: float) -> tuple[int, ...]:
    """Find the windows that touch a region.

    Args:
        region: Box, polygon or areas.
        scene: The scene.
        grid: Windows of a level, level pixels.
        scale: Level pixels per scene pixel.

    Returns:
        Indexes of the windows in the grid, rising; none where the scene cannot be in the region at all.
    """
    if not region.admits(scene):
        return ()
    windows = [grid[index] for index in range(len(grid))]
    sides = np.array([(window.width, window.height) for window in windows]) / scale
    corners = np.array([(window.col_off, window.row_off) for window in windows]) / scale
    boxes = np.column_stack([corners + sides / 2, sides, np.zeros(len(windows))])
    return tuple(np.flatnonzero(region.touch_mask(_placed(boxes, scene).footprints())).tolist())


def wanted(found: RawDetections, scene: SceneInfo, settings: RunSettings) -> RawDetections:
    """Keep what has its centre in the region of a run; everything if there is none.

    Args:
        found: Detections of a scene after the merge.
        scene: The scene.
        settings: The region.

    Returns:
        The detections that stay.
    """
    if settings.region is None:
        return found
    centres = _placed(found.boxes, scene).centre_points()
    return found.take(np.flatnonzero(settings.region.touch_mask(centres)))


def _placed(boxes: npt.NDArray[np.float64], scene: SceneInfo) -> Detections:
    """Return boxes in scene pixels as detections, which know how to place them on the ground."""
    zeros = np.zeros(len(boxes))
    return Detections.from_arrays(boxes, zeros, zeros.astype(np.int64), ("window",), scene, "plan")
