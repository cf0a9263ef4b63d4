"""Which detections are right: each against its single best ground truth, by exact polygon IoU of the raw corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe import boxes

if TYPE_CHECKING:
    from collections.abc import Iterator

WRONG, RIGHT, IGNORED = 0, 1, -1


@dataclass(frozen=True)
class Matches:
    """The best ground truth of each detection of one class, whatever the IoU threshold will be."""

    truth: npt.NDArray[np.int64]  # (d,) index of the ground truth with the largest IoU, -1 where nothing overlaps
    iou: npt.NDArray[np.float64]  # (d,) that IoU, 0 where nothing overlaps


def best_truths(
    found: npt.NDArray[np.float64],
    found_images: npt.NDArray[np.int64],
    truth: npt.NDArray[np.float64],
    truth_images: npt.NDArray[np.int64],
) -> Matches:
    """Find the ground truth that each detection of one class overlaps most.

    Of several with exactly the same IoU the first counts. Pairs are looked for by their upright hulls, so time and
    memory follow the number of pairs that come near each other.

    Args:
        found: (d, 4, 2) corners of the detections, pixels.
        found_images: (d,) image each detection lies in.
        truth: (t, 4, 2) corners of the ground truth, pixels; those marked as difficult too.
        truth_images: (t,) image each of them lies in.

    Returns:
        The best ground truth and its IoU, per detection.
    """
    best = Matches(np.full(len(found), -1, dtype=np.int64), np.zeros(len(found)))
    for detections, truths in _shared_images(found_images, truth_images):
        left, right = _near_pairs(found[detections], truth[truths])
        ious = boxes.polygon_iou(found[detections[left]], truth[truths[right]])
        order = np.lexsort((truths[right], -ious, left))
        first = order[np.flatnonzero(np.diff(left[order], prepend=-1))]
        first = first[ious[first] > 0]
        best.truth[detections[left[first]]] = truths[right[first]]
        best.iou[detections[left[first]]] = ious[first]
    return best


def judge(matches: Matches, difficult: npt.NDArray[np.bool_], threshold: float) -> npt.NDArray[np.int8]:
    """Decide which detections are right at an IoU threshold.

    A detection is right if the IoU with its best ground truth is larger than the threshold and no detection before it
    has taken that one; a taken one is not replaced by the second best. On a difficult one it is neither right nor
    wrong.

    Args:
        matches: Best ground truths of the detections, by falling score.
        difficult: (t,) which ground truths are ignored.
        threshold: IoU that must be exceeded.

    Returns:
        (d,) RIGHT, WRONG or IGNORED.
    """
    outcome = np.full(len(matches.truth), WRONG, dtype=np.int8)
    hits = np.flatnonzero(matches.iou > threshold)
    ignored = difficult[matches.truth[hits]]
    outcome[hits[ignored]] = IGNORED
    counted = hits[~ignored]
    _, first = np.unique(matches.truth[counted], return_index=True)
    outcome[counted[first]] = RIGHT
    return outcome


def _shared_images(
    found: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield the places of the detections and of the ground truths of each image that has both."""
    found_order, truth_order = np.argsort(found, kind="stable"), np.argsort(truth, kind="stable")
    found_sorted, truth_sorted = found[found_order], truth[truth_order]
    for image in np.intersect1d(found_sorted, truth_sorted):
        f0, f1 = np.searchsorted(found_sorted, (image, image + 1))
        t0, t1 = np.searchsorted(truth_sorted, (image, image + 1))
        yield found_order[f0:f1], truth_order[t0:t1]


def _near_pairs(
    found: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the index pairs whose upright hulls meet."""
    import shapely

    def hulls(polygons: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
        low, high = polygons.min(axis=1), polygons.max(axis=1)
        shapes: npt.NDArray[np.object_] = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
        return shapes

    left, right = shapely.STRtree(hulls(truth)).query(hulls(found))
    return np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
