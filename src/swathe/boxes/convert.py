"""Boxes of other programs, to and from the canonical box.

Each `from_` gives canonical boxes; each `to_` accepts any box and follows the other program's ranges. Corner polygons
are the only form that cannot be misread: see `to_polygons` and `from_polygons`.
"""

from __future__ import annotations

import numpy.typing as npt

from swathe.boxes.convention import QUARTER_TURN, FloatArray, as_boxes, canonical, wrap


def to_yolov5_obb(boxes: npt.ArrayLike) -> FloatArray:
    """Convert to the long-side boxes of yolov5_obb, whose angle runs counter-clockwise.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.

    Returns:
        Rows (n, 5) of cx, cy, long side, short side in pixels and the angle in [-pi/2, pi/2) radians,
        counter-clockwise. Its angle class is the angle in degrees plus 90.

    Raises:
        UsageError: If the boxes are malformed.
    """
    result = canonical(boxes)
    result[:, 4] = wrap(-result[:, 4], -QUARTER_TURN)
    return result


def from_yolov5_obb(rows: npt.ArrayLike) -> FloatArray:
    """Convert from the long-side boxes of yolov5_obb.

    Args:
        rows: Rows (n, 5) of cx, cy, long side, short side in pixels and the angle in radians, counter-clockwise.

    Returns:
        Canonical boxes (n, 5).

    Raises:
        UsageError: If the rows are malformed.
    """
    result = as_boxes(rows, "rows").copy()
    result[:, 4] = -result[:, 4]
    return canonical(result)


def to_ultralytics(boxes: npt.ArrayLike) -> FloatArray:
    """Convert to the `xywhr` boxes of Ultralytics.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.

    Returns:
        Rows (n, 5) of cx, cy, width, height in pixels and the angle in [-pi/4, 3 pi/4) radians, clockwise.

    Raises:
        UsageError: If the boxes are malformed.
    """
    result = canonical(boxes)
    result[:, 4] = wrap(result[:, 4], -0.5 * QUARTER_TURN)
    return result


def from_ultralytics(rows: npt.ArrayLike) -> FloatArray:
    """Convert from the `xywhr` boxes of Ultralytics, with the unbounded angle of version 26 too.

    Args:
        rows: Rows (n, 5) of cx, cy, width, height in pixels, in any order of the sides, and any angle in radians,
            clockwise.

    Returns:
        Canonical boxes (n, 5).

    Raises:
        UsageError: If the rows are malformed.
    """
    return canonical(rows)
