"""Exact overlap of oriented boxes: area, intersection over union, and all overlapping pairs of two sets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.boxes import kernels
from swathe.boxes.convention import FloatArray, IndexArray, as_boxes
from swathe.errors import UsageError


def _described(boxes: npt.ArrayLike, name: str) -> FloatArray:
    """Check boxes and precompute what the compiled loops need."""
    array = as_boxes(boxes, name)
    return kernels.describe(array, np.arange(len(array)))


def _paired(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Check that two sets of boxes can be paired row by row."""
    first, second = _described(a, "a"), _described(b, "b")
    if len(first) != len(second):
        raise UsageError(
            f"a and b are compared row by row, but have {len(first)} and {len(second)} rows; use iou_matrix"
        )
    return first, second


def intersection_area(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Compute the area that box i of `a` shares with box i of `b`.

    Args:
        a: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        b: Boxes of shape (n, 5).

    Returns:
        Areas (n,) in square pixels; exactly 0 for boxes that only touch.

    Raises:
        UsageError: If boxes are malformed or the lengths differ.
    """
    return kernels.paired_areas(*_paired(a, b))


def iou(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Compute intersection over union of box i of `a` and box i of `b`.

    Args:
        a: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        b: Boxes of shape (n, 5).

    Returns:
        Ratios (n,) in [0, 1]; 0 if a box has no area. Exactly symmetric in `a` and `b`.

    Raises:
        UsageError: If boxes are malformed or the lengths differ.
    """
    return kernels.paired_ratios(*_paired(a, b))


def iou_matrix(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Compute intersection over union of each box of `a` with each box of `b`.

    Args:
        a: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        b: Boxes of shape (m, 5).

    Returns:
        Ratios (n, m) in [0, 1]; 0 if a box has no area.

    Raises:
        UsageError: If boxes are malformed.
    """
    return kernels.all_ratios(_described(a, "a"), _described(b, "b"))


def overlapping_pairs(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[IndexArray, FloatArray]:
    """Find all pairs of a box of `a` and a box of `b` that share area; memory is linear in boxes and pairs.

    Args:
        a: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        b: Boxes of shape (m, 5).

    Returns:
        Pairs (k, 2) of an index into `a` and an index into `b`, in rising order, and the shared areas (k,) in
        square pixels, all above 0.

    Raises:
        UsageError: If boxes are malformed.
    """
    first, second = _described(a, "a"), _described(b, "b")
    if not len(first) or not len(second):
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0)
    return kernels.overlapping(first, second)


def covered(
    boxes: npt.ArrayLike,
    groups: npt.NDArray[np.int64],
    weights: FloatArray,
    which: IndexArray,
    least_weights: FloatArray,
    share: float,
) -> npt.NDArray[np.bool_]:
    """Tell which boxes a heavier one of their group covers by more than a share of their area.

    Memory is linear in the boxes, however many of them overlap.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        groups: (n,) only boxes of one group count for each other.
        weights: (n,) weight of each box.
        which: (k,) indexes of the boxes to decide on.
        least_weights: (k,) weight that another box must exceed to count, for each of these.
        share: Share of the area, in [0, 1], that the shared area must exceed.

    Returns:
        (k,) flags.

    Raises:
        UsageError: If boxes are malformed.
    """
    if not len(which):
        return np.zeros(0, dtype=np.bool_)
    return kernels.covered(_described(boxes, "boxes"), groups, weights, which, least_weights, float(share))
