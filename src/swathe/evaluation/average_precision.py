"""Average precision in its two usual forms; which one a number is must always stand beside it."""

from __future__ import annotations

import math
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
    reached = (curve.precision[curve.recall >= threshold] for threshold in np.arange(0.0, 1.1, 0.1))
    return math.fsum(precision.max(initial=0.0) for precision in reached) / 11.0


def area(curve: Curve) -> float:
    """Compute the area under the curve after precision is made to fall (PASCAL VOC 2010 and later).

    Args:
        curve: Precision over recall.

    Returns:
        The area in 0..1; 0 without detections.
    """
    falling = np.maximum.accumulate(curve.precision[::-1])[::-1]
    steps = np.diff(curve.recall, prepend=0.0) > 0  # each right detection adds the same to recall
    return math.fsum(falling[steps]) * float(curve.recall[-1]) / int(steps.sum()) if steps.any() else 0.0


@dataclass(frozen=True)
class Working:
    """How a class does at one score threshold."""

    score: float  # detections from this score on are kept
    missed: int  # ground truths that none of them finds
    false: int  # of them that find none


def best_working(curve: Curve, truths: int) -> Working | None:
    """Find the score threshold with the best balance of precision and recall: the largest F1.

    Args:
        curve: Precision over recall.
        truths: Number of ground truths that count.

    Returns:
        The highest of equally good thresholds; None if no detection is right.
    """
    last = np.flatnonzero(np.append(curve.scores[1:] < curve.scores[:-1], [True] * (len(curve.scores) > 0)))
    right = np.rint(curve.recall[last] * truths)
    if not right.any():
        return None
    kept = last + 1  # detections that were judged up to there
    best = int(np.argmax(2.0 * right / (kept + truths)))
    return Working(float(curve.scores[last[best]]), truths - int(right[best]), int(kept[best] - right[best]))
