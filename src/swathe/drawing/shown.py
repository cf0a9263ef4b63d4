"""Which detections a picture shows, and where in it they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from swathe.detections import Detections
    from swathe.drawing.frame import Frame
    from swathe.raster.scene import Scene


def rows_in(detections: Detections, scene: Scene, frame: Frame) -> tuple[Detections, npt.NDArray[np.float64]]:
    """Choose the detections of a scene that touch a picture.

    Args:
        detections: What was found, in several scenes perhaps.
        scene: The scene.
        frame: Size and place of the picture.

    Returns:
        The detections, and their corners (n, 4, 2) in picture pixels.
    """
    from swathe.query import Query

    rows = detections.filter(Query(scenes=(scene.id,)))
    polygons = frame.place(rows.to_polygons())
    size = (frame.width, frame.height)
    near = (polygons.max(axis=1) > 0).all(axis=1) & (polygons.min(axis=1) < size).all(axis=1)
    return rows.take(near), polygons[near]


def is_chosen(rows: Detections, chosen: str) -> npt.NDArray[np.bool_]:
    """Tell which row bears an id.

    Args:
        rows: Detections.
        chosen: Id of one of them.

    Returns:
        (n,), true for that one.
    """
    return np.asarray([own == chosen for own in rows.table.column("id").to_pylist()], dtype=np.bool_)
