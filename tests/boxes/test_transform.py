from __future__ import annotations

import numpy as np
import pytest
import shapely

from boxes.scenes import random_boxes
from swathe.boxes import affine, affine_polygons, from_polygons, iou, scale, shift, to_polygons
from swathe.errors import UsageError

BOXES = random_boxes(1, 100)


def test_shift_and_scale_move_the_corners() -> None:
    np.testing.assert_allclose(
        to_polygons(shift(BOXES, 3.5, -7.0)), to_polygons(BOXES) + np.array([3.5, -7.0]), atol=1e-10
    )
    np.testing.assert_allclose(to_polygons(scale(BOXES, 1.5)), to_polygons(BOXES) * 1.5, atol=1e-10)
    np.testing.assert_allclose(scale(scale(BOXES, 0.5), 2.0), BOXES)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_similarity_is_exact(mirror: float) -> None:
    cosine, sine = 2.0 * np.cos(0.7), 2.0 * np.sin(0.7)
    matrix = np.array([[cosine, -sine * mirror, 10.0], [sine, cosine * mirror, 20.0], [0.0, 0.0, 1.0]])
    moved = affine(BOXES, matrix)
    np.testing.assert_allclose(moved[:, 2:4], 2.0 * BOXES[:, 2:4])
    angle = mirror * BOXES[:, 4] + 0.7
    expected = np.column_stack([BOXES[:, :2] @ matrix[:2, :2].T + matrix[:2, 2], 2.0 * BOXES[:, 2:4], angle])
    assert iou(moved, expected).min() > 1.0 - 1e-9


def test_general_map_gives_the_rectangle_around_the_image() -> None:
    matrix = [[1.2, 0.4, -3.0], [0.1, 0.8, 5.0]]
    image = affine_polygons(to_polygons(BOXES), matrix)
    assert np.array_equal(affine(BOXES, matrix), from_polygons(image))
    np.testing.assert_allclose(
        shapely.area(shapely.polygons(image)), BOXES[:, 2] * BOXES[:, 3] * (1.2 * 0.8 - 0.4 * 0.1)
    )


def test_nothing_stays_nothing() -> None:
    assert shift([], 1.0, 1.0).shape == scale([], 2.0).shape == affine([], np.eye(3)).shape == (0, 5)
    assert affine_polygons([], np.eye(3)).shape == (0, 4, 2)


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.inf])
def test_impossible_factor_is_refused(factor: float) -> None:
    with pytest.raises(UsageError, match="factor must be above 0"):
        scale(BOXES, factor)


def test_impossible_shift_and_matrix_are_refused() -> None:
    with pytest.raises(UsageError, match="must be finite"):
        shift(BOXES, np.nan, 0.0)
    with pytest.raises(UsageError, match="last row 0 0 1"):
        affine(BOXES, [[1, 0, 0], [0, 1, 0], [0, 1, 1]])
    with pytest.raises(UsageError, match="last row 0 0 1"):
        affine(BOXES, [[1, 0, 0]])
