"""The canonical oriented box, its corners and its axis-aligned hull.

A box is a row (cx, cy, w, h, theta) of float64: centre and sides in pixels, w the long side, theta in radians in
[-pi/2, pi/2), the direction of the long side measured from +x (right) towards +y (down), clockwise on screen.
Pixel (0, 0) covers [0, 1) x [0, 1). Functions accept unordered sides and any angle unless they say otherwise.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.errors import UsageError

FloatArray: TypeAlias = npt.NDArray[np.float64]
IndexArray: TypeAlias = npt.NDArray[np.int64]

QUARTER_TURN = np.pi / 2.0
LARGEST = 1e12  # pixels; beyond it areas lose all meaning in float64
CORNER_SIGNS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])  # of w and h: clockwise on screen


def as_rows(values: npt.ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    """Check an argument of n rows of a fixed shape.

    Args:
        values: Array or nested sequence of shape (n, *shape); anything of size 0 counts as no rows.
        shape: Shape of one row.
        name: What the rows are called, for messages.

    Returns:
        The values as a C-contiguous float64 array, not copied if they are one already.

    Raises:
        UsageError: If the shape is another one, or a value is not a number, not finite or beyond 1e12.
    """
    wanted = f"({', '.join(['n', *map(str, shape)])})"
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} cannot be read as numbers of shape {wanted} ({error}); pass one array") from error
    if array.size == 0:
        return np.zeros((0, *shape))
    if array.shape[1:] != shape or array.ndim != len(shape) + 1:
        raise UsageError(f"{name} must have the shape {wanted}, not {array.shape}; put a single one into a list")
    if not (array.min() >= -LARGEST and array.max() <= LARGEST):  # nor where a value is NaN
        usable = np.abs(array) <= LARGEST
        row = int(np.flatnonzero(~usable.reshape(len(array), -1).all(axis=1))[0])
        raise UsageError(
            f"{name}: row {row} holds a value that is not finite or beyond 1e12 ({array[row].tolist()}); "
            "remove such rows first"
        )
    return array


def as_boxes(boxes: npt.ArrayLike, name: str = "boxes") -> FloatArray:
    """Check an argument of boxes.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians; sides in any order, any angle.
        name: What they are called, for messages.

    Returns:
        The boxes as a C-contiguous float64 array, not copied if they are one already.

    Raises:
        UsageError: If the shape is another one, a value is not finite or beyond 1e12, or a side is negative.
    """
    array = as_rows(boxes, (5,), name)
    if array.size and array[:, 2:4].min() < 0.0:
        row = int(np.flatnonzero((array[:, 2:4] < 0.0).any(axis=1))[0])
        raise UsageError(f"{name}: row {row} has a negative side ({array[row].tolist()}); sides are lengths >= 0")
    return array


def wrap(angles: FloatArray, start: float) -> FloatArray:
    """Bring angles of undirected lines into half a turn; angles that lie in it already are returned unchanged.

    Args:
        angles: Angles of any shape, radians.
        start: Start of the half turn, radians.

    Returns:
        Angles in [start, start + pi), radians.
    """
    wrapped = np.remainder(angles - start, np.pi) + start
    wrapped = np.where(wrapped >= start + np.pi, start, wrapped)  # the remainder of -1e-17 rounds up to pi itself
    return np.where((angles >= start) & (angles < start + np.pi), angles, wrapped)


def canonical(boxes: npt.ArrayLike) -> FloatArray:
    """Order the sides so that w >= h and bring the angle into [-pi/2, pi/2).

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians; sides in any order, any angle.

    Returns:
        The same rectangles as new canonical boxes (n, 5). Doing it twice changes nothing.

    Raises:
        UsageError: If the boxes are malformed (see `as_boxes`).
    """
    result = as_boxes(boxes).copy()
    swapped = result[:, 2] < result[:, 3]
    result[swapped, 2:4] = result[swapped, 3:1:-1]
    result[:, 4] = wrap(result[:, 4] + np.where(swapped, QUARTER_TURN, 0.0), -QUARTER_TURN)
    return result


def to_polygons(boxes: npt.ArrayLike) -> FloatArray:
    """Compute the corners c + R(theta) (+-w/2, +-h/2), R = [[cos, -sin], [sin, cos]].

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.

    Returns:
        Corners (n, 4, 2) as (x, y) in pixels, clockwise on screen; the first side is w.

    Raises:
        UsageError: If the boxes are malformed (see `as_boxes`).
    """
    array = as_boxes(boxes)
    cosine, sine = np.cos(array[:, 4]), np.sin(array[:, 4])
    half_w = 0.5 * array[:, 2:3] * np.stack([cosine, sine], axis=1)
    half_h = 0.5 * array[:, 3:4] * np.stack([-sine, cosine], axis=1)
    offsets = CORNER_SIGNS[:, 0, None] * half_w[:, None] + CORNER_SIGNS[:, 1, None] * half_h[:, None]
    return np.asarray(array[:, None, :2] + offsets)


def hulls(boxes: npt.ArrayLike) -> FloatArray:
    """Compute the smallest axis-aligned rectangle around each box.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.

    Returns:
        Rectangles (n, 4) as xmin, ymin, xmax, ymax in pixels.

    Raises:
        UsageError: If the boxes are malformed (see `as_boxes`).
    """
    array = as_boxes(boxes)
    cosine, sine = np.abs(np.cos(array[:, 4])), np.abs(np.sin(array[:, 4]))
    width, height = array[:, 2], array[:, 3]
    half = 0.5 * np.stack([width * cosine + height * sine, width * sine + height * cosine], axis=1)
    return np.concatenate([array[:, :2] - half, array[:, :2] + half], axis=1)
