"""The merge: one list of objects out of overlapping windows and several scales, exact and free of order.

Three steps, each a function of the set of raw detections and not of the order in which they came:

1. Rows are put into an order given by their values alone (score falling, then geometry, class, cut flag).
2. A detection that was cut by a window edge gives way to a more whole one of its class that covers it. "More whole"
   is a detection that was not cut, or a cut one with a larger area. Dominators may themselves be dominated, so one
   pass over the full set is enough.
3. One exact greedy rotated non-maximum suppression per class over the whole scene.

Why `give_way` is 0.45: the smallest rectangle around a convex piece of an object has at most twice the area of the
piece, and the piece lies inside the whole object. So the whole object covers at least half of the fragment's box, and
exactly half where a corner was cut off along a diagonal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.engine.settings import RunSettings

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Two views of one object differ in area by rounding alone; a larger share than this is a real difference.
AREA_ROUNDING = 1e-9


def merge(
    boxes: Floats,
    scores: Floats,
    classes: Integers,
    cut: Flags,
    *,
    merge_iou: float = RunSettings.merge_iou,
    merge_ios: float | None = None,
    across_classes: bool = False,
    give_way: float = RunSettings.give_way,
) -> Integers:
    """Choose the detections of a scene that stay.

    Args:
        boxes: (n, 5) canonical boxes in scene pixels, from all windows and scales.
        scores: (n,) in 0..1.
        classes: (n,) class indexes; only boxes of one class compete, unless `across_classes`.
        cut: (n,) whether the box came within the cut margin of an inner window edge.
        merge_iou: Threshold of the suppression; a box with a larger IoU with a better one is dropped.
        merge_ios: Threshold for the intersection over the smaller box, in place of `merge_iou`.
        across_classes: Whether boxes of different classes compete, too.
        give_way: Share of a cut box's area that a more whole one must exceed to replace it.

    Returns:
        Indexes of the kept rows by falling score. The chosen values are the same for any order of the rows. A kept
        row whose `cut` is true is an object that no window saw whole.
    """
    order = canonical_order(boxes, scores, classes, cut)
    rivals = np.zeros_like(classes) if across_classes else classes
    stays = ~gives_way_to_whole(boxes[order], rivals[order], cut[order], give_way)
    order = order[stays]
    smaller, threshold = merge_ios is not None, merge_iou if merge_ios is None else merge_ios
    return order[box_math.nms(boxes[order], scores[order], rivals[order], threshold, smaller=smaller)]


def canonical_order(boxes: Floats, scores: Floats, classes: Integers, cut: Flags) -> Integers:
    """Return the order of rows by value: score falling, then cx, cy, w, h, theta, class and cut flag rising.

    Args:
        boxes: (n, 5) canonical boxes.
        scores: (n,) scores.
        classes: (n,) class indexes.
        cut: (n,) cut flags.

    Returns:
        (n,) indexes. Rows that tie in every column are identical, so their mutual order does not matter.
    """
    keys = (cut, classes, *(boxes[:, column] for column in (4, 3, 2, 1, 0)), -scores)
    return np.lexsort(keys).astype(np.int64, copy=False)


def gives_way_to_whole(boxes: Floats, classes: Integers, cut: Flags, give_way: float) -> Flags:
    """Mark the cut detections that are pieces of a more whole one.

    Args:
        boxes: (n, 5) canonical boxes in scene pixels.
        classes: (n,) class indexes.
        cut: (n,) cut flags.
        give_way: Share of the fragment's area that must be covered.

    Returns:
        (n,) true for rows to drop; never true for a row that was not cut.
    """
    dropped = np.zeros(len(boxes), dtype=np.bool_)
    fragments = np.flatnonzero(cut)
    areas = boxes[:, 2] * boxes[:, 3]
    wholeness = np.where(cut, areas, np.inf)
    least = areas[fragments] * (1.0 + AREA_ROUNDING)
    dropped[fragments] = box_math.covered(boxes, classes, wholeness, fragments, least, give_way)
    return dropped
