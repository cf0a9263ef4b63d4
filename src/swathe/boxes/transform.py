"""Affine maps of boxes: between pyramid levels, windows and scenes, and for augmentation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from swathe.boxes.convention import FloatArray, as_boxes, as_rows, to_polygons
from swathe.boxes.rectangle import from_polygons
from swathe.errors import UsageError


def shift(boxes: npt.ArrayLike, dx: float, dy: float) -> FloatArray:
    """Move boxes.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        dx: Distance to the right, pixels.
        dy: Distance down, pixels.

    Returns:
        Moved boxes (n, 5).

    Raises:
        UsageError: If the boxes are malformed or a distance is not finite.
    """
    if not (math.isfinite(dx) and math.isfinite(dy)):
        raise UsageError(f"boxes cannot be shifted by ({dx!r}, {dy!r}); both distances must be finite")
    return np.asarray(as_boxes(boxes) + np.array([dx, dy, 0.0, 0.0, 0.0]))


def scale(boxes: npt.ArrayLike, factor: float) -> FloatArray:
    """Scale boxes about the origin, as from scene to level coordinates.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        factor: Target pixels per source pixel, above 0.

    Returns:
        Scaled boxes (n, 5); angles stay.

    Raises:
        UsageError: If the boxes are malformed or the factor is not a positive number.
    """
    if not (math.isfinite(factor) and factor > 0.0):
        raise UsageError(f"boxes cannot be scaled by {factor!r}; the factor must be above 0")
    return np.asarray(as_boxes(boxes) * np.array([factor, factor, factor, factor, 1.0]))


def affine(boxes: npt.ArrayLike, matrix: npt.ArrayLike) -> FloatArray:
    """Map boxes by an affine matrix; exact for shifts, rotations, mirrors and uniform scales.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        matrix: Matrix (2, 3), or (3, 3) with the last row 0 0 1, for columns (x, y, 1).

    Returns:
        Canonical boxes (n, 5): the minimum-area rectangle of each image, which for other maps is a parallelogram.

    Raises:
        UsageError: If the boxes or the matrix are malformed.
    """
    return from_polygons(affine_polygons(to_polygons(boxes), matrix))


def affine_polygons(polygons: npt.ArrayLike, matrix: npt.ArrayLike) -> FloatArray:
    """Map corners by an affine matrix.

    Args:
        polygons: Corners (n, 4, 2) as (x, y) in pixels.
        matrix: Matrix (2, 3), or (3, 3) with the last row 0 0 1, for columns (x, y, 1).

    Returns:
        Mapped corners (n, 4, 2); a mirror reverses their orientation.

    Raises:
        UsageError: If the corners or the matrix are malformed.
    """
    corners, rows = as_rows(polygons, (4, 2), "polygons"), as_rows(matrix, (3,), "matrix")
    if rows.shape not in ((2, 3), (3, 3)) or (len(rows) == 3 and rows[2].tolist() != [0.0, 0.0, 1.0]):
        raise UsageError(f"an affine matrix is (2, 3), or (3, 3) with the last row 0 0 1, not {rows.tolist()}")
    return np.asarray(corners @ rows[:2, :2].T + rows[:2, 2])
