"""Suppression while boxes are still to come, and cover by heavier boxes, beside plain definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.boxes import covered, iou_matrix, nms, overlapping_pairs, settle
from swathe.boxes.suppress import DROPPED, KEPT, OPEN
from swathe.errors import UsageError


def random_boxes(seed: int, count: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    places, angles = random.uniform(0, 60, (count, 2)), random.uniform(-math.pi / 2, math.pi / 2, count)
    return np.column_stack([places, random.uniform(2, 25, (count, 2)), angles])


@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_states_follow_their_definition(seed: int, count: int, share: float) -> None:
    boxes, random = random_boxes(seed, count), np.random.default_rng(seed)
    scores, classes, complete = random.random(count), random.integers(0, 2, count), random.random(count) < share
    states = settle(boxes, scores, classes, complete, 0.2)
    rivals = (iou_matrix(boxes, boxes) > 0.2) & (classes[:, None] == classes[None]) & (scores[None] > scores[:, None])
    for row in range(count):
        better = states[rivals[row]]
        expected = DROPPED if KEPT in better else OPEN if OPEN in better or not complete[row] else KEPT
        assert states[row] == expected


@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), more=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_what_is_decided_early_stays_decided(seed: int, count: int, more: int) -> None:
    boxes, random = random_boxes(seed, count + more), np.random.default_rng(seed)
    scores, early = random.random(count + more), np.arange(count)
    touched = np.zeros(count, dtype=bool)
    touched[overlapping_pairs(boxes[:count], boxes[count:])[0][:, 0]] = True
    states = settle(boxes[early], scores[early], None, ~touched, 0.2)
    kept = set(nms(boxes, scores, None, 0.2).tolist())
    assert set(np.flatnonzero(states == KEPT).tolist()) <= kept
    assert kept.isdisjoint(np.flatnonzero(states == DROPPED).tolist())


def test_flags_are_asked_for() -> None:
    with pytest.raises(UsageError, match="complete must be 2 flags"):
        settle(random_boxes(0, 2), [0.1, 0.2], None, [1, 0])


@given(seed=st.integers(0, 10_000), count=st.integers(1, 60), share=st.sampled_from([0.0, 0.45, 0.9]))
@settings(max_examples=60, deadline=None)
def test_covered_follows_its_definition(seed: int, count: int, share: float) -> None:
    boxes, random = random_boxes(seed, count), np.random.default_rng(seed)
    groups, weights = random.integers(0, 2, count), random.choice([1.0, 2.0, np.inf], count)
    which = np.flatnonzero(random.random(count) < 0.5)
    flags = covered(boxes, groups, weights, which, weights[which], share)
    pairs, areas = overlapping_pairs(boxes, boxes)
    first, second = pairs.T
    enough = (first != second) & (groups[first] == groups[second]) & (weights[second] > weights[first])
    enough &= areas > share * boxes[first, 2] * boxes[first, 3]
    np.testing.assert_array_equal(flags, np.isin(which, first[enough]))
