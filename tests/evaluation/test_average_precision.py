"""Both forms of average precision, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.errors import UsageError
from swathe.evaluation.average_precision import Curve, area, best_working, precision_recall, voc07


def curve_of(right: list[bool], truths: int) -> Curve:
    return precision_recall(np.asarray(right, dtype=np.bool_), np.linspace(1, 0, len(right)), truths)


def test_right_wrong_right_of_two() -> None:
    curve = curve_of([True, False, True], 2)
    # recall .5 .5 1, precision 1 1/2 2/3: six thresholds (0 to .5) reach 1, five (.6 to 1) reach 2/3.
    assert curve.recall.tolist() == [0.5, 0.5, 1.0]
    assert voc07(curve) == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert area(curve) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_wrong_first() -> None:
    curve = curve_of([False, True], 1)
    assert voc07(curve) == pytest.approx(0.5)
    assert area(curve) == pytest.approx(0.5)


def test_recall_of_three_tenths_misses_its_noisy_threshold() -> None:
    # arange(0, 1.1, 0.1)[3] is 0.30000000000000004, so only 0, .1 and .2 are reached: 3/11 and not 4/11.
    assert voc07(curve_of([True] * 3, 10)) == pytest.approx(3 / 11)


@pytest.mark.parametrize(
    ("hits", "reached"), [(1, 2), (2, 3), (3, 3), (4, 5), (5, 6), (6, 6), (7, 7), (8, 9), (9, 10), (10, 11)]
)
def test_thresholds_reached_by_tenths(hits: int, reached: int) -> None:
    assert voc07(curve_of([True] * hits, 10)) == pytest.approx(reached / 11)


def test_nothing_found_is_zero() -> None:
    assert voc07(curve_of([], 3)) == 0.0
    assert area(curve_of([], 3)) == 0.0


def test_all_wrong_is_zero() -> None:
    assert voc07(curve_of([False, False], 3)) == 0.0
    assert area(curve_of([False, False], 3)) == 0.0


def test_no_truth_has_no_recall() -> None:
    with pytest.raises(UsageError, match="at least one ground truth"):
        curve_of([False], 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=30), st.integers(0, 5))
def test_the_best_score_is_that_of_trying_all(found: list[tuple[bool, int]], missed: int) -> None:
    found = sorted(found, key=lambda item: -item[1])
    truths = max(sum(right for right, _ in found) + missed, 1)
    scores = np.array([score for _, score in found], dtype=np.float64)
    best = best_working(precision_recall(np.array([right for right, _ in found], np.bool_), scores, truths), truths)
    tried = []
    for score in sorted({score for _, score in found}, reverse=True):
        right = sum(hit for hit, own in found if own >= score)
        kept = sum(own >= score for _, own in found)
        tried.append((2 * right / (kept + truths), score, truths - right, kept - right))
    winner = max(tried, key=lambda item: item[:2], default=(0.0, 0, 0, 0))
    if winner[0] == 0.0:
        assert best is None
    else:
        assert best is not None
        assert (best.score, best.missed, best.false) == winner[1:]


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 10))
def test_between_zero_and_one_and_ignored_ones_change_nothing(right: list[bool], missed: int) -> None:
    truths = max(sum(right) + missed, 1)
    curve = curve_of(right, truths)
    assert 0.0 <= area(curve) <= 1.0
    assert 0.0 <= voc07(curve) <= 1.0
    # The original evaluation keeps an ignored detection as a repeated point: neither form may notice.
    repeated = Curve(np.repeat(curve.recall, 2), np.repeat(curve.precision, 2), np.repeat(curve.scores, 2))
    assert area(repeated) == pytest.approx(area(curve))
    assert voc07(repeated) == voc07(curve)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_a_wrong_detection_at_the_end_costs_nothing(right: list[bool]) -> None:
    truths = max(sum(right), 1)
    assert area(curve_of([*right, False], truths)) == pytest.approx(area(curve_of(right, truths)))
