"""Boxes of other programs, to and from the canonical box.

Each `from_` gives canonical boxes; each `to_` accepts any box and follows the other program's ranges. Corner polygons
are the only form that cannot be misread: see `to_polygons` and `from_polygons`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.boxes.convention import QUARTER_TURN, FloatArray, as_boxes, as_rows, canonical, hulls, wrap
from swathe.errors import UsageError


def to_opencv(boxes: npt.ArrayLike) -> FloatArray:
    """Convert to the rotated rectangles of OpenCV 4.5.1 and later (`minAreaRect`, `boxPoints`).

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.

    Returns:
        Rows (n, 5) of cx, cy, width, height in pixels and the angle in (0, 90] degrees, clockwise; the sides are not
        ordered. A row r is OpenCV's ((r[0], r[1]), (r[2], r[3]), r[4]). Coordinates are not shifted: add 0.5 to what
        OpenCV measured on pixel indices, which name pixel centres.

    Raises:
        UsageError: If the boxes are malformed.
    """
    result = canonical(boxes)
    turned = result[:, 4] <= 0.0
    result[turned, 2:4] = result[turned, 3:1:-1]
    result[:, 4] = np.degrees(result[:, 4]) + np.where(turned, 90.0, 0.0)
    return result


def from_opencv(rectangles: npt.ArrayLike) -> FloatArray:
    """Convert from the rotated rectangles of OpenCV; the ranges of older versions are understood as well.

    Args:
        rectangles: Rows (n, 5) of cx, cy, width, height in pixels and the angle in degrees, clockwise.

    Returns:
        Canonical boxes (n, 5).

    Raises:
        UsageError: If the rectangles are malformed.
    """
    result = as_boxes(rectangles, "rectangles").copy()
    result[:, 4] = np.radians(result[:, 4])
    return canonical(result)


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


def to_mmrotate_le90(boxes: npt.ArrayLike) -> FloatArray:
    """Convert to mmrotate's `le90` boxes, which are the canonical ones.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.

    Returns:
        Rows (n, 5) of cx, cy, long side, short side in pixels and the angle in [-pi/2, pi/2) radians, clockwise.

    Raises:
        UsageError: If the boxes are malformed.
    """
    return canonical(boxes)


def from_mmrotate_le90(rows: npt.ArrayLike) -> FloatArray:
    """Convert from mmrotate's `le90` boxes.

    Args:
        rows: Rows (n, 5) of cx, cy, long side, short side in pixels and the angle in radians, clockwise.

    Returns:
        Canonical boxes (n, 5).

    Raises:
        UsageError: If the rows are malformed.
    """
    return canonical(rows)


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


def to_axis_aligned(boxes: npt.ArrayLike) -> FloatArray:
    """Convert to axis-aligned hulls; the angle is lost unless it is a multiple of a quarter turn.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.

    Returns:
        Rectangles (n, 4) as xmin, ymin, xmax, ymax in pixels.

    Raises:
        UsageError: If the boxes are malformed.
    """
    return hulls(boxes)


def from_axis_aligned(rectangles: npt.ArrayLike) -> FloatArray:
    """Convert from axis-aligned rectangles.

    Args:
        rectangles: Rectangles (n, 4) as xmin, ymin, xmax, ymax in pixels.

    Returns:
        Canonical boxes (n, 5) with theta 0 for wide and -pi/2 for tall rectangles.

    Raises:
        UsageError: If the rectangles are malformed or a minimum lies beyond its maximum.
    """
    corners = as_rows(rectangles, (4,), "rectangles")
    sides = corners[:, 2:] - corners[:, :2]
    if (sides < 0.0).any():
        row = int(np.flatnonzero((sides < 0.0).any(axis=1))[0])
        raise UsageError(f"rectangles: row {row} is not xmin, ymin, xmax, ymax ({corners[row].tolist()})")
    centres = corners[:, :2] + 0.5 * sides
    return canonical(np.concatenate([centres, sides, np.zeros((len(corners), 1))], axis=1))
