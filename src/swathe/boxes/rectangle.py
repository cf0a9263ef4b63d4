"""The smallest rectangle around a polygon: one of its sides lies along the convex hull (Freeman and Shapira, 1975)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.boxes.compiled import compiled
from swathe.boxes.convention import FloatArray, IndexArray, as_rows, canonical
from swathe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

TIE = 1e-10  # rectangles whose areas differ by less than this part are equal; the longer hull side decides


def from_polygons(polygons: npt.ArrayLike | Sequence[npt.ArrayLike]) -> FloatArray:
    """Compute the minimum-area rectangle of each polygon, whatever its orientation or shape.

    Args:
        polygons: Corners (n, k, 2) as (x, y) in pixels, or a sequence of n arrays (k_i, 2); at least 3 corners each.

    Returns:
        Canonical boxes (n, 5). A polygon on a line gives a box with h = 0.

    Raises:
        UsageError: If a shape is another one, a value is not finite, or a polygon has less than 3 corners.
    """
    points, starts = _flatten(polygons)
    return canonical(_rectangles(points, starts))


def _flatten(polygons: npt.ArrayLike | Sequence[npt.ArrayLike]) -> tuple[FloatArray, IndexArray]:
    """Put all corners into one array (N, 2), with the start of each polygon and the end."""
    if isinstance(polygons, np.ndarray) and polygons.dtype != np.object_:
        if polygons.ndim != 3 and polygons.size:
            raise UsageError(
                f"polygons must have the shape (n, k, 2), not {polygons.shape}; put a single one into a list"
            )
        lengths = np.full(len(polygons), polygons.shape[1] if polygons.ndim == 3 else 0)
        points = as_rows(polygons.reshape(-1, *polygons.shape[2:]), (2,), "corners")
    else:
        parts = [as_rows(part, (2,), f"polygon {i}") for i, part in enumerate(polygons)]  # type: ignore[arg-type]
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
        points = np.concatenate(parts) if parts else np.zeros((0, 2))
    if len(points) and lengths.min() < 3:
        raise UsageError(f"polygon {int(lengths.argmin())} has {int(lengths.min())} corners; at least 3 are needed")
    return points, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@compiled
def _convex_hull(points: FloatArray) -> FloatArray:
    """Corners (k, 2) of the convex hull of points (n, 2) without collinear ones (Andrew's monotone chain)."""
    by_y = points[np.argsort(points[:, 1], kind="mergesort")]
    ordered = by_y[np.argsort(by_y[:, 0], kind="mergesort")]
    hull, count = np.empty((2 * len(points) + 1, 2)), 0
    for part in range(2):
        floor = count + 1  # corners of the first chain are not taken off by the second
        for i in range(len(ordered)):
            x, y = ordered[i if part == 0 else len(ordered) - 1 - i]
            while count > floor:
                ax, ay = hull[count - 1] - hull[count - 2]
                if ax * (y - hull[count - 2, 1]) - ay * (x - hull[count - 2, 0]) > 0.0:
                    break
                count -= 1
            hull[count, 0], hull[count, 1] = x, y
            count += 1
        count -= 1  # the last point of a chain is the first of the next
    return hull[: max(count, 1)]


@compiled
def _along(hull: FloatArray, cosine: float, sine: float) -> tuple[float, float, float, float]:
    """Ranges of hull corners along a direction and across it: lowest, highest, lowest, highest."""
    left, right, low, high = np.inf, -np.inf, np.inf, -np.inf
    for i in range(len(hull)):
        along, across = hull[i, 0] * cosine + hull[i, 1] * sine, hull[i, 1] * cosine - hull[i, 0] * sine
        left, right, low, high = min(left, along), max(right, along), min(low, across), max(high, across)
    return left, right, low, high


@compiled
def _rectangle(points: FloatArray, box: FloatArray) -> None:
    """Write the minimum-area rectangle of points (n, 2) to a box (5,), its sides not ordered."""
    origin_x, origin_y = points[0]
    local = np.empty_like(points)
    local[:, 0], local[:, 1] = points[:, 0] - origin_x, points[:, 1] - origin_y  # full precision far from the origin
    hull = _convex_hull(local)
    best_area, best_length = np.inf, -1.0
    for i in range(len(hull)):
        dx, dy = hull[(i + 1) % len(hull)] - hull[i]
        length = math.hypot(dx, dy)
        cosine, sine = (dx / length, dy / length) if length > 0.0 else (1.0, 0.0)
        left, right, low, high = _along(hull, cosine, sine)
        area = (right - left) * (high - low)
        # A short side gives the direction of a rectangle less precisely than a long one.
        if area < best_area * (1.0 - TIE) or (area <= best_area * (1.0 + TIE) and length > best_length):
            best_area, best_length = area, length
            along, across = 0.5 * (left + right), 0.5 * (low + high)
            box[0], box[1] = origin_x + along * cosine - across * sine, origin_y + along * sine + across * cosine
            box[2], box[3], box[4] = right - left, high - low, math.atan2(sine, cosine)


@compiled
def _rectangles(points: FloatArray, starts: IndexArray) -> FloatArray:
    """Minimum-area rectangles (n, 5) of the polygons points[starts[i]:starts[i + 1]], their sides not ordered."""
    boxes = np.empty((len(starts) - 1, 5))
    for i in range(len(boxes)):
        _rectangle(points[starts[i] : starts[i + 1]], boxes[i])
    return boxes
