"""What one number hides: precision by size and shape of the objects, errors of the angle, classes taken for others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe import boxes
from swathe.evaluation.average_precision import area, precision_recall
from swathe.evaluation.match import IGNORED, RIGHT, WRONG, Matches, best_truths, judge

if TYPE_CHECKING:
    from swathe.evaluation.found import Found

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

Ranges = Mapping[str, tuple[float, float]]  # from, and below
SIZES: Ranges = MappingProxyType({"small": (0, 32), "medium": (32, 96), "large": (96, math.inf)})  # pixels, see `Part`
ASPECTS: Ranges = MappingProxyType({"square": (0, 1.2), "compact": (1.2, 2), "long": (2, 4), "thin": (4, math.inf)})


@dataclass(frozen=True)
class AngleError:
    """How far the directions of right detections are from those of their objects, degrees."""

    median: float  # between the long sides, 0 to 90
    p90: float  # nine of ten are no larger
    median_of_sides: float  # the same without minding which side is the long one, 0 to 45
    turned: float  # share whose long side lies along the object's short one


@dataclass(frozen=True)
class Part:
    """The objects of a class within a range of size or shape."""

    truths: int  # ground truths that count
    map50_area: float | None = None  # at IoU > 0.5, area form; None without ground truth
    angle: AngleError | None = None  # None if nothing is right


@dataclass(frozen=True)
class Breakdown:
    """The objects of a class, together and by size and shape."""

    angle: AngleError | None
    sizes: Mapping[str, Part]  # by the side of the square that is as large
    aspects: Mapping[str, Part]  # by long side / short side


def break_down(matches: Matches, difficult: Flags, found: Floats, truth: Floats, scores: Floats) -> Breakdown:
    """Judge the objects of a class by size and shape, at IoU > 0.5.

    In a range, ground truths outside of it are ignored, and so are wrong detections whose own size or shape is outside.

    Args:
        matches: Best ground truths of the detections, by falling score.
        difficult: (t,) which ground truths are ignored.
        found: (d, 4, 2) corners of the detections, pixels, in the same order.
        truth: (t, 4, 2) corners of the ground truths.
        scores: (d,) of the detections.

    Returns:
        The parts.
    """
    found_boxes, truth_boxes = boxes.from_polygons(found), boxes.from_polygons(truth)
    right = judge(matches, difficult, 0.5) == RIGHT
    own = truth_boxes[matches.truth[right], 4]
    turn = np.full(len(found), np.nan)
    turn[right] = np.degrees(found_boxes[right, 4] - own)

    def part(inside_truth: Flags, inside_found: Flags) -> Part:
        outcome = judge(matches, difficult | ~inside_truth, 0.5)
        outcome[(outcome == WRONG) & ~inside_found] = IGNORED
        judged, truths = outcome != IGNORED, int((inside_truth & ~difficult).sum())
        if not truths:
            return Part(0)
        curve = precision_recall(outcome[judged] == RIGHT, scores[judged], truths)
        return Part(truths, area(curve), _angle_error(turn[outcome == RIGHT]))

    def parts(ranges: Ranges, found_values: Floats, truth_values: Floats) -> dict[str, Part]:
        return {
            name: part(*((low <= values) & (values < high) for values in (truth_values, found_values)))
            for name, (low, high) in ranges.items()
        }

    sides = (np.sqrt(own[:, 2] * own[:, 3]) for own in (found_boxes, truth_boxes))
    aspects = (own[:, 2] / np.maximum(own[:, 3], 1e-9) for own in (found_boxes, truth_boxes))
    return Breakdown(_angle_error(turn[right]), parts(SIZES, *sides), parts(ASPECTS, *aspects))


def _angle_error(turn: Floats) -> AngleError | None:
    """Sum up how far detections are turned from their objects, degrees."""
    if not len(turn):
        return None
    error = np.abs((turn + 90.0) % 180.0 - 90.0)
    sides = np.minimum(error, 90.0 - error)
    p90 = float(np.quantile(error, 0.9))
    return AngleError(float(np.median(error)), p90, float(np.median(sides)), float((error > 45.0).mean()))


def confusion(
    names: Sequence[str],
    found: Found,
    images: npt.NDArray[np.int64],
    truth: tuple[npt.NDArray[np.int64], npt.NDArray[np.str_], Floats, Flags],
    least: Mapping[str, float],
) -> npt.NDArray[np.int64]:
    """Count which class is taken for which, whatever the class, at IoU > 0.5.

    Detections are taken by falling score, and each counts for the ground truth that it overlaps most, unless one before
    it did. Those on difficult ground truth are left out.

    Args:
        names: The class list.
        found: The detections.
        images: (n,) image of each, -1 where none is labelled.
        truth: Images (t,), classes (t,), corners (t, 4, 2) of the ground truths, and which of them are ignored (t,).
        least: Lowest score of the detections of each class that are counted.

    Returns:
        (classes + 1, classes + 1): rows are classes of the ground truth and, last, nothing there; columns are classes
        found and, last, nothing found.
    """
    number = {name: place for place, name in enumerate(names)}
    lowest = np.array([least.get(name, np.inf) for name in found.classes.tolist()])
    rows = np.flatnonzero((images >= 0) & (found.scores >= lowest))
    rows = rows[np.argsort(-found.scores[rows], kind="stable")]
    matches = best_truths(found.polygons[rows], images[rows], truth[2], truth[0])
    outcome = judge(matches, truth[3], 0.5)
    as_found = np.array([number[name] for name in found.classes[rows].tolist()], np.int64)
    as_truth = np.array([number.get(name, -1) for name in truth[1].tolist()], np.int64)
    counts = np.zeros((len(names) + 1, len(names) + 1), np.int64)
    right = outcome == RIGHT
    np.add.at(counts, (as_truth[matches.truth[right]], as_found[right]), 1)
    np.add.at(counts, (len(names), as_found[outcome == WRONG]), 1)
    missed = np.setdiff1d(np.flatnonzero(~truth[3]), matches.truth[right])
    np.add.at(counts, (as_truth[missed], len(names)), 1)
    return counts
