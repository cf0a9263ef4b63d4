"""The merge against a slow reference, and its freedom of order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from swathe.boxes import canonical, to_polygons
from swathe.engine.seam import canonical_order, merge


def reference_merge(rows: list[tuple], merge_iou: float, give_way: float) -> list[tuple]:
    """The rules of the merge in plain words: rows are (box, score, class, cut) tuples."""
    shapes = {row: Polygon(to_polygons(np.array([row[0]]))[0]) for row in rows}

    def covered(fragment: tuple, other: tuple) -> bool:
        more_whole = not other[3] or shapes[other].area > shapes[fragment].area * (1 + 1e-9)
        shared = shapes[fragment].intersection(shapes[other]).area
        return other[2] == fragment[2] and more_whole and shared > give_way * shapes[fragment].area

    whole = [row for row in rows if not (row[3] and any(covered(row, other) for other in rows if other is not row))]
    kept: list[tuple] = []
    for row in sorted(whole, key=lambda row: (-row[1], row[0], row[2], row[3])):
        rivals = [other for other in kept if other[2] == row[2]]
        if all(shapely_iou(shapes[row], shapes[other]) <= merge_iou for other in rivals):
            kept.append(row)
    return kept


def shapely_iou(a: Polygon, b: Polygon) -> float:
    return a.intersection(b).area / shapely.union(a, b).area


def random_rows(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    boxes = np.column_stack(
        [
            random.uniform(0, 60, (count, 2)),
            random.uniform(4, 30, (count, 2)),
            random.uniform(-math.pi / 2, math.pi / 2, count),
        ]
    )
    scores = random.choice([0.3, 0.5, 0.7, 0.9], count)
    return canonical(boxes), scores, random.integers(0, 3, count), random.random(count) < 0.5


@pytest.mark.parametrize("seed", range(25))
def test_equals_the_slow_reference(seed: int) -> None:
    boxes, scores, classes, cut = random_rows(seed, 60)
    rows = [
        (tuple(map(float, box)), float(score), int(name), bool(flag))
        for box, score, name, flag in zip(boxes, scores, classes, cut, strict=True)
    ]
    kept = merge(boxes, scores, classes, cut, merge_iou=0.2, give_way=0.45)
    assert [rows[index] for index in kept] == reference_merge(rows, 0.2, 0.45)


@given(seed=st.integers(0, 10_000), shuffle=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_does_not_depend_on_the_order_of_rows(seed: int, shuffle: int) -> None:
    boxes, scores, classes, cut = random_rows(seed, 80)
    order = np.random.default_rng(shuffle).permutation(len(boxes))
    kept = merge(boxes, scores, classes, cut)
    again = order[merge(boxes[order], scores[order], classes[order], cut[order])]
    np.testing.assert_array_equal(boxes[kept], boxes[again])
    np.testing.assert_array_equal(cut[kept], cut[again])


def test_rows_seen_twice_count_once() -> None:
    boxes, scores, classes, cut = random_rows(3, 40)
    kept = merge(boxes, scores, classes, cut)
    twice = merge(np.tile(boxes, (2, 1)), np.tile(scores, 2), np.tile(classes, 2), np.tile(cut, 2))
    np.testing.assert_array_equal(boxes[kept], boxes[twice % len(boxes)])


def test_a_fragment_gives_way_even_with_the_better_score() -> None:
    whole, fragment = (50.0, 50.0, 40.0, 10.0, 0.0), (35.0, 50.0, 10.0, 10.0, 0.0)
    kept = merge(np.array([whole, fragment]), np.array([0.5, 0.99]), np.array([0, 0]), np.array([False, True]))
    assert kept.tolist() == [0]


def test_a_fragment_of_another_class_stays() -> None:
    whole, fragment = (50.0, 50.0, 40.0, 10.0, 0.0), (35.0, 50.0, 10.0, 10.0, 0.0)
    kept = merge(np.array([whole, fragment]), np.array([0.5, 0.99]), np.array([0, 1]), np.array([False, True]))
    assert sorted(kept.tolist()) == [0, 1]


def test_a_small_whole_object_does_not_swallow_a_long_cut_one() -> None:
    long_cut, small = (50.0, 50.0, 100.0, 10.0, 0.0), (60.0, 50.0, 8.0, 4.0, 0.0)
    kept = merge(np.array([long_cut, small]), np.array([0.9, 0.9]), np.array([0, 0]), np.array([True, False]))
    assert 0 in kept


def test_the_corner_triangle_gives_way() -> None:
    """The hypotenuse-aligned box around a corner triangle is covered by exactly half."""
    whole = (50.0, 50.0, 40.0, 40.0, 0.0)
    triangle_height = 20.0 / math.sqrt(2)
    # Corner (30, 30) cut off along the line x + y = 80: legs of 20, hypotenuse of 20 * sqrt(2).
    centre = np.array([40.0, 40.0]) - triangle_height / 2 / math.sqrt(2)
    fragment = (*centre, 20.0 * math.sqrt(2), triangle_height, -math.pi / 4)
    kept = merge(np.array([whole, fragment]), np.array([0.5, 0.9]), np.array([0, 0]), np.array([False, True]))
    assert kept.tolist() == [0]


def test_nothing_in_nothing_out() -> None:
    nothing = merge(np.empty((0, 5)), np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=bool))
    assert nothing.tolist() == []


def test_canonical_order_puts_scores_first_and_ties_by_value() -> None:
    boxes = np.array([(2.0, 0, 1, 1, 0), (1.0, 0, 1, 1, 0), (9.0, 0, 1, 1, 0)])
    order = canonical_order(boxes, np.array([0.5, 0.5, 0.9]), np.zeros(3, dtype=np.int64), np.zeros(3, dtype=bool))
    assert order.tolist() == [2, 1, 0]
