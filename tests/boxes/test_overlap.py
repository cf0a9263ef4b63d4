from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxes.scenes import random_boxes, shapes, slow_areas, slow_iou_matrix
from swathe.boxes import intersection_area, iou, iou_matrix, overlapping_pairs
from swathe.errors import UsageError

SIDES = st.floats(0.05, 300.0)
BOX = st.tuples(st.floats(-80.0, 80.0), st.floats(-80.0, 80.0), SIDES, SIDES, st.floats(-2.0, 2.0))


@pytest.mark.parametrize("sizes", [(4.0, 60.0), (0.1, 800.0), (30.0, 31.0)])
@pytest.mark.parametrize("origin", [0.0, 1e5])
def test_ratios_equal_shapely(sizes: tuple[float, float], origin: float) -> None:
    boxes = random_boxes(1, 150, sizes=sizes, origin=origin)
    expected = slow_iou_matrix(shapes(boxes), shapes(boxes))
    np.testing.assert_allclose(iou_matrix(boxes, boxes), expected, rtol=0.0, atol=1e-9)


@given(BOX, BOX)
def test_ratio_of_any_two_equals_shapely(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    pair = np.array([a, b])
    expected = slow_iou_matrix(shapes(pair)[:1], shapes(pair)[1:])[0, 0]
    assert iou([a], [b])[0] == pytest.approx(expected, abs=1e-9)


@given(BOX, BOX)
def test_ratio_is_symmetric_and_one_on_itself(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assert iou([a], [b])[0] == iou([b], [a])[0]
    assert 1.0 - 1e-12 <= iou([a], [a])[0] <= 1.0


@given(BOX, BOX, st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_ratio_does_not_change_under_a_common_shift(
    a: tuple[float, ...], b: tuple[float, ...], x: float, y: float
) -> None:
    shift = np.array([x, y, 0.0, 0.0, 0.0])
    # 3e-11 px is the rounding of coordinates at 1e5; it weighs most on the thinnest boxes.
    thinnest = min(*a[2:4], *b[2:4])
    assert iou(np.array([a]) + shift, np.array([b]) + shift)[0] == pytest.approx(iou([a], [b])[0], abs=1e-10 / thinnest)


@given(BOX, st.floats(0.0, 1.0))
def test_shifted_twin_has_the_known_ratio(box: tuple[float, ...], part: float) -> None:
    along = np.array([np.cos(box[4]), np.sin(box[4])]) * box[2] * part
    twin = np.array(box) + np.array([*along, 0.0, 0.0, 0.0])
    assert iou([box], [twin])[0] == pytest.approx((1.0 - part) / (1.0 + part), abs=1e-9)


@pytest.mark.parametrize("angle", np.linspace(-np.pi / 2, np.pi / 2, 13))
def test_touching_boxes_share_exactly_nothing(angle: float) -> None:
    step = np.array([-np.sin(angle), np.cos(angle)]) * 3.0
    first = np.array([500.0, 700.0, 90.0, 3.0, angle])
    assert intersection_area([first], [first + np.array([*step, 0.0, 0.0, 0.0])])[0] == 0.0


def test_ratio_of_boxes_without_area_is_zero() -> None:
    flat = [[5.0, 5.0, 4.0, 0.0, 0.3], [5.0, 5.0, 0.0, 0.0, 0.0]]
    whole = [[5.0, 5.0, 9.0, 9.0, 0.0]] * 2
    assert iou(flat, flat).tolist() == iou(flat, whole).tolist() == iou(whole, flat).tolist() == [0.0, 0.0]
    assert len(overlapping_pairs(flat, whole)[0]) == 0


def test_known_areas() -> None:
    square, tilted = [0.0, 0.0, 2.0, 2.0, 0.0], [0.0, 0.0, 2.0, 2.0, np.pi / 4]
    octagon = 8.0 * (np.sqrt(2.0) - 1.0)
    assert intersection_area([square], [tilted])[0] == pytest.approx(octagon, abs=1e-14)
    assert iou([square], [[0.0, 0.0, 1.0, 1.0, 0.7]])[0] == pytest.approx(0.25, abs=1e-15)


@pytest.mark.parametrize(("count", "others"), [(0, 0), (0, 3), (3, 0)])
def test_empty_sets(count: int, others: int) -> None:
    a, b = random_boxes(1, count), random_boxes(2, others)
    assert iou_matrix(a, b).shape == (count, others)
    pairs, areas = overlapping_pairs(a, b)
    assert pairs.shape == (0, 2)
    assert pairs.dtype == np.int64
    assert areas.shape == (0,)
    assert iou([], []).shape == (0,)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="have 2 and 3 rows; use iou_matrix"):
        iou(random_boxes(1, 2), random_boxes(1, 3))


@pytest.mark.parametrize(
    ("sizes", "side", "origin"),
    [((4.0, 60.0), 400.0, 0.0), ((0.5, 3000.0), 3000.0, 0.0), ((5.0, 9.0), 60.0, 1e5), ((1.0, 2.0), 1e6, 0.0)],
)
def test_overlapping_pairs_equal_shapely(sizes: tuple[float, float], side: float, origin: float) -> None:
    a = random_boxes(5, 250, sizes=sizes, side=side, origin=origin)
    b = np.concatenate([random_boxes(6, 150, sizes=sizes, side=side, origin=origin), a[::10]])
    first, second = shapes(a), shapes(np.concatenate([a[:1], b]))[1:]  # both about the same point
    expected = slow_areas(first, second)
    pairs, areas = overlapping_pairs(a, b)
    assert (np.lexsort((pairs[:, 1], pairs[:, 0])) == np.arange(len(pairs))).all()
    found = np.zeros_like(expected)
    found[pairs[:, 0], pairs[:, 1]] = areas
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert (areas > 0.0).all()


def test_distant_clusters_need_no_more_memory_than_near_ones() -> None:
    near = random_boxes(7, 400, side=100.0)
    far = near.copy()
    far[200:, :2] += 1e9
    pairs, _ = overlapping_pairs(far, far)
    both = (pairs < 200).sum(axis=1)
    assert len(pairs) > 400
    assert set(both.tolist()) == {0, 2}
