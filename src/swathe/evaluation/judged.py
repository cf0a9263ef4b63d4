"""Right, false and missed, image by image: what the numbers of a report are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from swathe.evaluation.match import RIGHT, WRONG, Matches, judge

VERDICTS = ("right", "false", "missed")


@dataclass(frozen=True)
class Judged:
    """The detections of one class from its best score on, and the ground truths that none of them finds."""

    images: npt.NDArray[np.int64]  # (k,) index of the labelled image
    polygons: npt.NDArray[np.float64]  # (k, 4, 2) corners x, y in image pixels
    verdicts: npt.NDArray[np.int64]  # (k,) index into `VERDICTS`
    scores: npt.NDArray[np.float64]  # (k,) of the detection; 1 of what was missed


@dataclass(frozen=True)
class JudgedImage:
    """One image in which something is false or missed."""

    name: str  # of the labels
    image: str | None  # file or address of its pixels, if known
    polygons: npt.NDArray[np.float64]  # (k, 4, 2) corners x, y in image pixels
    verdicts: npt.NDArray[np.int64]  # (k,) index into `VERDICTS`
    scores: npt.NDArray[np.float64]  # (k,)


def judged_class(
    matches: Matches,
    difficult: npt.NDArray[np.bool_],
    found: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]],
    truth: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]],
    score: float,
    threshold: float,
) -> Judged:
    """Judge a class at a score.

    Args:
        matches: Best ground truths of the detections, by falling score.
        difficult: (t,) which ground truths are ignored.
        found: Images (d,), corners (d, 4, 2) and scores (d,) of the detections, in the same order.
        truth: Images (t,) and corners (t, 4, 2) of the ground truths.
        score: Detections below are left out.
        threshold: IoU that must be exceeded.

    Returns:
        What is right, false or missed; detections on difficult ground truth are none of these.
    """
    images, polygons, scores = found
    outcome = judge(matches, difficult, threshold)
    kept = scores >= score
    right, false = np.flatnonzero(kept & (outcome == RIGHT)), np.flatnonzero(kept & (outcome == WRONG))
    missed = np.setdiff1d(np.flatnonzero(~difficult), matches.truth[right])
    return Judged(
        np.concatenate([images[right], images[false], truth[0][missed]]),
        np.concatenate([polygons[right], polygons[false], truth[1][missed]]),
        np.repeat(np.arange(3), [len(right), len(false), len(missed)]),
        np.concatenate([scores[right], scores[false], np.ones(len(missed))]),
    )
