from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from boxes.scenes import random_boxes, slow_iou_matrix
from swathe.boxes import iou_matrix, polygon_iou, polygon_iou_matrix, to_polygons
from swathe.errors import UsageError

GRID_QUAD = arrays(np.float64, (4, 2), elements=st.integers(0, 6).map(float))
QUAD = arrays(np.float64, (4, 2), elements=st.floats(0.0, 50.0))


def valid(quads: np.ndarray) -> np.ndarray:
    """Shapely polygons; of self-crossing outlines the two triangles, without the lines they may collapse to."""
    return shapely.make_valid(shapely.polygons(quads), method="structure", keep_collapsed=False)


def slow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union by shapely."""
    return slow_iou_matrix(valid(first), valid(second))


@given(GRID_QUAD, GRID_QUAD)
def test_any_quadrilaterals_on_a_lattice_equal_shapely(p: np.ndarray, q: np.ndarray) -> None:
    assert polygon_iou(p[None], q[None])[0] == pytest.approx(slow(p[None], q[None])[0, 0], abs=1e-9)


@given(QUAD, QUAD)
def test_any_quadrilaterals_equal_shapely(p: np.ndarray, q: np.ndarray) -> None:
    if min(valid(p).area, valid(q).area) > 1e-3:
        assert polygon_iou(p[None], q[None])[0] == pytest.approx(slow(p[None], q[None])[0, 0], abs=1e-9)


def test_boxes_have_the_ratios_of_their_corners_in_either_orientation() -> None:
    boxes = random_boxes(1, 120)
    corners = to_polygons(boxes)
    expected = iou_matrix(boxes, boxes)
    np.testing.assert_allclose(polygon_iou_matrix(corners, corners), expected, atol=1e-12)
    np.testing.assert_allclose(polygon_iou_matrix(corners[:, ::-1], corners), expected, atol=1e-12)
    np.testing.assert_allclose(polygon_iou_matrix(corners + 1e5, corners + 1e5), expected, atol=1e-9)
    np.testing.assert_allclose(
        polygon_iou(corners, np.roll(corners, 3, axis=0)), [expected[i, i - 3] for i in range(120)]
    )


def test_bow_tie_counts_as_its_two_triangles() -> None:
    bow, square = [[0, 0], [2, 2], [2, 0], [0, 2]], [[0, 0], [2, 0], [2, 2], [0, 2]]
    assert polygon_iou([bow], [square])[0] == pytest.approx(0.5)


def test_dented_quadrilateral_loses_its_dent() -> None:
    arrow, square = [[0, 0], [4, 0], [1, 1], [0, 4]], [[0, 0], [4, 0], [4, 4], [0, 4]]
    assert polygon_iou([arrow], [square])[0] == pytest.approx(0.25)


def test_degenerate_and_empty() -> None:
    flat, square = [[0, 0], [1, 1], [2, 2], [3, 3]], [[0, 0], [2, 0], [2, 2], [0, 2]]
    assert polygon_iou([flat, flat], [square, flat]).tolist() == [0.0, 0.0]
    assert polygon_iou([], []).shape == (0,)
    assert polygon_iou_matrix([], [square]).shape == (0, 1)


def test_malformed_quadrilaterals_are_refused() -> None:
    with pytest.raises(UsageError, match=r"p must have the shape \(n, 4, 2\), not \(1, 3, 2\)"):
        polygon_iou(np.zeros((1, 3, 2)), np.zeros((1, 4, 2)))
    with pytest.raises(UsageError, match="have 1 and 2 rows; use polygon_iou_matrix"):
        polygon_iou(np.zeros((1, 4, 2)), np.zeros((2, 4, 2)))
    with pytest.raises(UsageError, match="q: row 0 holds a value that is not finite"):
        polygon_iou_matrix(np.zeros((1, 4, 2)), np.full((1, 4, 2), np.nan))
