"""Rotated non-maximum suppression: exact, greedy, per class, deterministic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.boxes import kernels
from swathe.boxes.convention import FloatArray, IndexArray, as_boxes
from swathe.boxes.kernels import DROPPED, KEPT, OPEN
from swathe.errors import UsageError

__all__ = ["DROPPED", "KEPT", "OPEN", "nms", "settle"]

MOST_SHORT = 2**16


def nms(
    boxes: npt.ArrayLike,
    scores: npt.ArrayLike,
    classes: npt.ArrayLike | None = None,
    iou: float = 0.2,
    *,
    smaller: bool = False,
) -> IndexArray:
    """Keep the boxes that no better box of the same class covers.

    By falling score, a box is kept unless its exact intersection over union with a kept box of its class is above
    `iou`. Of equal scores the lower index comes first. Time grows with the number of overlapping boxes, memory with
    the number of boxes.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        scores: Scores (n,), any finite values.
        classes: Whole numbers (n,); None treats all boxes as one class.
        iou: Largest tolerated intersection over union, in [0, 1].
        smaller: Divide the intersection by the smaller of the two areas instead of the union.

    Returns:
        Indices (k,) of the kept boxes by falling score.

    Raises:
        UsageError: If an argument is malformed or the lengths differ.
    """
    array, ranks = as_boxes(boxes), _as_scores(scores)
    order, states = _settled(array, ranks, classes, iou, np.ones(len(array), dtype=np.bool_), smaller=smaller)
    kept: npt.NDArray[np.bool_] = states[order] == KEPT
    return order[kept]


def settle(
    boxes: npt.ArrayLike,
    scores: npt.ArrayLike,
    classes: npt.ArrayLike | None,
    complete: npt.ArrayLike,
    iou: float = 0.2,
    *,
    smaller: bool = False,
) -> npt.NDArray[np.int8]:
    """Decide as much of `nms` as can be decided while some boxes are still to come.

    Args:
        boxes: Boxes of shape (n, 5): cx, cy, w, h in pixels, theta in radians.
        scores: Scores (n,), any finite values.
        classes: Whole numbers (n,); None treats all boxes as one class.
        complete: (n,) true where no box that is still to come can share area with this one.
        iou: Largest tolerated intersection over union, in [0, 1].
        smaller: Divide the intersection by the smaller of the two areas instead of the union.

    Returns:
        (n,) `DROPPED` or `KEPT` where `nms` of all boxes will say so whatever comes, `OPEN` elsewhere.

    Raises:
        UsageError: If an argument is malformed or the lengths differ.
    """
    array, ranks, flags = as_boxes(boxes), _as_scores(scores), np.asarray(complete)
    if flags.shape != (len(array),) or flags.dtype != np.bool_:
        raise UsageError(f"complete must be {len(array)} flags, not {flags.dtype} of shape {flags.shape}")
    return _settled(array, ranks, classes, iou, flags, smaller=smaller)[1]


def _settled(
    boxes: FloatArray,
    scores: FloatArray,
    classes: npt.ArrayLike | None,
    iou: float,
    complete: npt.NDArray[np.bool_],
    *,
    smaller: bool,
) -> tuple[IndexArray, npt.NDArray[np.int8]]:
    """Return the order by falling score and, by index of the box, what suppression says of it."""
    if len(scores) != len(boxes):
        raise UsageError(f"{len(boxes)} boxes have {len(scores)} scores; pass one score per box")
    if not 0.0 <= iou <= 1.0:
        raise UsageError(f"iou must lie in [0, 1], not {iou!r}")
    order = _by_falling_score(scores)
    if classes is None:
        grouped, starts = order, np.array([0, len(order)])
    else:
        grouped, starts = _group(order, _as_classes(classes, len(boxes)))
    states = np.empty(len(boxes), dtype=np.int8)
    states[grouped] = kernels.settle(kernels.describe(boxes, grouped), starts, float(iou), smaller, complete[grouped])
    return order, states


def _as_scores(scores: npt.ArrayLike) -> FloatArray:
    """Check that scores are finite numbers in one dimension."""
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"scores cannot be read as numbers of shape (n,) ({error})") from error
    if array.ndim != 1:
        raise UsageError(f"scores must have the shape (n,), not {array.shape}")
    if not np.isfinite(array).all():
        raise UsageError(f"score {int(np.flatnonzero(~np.isfinite(array))[0])} is not finite; remove such boxes first")
    return array


def _as_classes(classes: npt.ArrayLike, length: int) -> npt.NDArray[np.integer]:
    """Check that classes are whole numbers, one for each box."""
    array = np.asarray(classes)
    if array.shape != (length,) or (length and array.dtype.kind not in "iu"):
        raise UsageError(f"classes must be {length} whole numbers, not {array.dtype} of shape {array.shape}")
    return array


def _by_falling_score(scores: FloatArray) -> IndexArray:
    """Order by falling score, then by rising index."""
    order = np.argsort(-scores)
    ranked = scores[order]
    if (ranked[1:] == ranked[:-1]).any():  # the quick sort, several times faster, leaves equal scores in any order
        order = np.argsort(-scores, kind="stable")
    return order


def _group(order: IndexArray, classes: npt.NDArray[np.integer]) -> tuple[IndexArray, IndexArray]:
    """Gather an order by class without changing it inside a class; with the starts of the groups and their end."""
    if len(classes) and classes.min() >= 0 and classes.max() < MOST_SHORT:
        numbers = classes.astype(np.uint16)  # numpy sorts 16-bit numbers by radix, ten times faster
        counts = np.bincount(numbers)  # most of which may be 0
    else:
        _, numbers, counts = np.unique(classes, return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return order[np.argsort(numbers[order], kind="stable")], starts
