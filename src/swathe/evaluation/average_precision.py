"""Average precision in its two usual forms; which one a number is must always stand beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from swathe.errors import UsageError


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one class, a point per detection that was judged, by falling score."""

    recall: npt.NDArray[np.float64]  # (k,) right so far / ground truths, never falling
    precision: npt.NDArray[np.float64]  # (k,) right so far / judged so far
    scores: npt.NDArray[np.float64]  # (k,) score of the detection that adds the point


def precision_recall(right: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64], truths: int) -> Curve:
    """Accumulate judged detections to a curve.

    Args:
        right: (k,) whether each detection is right, by falling score; ignored ones are left out before.
        scores: (k,) their scores.
        truths: Number of ground truths that count.

    Returns:
        The curve; empty without detections.

    Raises:
        UsageError: If there is no ground truth, because recall is undefined then.
    """
    if truths < 1:
        raise UsageError("precision and recall need at least one ground truth that is not marked as difficult")
    hits = np.cumsum(right)
    return Curve(hits / truths, hits / np.arange(1, len(right) + 1), scores)


def voc07(curve: Curve) -> float:
    """Compute the 11-point average precision of PASCAL VOC 2007, the measure of DOTA and DIOR-R.

    The thresholds are those of the original evaluation, float noise included: the fourth is 0.30000000000000004, so a
    recall of exactly 3/10 does not reach it.

    Args:
        curve: Precision over recall.

    Returns:
        Mean of the largest precision at recall >= 0, 0.1, ..., 1; 0 without detections.
    """
    total = 0.0
    for threshold in np.arange(0.0, 1.1, 0.1):
        reached = curve.precision[curve.recall >= threshold]
        total += float(reached.max()) / 11.0 if len(reached) else 0.0
    return total


def area(curve: Curve) -> float:
    """Compute the area under the curve after precision is made to fall (PASCAL VOC 2010 and later).

    Args:
        curve: Precision over recall.

    Returns:
        The area in 0..1; 0 without detections.
    """
    falling = np.maximum.accumulate(curve.precision[::-1])[::-1]
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * falling))
