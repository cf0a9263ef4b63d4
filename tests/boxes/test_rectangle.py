from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from boxes.scenes import random_boxes
from swathe.boxes import canonical, from_polygons, to_polygons
from swathe.errors import UsageError


@pytest.mark.parametrize("origin", [0.0, 1e5])
def test_boxes_and_polygons_there_and_back(origin: float) -> None:
    boxes = random_boxes(1, 500, sizes=(0.5, 500.0), origin=origin)
    boxes = boxes[boxes[:, 2] > 1.01 * boxes[:, 3]]  # the angle of a square is ambiguous
    back = from_polygons(to_polygons(boxes))
    np.testing.assert_allclose(back[:, :4], boxes[:, :4], rtol=0.0, atol=1e-9)
    turned = np.abs(back[:, 4] - boxes[:, 4])
    assert np.minimum(turned, np.pi - turned).max() < 1e-9
    assert np.array_equal(back, canonical(back))


@given(arrays(np.float64, st.tuples(st.integers(3, 12), st.just(2)), elements=st.floats(-500, 500, width=32)))
def test_area_equals_shapely_and_the_polygon_is_covered(polygon: np.ndarray) -> None:
    box = from_polygons([polygon])
    expected = shapely.oriented_envelope(shapely.multipoints(polygon)).area
    assert box[0, 2] * box[0, 3] == pytest.approx(expected, rel=1e-8, abs=1e-6)
    cosine, sine = np.cos(box[0, 4]), np.sin(box[0, 4])
    local = np.abs((polygon - box[0, :2]) @ np.array([[cosine, -sine], [sine, cosine]]))
    assert (local <= box[0, 2:4] / 2 + 1e-9).all()


def test_orientation_and_start_do_not_matter() -> None:
    corners = to_polygons(random_boxes(2, 50))
    for other in (corners[:, ::-1], np.roll(corners, 1, axis=1)):
        np.testing.assert_allclose(to_polygons(from_polygons(other)), to_polygons(from_polygons(corners)), atol=1e-9)


def test_polygons_of_different_lengths() -> None:
    triangle, house = [[0, 0], [4, 0], [0, 3]], [[0, 0], [6, 0], [6, 2], [3, 3], [0, 2]]
    boxes = from_polygons([triangle, np.array(house)])
    assert boxes[:, 2] * boxes[:, 3] == pytest.approx([12.0, 18.0])
    assert boxes[1].tolist() == pytest.approx([3.0, 1.5, 6.0, 3.0, 0.0])


def test_degenerate_polygons() -> None:
    line, point = [[1.0, 1.0], [4.0, 5.0], [2.5, 3.0], [1.0, 1.0]], [[7.0, 7.0]] * 4
    boxes = from_polygons([line, point])
    np.testing.assert_allclose(
        boxes, [[2.5, 3.0, 5.0, 0.0, np.arctan2(4.0, 3.0)], [7.0, 7.0, 0.0, 0.0, 0.0]], atol=1e-12
    )


@pytest.mark.parametrize("empty", [[], np.zeros((0, 4, 2)), np.zeros((0,))])
def test_no_polygons_give_no_boxes(empty: object) -> None:
    assert from_polygons(empty).shape == (0, 5)


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([[[0, 0], [1, 1]]], "polygon 0 has 2 corners"),
        (np.zeros((2, 2, 2)), "polygon 0 has 2 corners"),
        (np.zeros((4, 2)), r"shape \(n, k, 2\), not \(4, 2\)"),
        (np.zeros((1, 4, 3)), r"shape \(n, 2\)"),
        ([[[0, 0], [1, 1], [np.nan, 2]]], "polygon 0: row 2 holds a value that is not finite"),
        ([[[0, 0], [1, 1], [1, 2]], []], "polygon 1 has 0 corners"),
    ],
)
def test_malformed_polygons_are_refused(polygons: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_polygons(polygons)
