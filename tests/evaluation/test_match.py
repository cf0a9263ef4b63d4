"""Matching, case by case, on rectangles whose overlap can be worked out by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.evaluation.match import IGNORED, RIGHT, WRONG, best_truths, judge

Polygons = npt.NDArray[np.float64]


def upright(*rectangles: tuple[float, float, float, float]) -> Polygons:
    rows = [((left, top), (right, top), (right, bottom), (left, bottom)) for left, top, right, bottom in rectangles]
    return np.asarray(rows, dtype=np.float64).reshape(-1, 4, 2)


def outcomes(
    found: Polygons, truth: Polygons, difficult: list[bool] | None = None, threshold: float = 0.5
) -> list[int]:
    here = np.zeros(len(found), dtype=np.int64), np.zeros(len(truth), dtype=np.int64)
    matches = best_truths(found, here[0], truth, here[1])
    marks = np.asarray([False] * len(truth) if difficult is None else difficult, dtype=np.bool_)
    return judge(matches, marks, threshold).tolist()


def test_a_threshold_must_be_exceeded() -> None:
    truth, half = upright((0, 0, 10, 10)), upright((0, 0, 5, 10))
    assert outcomes(half, truth) == [WRONG]
    assert outcomes(half, truth, threshold=0.49) == [RIGHT]


def test_the_second_on_one_truth_is_wrong() -> None:
    truth = upright((0, 0, 10, 10))
    assert outcomes(np.concatenate([truth, truth]), truth) == [RIGHT, WRONG]


def test_a_taken_truth_is_not_replaced_by_the_second_best() -> None:
    truth = upright((0, 0, 10, 10), (0, 3, 10, 13))
    # The second overlaps the first truth by 90/110 and the other, free one by 80/120.
    assert outcomes(upright((0, 0, 10, 10), (0, 1, 10, 11)), truth) == [RIGHT, WRONG]


def test_on_a_difficult_truth_nothing_is_right_or_wrong() -> None:
    truth = upright((0, 0, 10, 10), (20, 0, 30, 10))
    found = upright((0, 0, 10, 10), (0, 0, 10, 9), (20, 0, 30, 10), (50, 50, 60, 60))
    assert outcomes(found, truth, [True, False]) == [IGNORED, IGNORED, RIGHT, WRONG]


def test_too_little_on_a_difficult_truth_is_wrong() -> None:
    assert outcomes(upright((0, 0, 10, 4)), upright((0, 0, 10, 10)), [True]) == [WRONG]


def test_a_difficult_best_hides_an_easy_second_best() -> None:
    truth = upright((0, 0, 10, 10), (0, 3, 10, 13))
    assert outcomes(upright((0, 1, 10, 11)), truth, [True, False]) == [IGNORED]


def test_of_equal_overlaps_the_first_counts() -> None:
    truth = upright((0, 0, 10, 10), (0, 0, 10, 10))
    matches = best_truths(truth[:1], np.zeros(1, dtype=np.int64), truth, np.zeros(2, dtype=np.int64))
    assert matches.truth.tolist() == [0]
    assert matches.iou.tolist() == [1.0]


def test_images_do_not_mix() -> None:
    box = upright((0, 0, 10, 10))
    matches = best_truths(box, np.array([1]), np.concatenate([box, box + 3]), np.array([0, 1]))
    assert matches.truth.tolist() == [1]
    assert matches.iou.tolist() == [49 / 151]


def test_raw_corners_are_compared_not_boxes() -> None:
    # A right triangle with a doubled corner fills half of its square: exactly 0.5 and so not enough.
    triangle = np.array([[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [10.0, 10.0]]])
    assert outcomes(triangle, upright((0, 0, 10, 10))) == [WRONG]
    assert outcomes(triangle, triangle[:, ::-1]) == [RIGHT]


def test_touching_or_nothing() -> None:
    truth = upright((0, 0, 10, 10))
    assert outcomes(upright((10, 0, 20, 10)), truth, threshold=0.0) == [WRONG]
    assert outcomes(upright(), truth) == []
    assert outcomes(truth, upright()) == [WRONG]
