from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swathe.boxes import canonical, hulls, to_polygons
from swathe.errors import UsageError

ANY_BOXES = st.integers(0, 5).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, (n, 2), elements=st.floats(-1e5, 1e5)),
        arrays(np.float64, (n, 2), elements=st.floats(0.0, 5e3)),
        arrays(np.float64, (n, 1), elements=st.floats(-20.0, 20.0)),
    ).map(lambda parts: np.concatenate(parts, axis=1))
)


def corner_sets_differ_by(first: np.ndarray, second: np.ndarray) -> float:
    """Largest distance of a corner of one polygon to the nearest corner of the other, over all pairs of polygons."""
    distances = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1)
    return float(np.max(np.maximum(distances.min(axis=1), distances.min(axis=2)), initial=0.0))


@given(ANY_BOXES)
def test_canonical_is_in_range_and_keeps_the_rectangle(boxes: np.ndarray) -> None:
    result = canonical(boxes)
    assert (result[:, 2] >= result[:, 3]).all()
    assert ((result[:, 4] >= -np.pi / 2) & (result[:, 4] < np.pi / 2)).all()
    assert corner_sets_differ_by(to_polygons(result), to_polygons(boxes)) < 1e-7


@given(ANY_BOXES)
def test_canonicalising_twice_changes_nothing(boxes: np.ndarray) -> None:
    once = canonical(boxes)
    assert np.array_equal(canonical(once), once)


@pytest.mark.parametrize("angle", [-np.pi / 2, np.nextafter(np.pi / 2, 0), np.nextafter(-np.pi / 2, -9), -1e-17, 1e12])
def test_canonical_at_the_ends_of_the_range(angle: float) -> None:
    theta = canonical([[0.0, 0.0, 2.0, 1.0, angle]])[0, 4]
    assert -np.pi / 2 <= theta < np.pi / 2


def test_corners_run_clockwise_on_screen() -> None:
    upright = to_polygons([[10.0, 20.0, 6.0, 2.0, 0.0]])
    assert upright.tolist() == [[[7.0, 19.0], [13.0, 19.0], [13.0, 21.0], [7.0, 21.0]]]
    down_right = to_polygons([[0.0, 0.0, 2.0 * np.sqrt(2.0), 0.0, np.pi / 4]])
    np.testing.assert_allclose(down_right[0, 1], [1.0, 1.0])  # the long side points right and down


@given(ANY_BOXES)
def test_hulls_are_the_range_of_the_corners(boxes: np.ndarray) -> None:
    corners = to_polygons(boxes)
    expected = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    np.testing.assert_allclose(hulls(boxes), expected.reshape(-1, 4), rtol=0.0, atol=1e-8)


@pytest.mark.parametrize("empty", [[], np.zeros((0, 5)), np.zeros((0, 7))])
def test_no_boxes_give_no_rows(empty: object) -> None:
    assert canonical(empty).shape == (0, 5)
    assert to_polygons(empty).shape == (0, 4, 2)
    assert hulls(empty).shape == (0, 4)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], r"shape \(n, 5\), not \(5,\)"),
        ([[1.0, 2.0, 3.0, 4.0]], r"shape \(n, 5\), not \(1, 4\)"),
        ([[0, 0, 1, 1, 0], [0, 0, np.nan, 1, 0]], "row 1 holds a value that is not finite"),
        ([[np.inf, 0, 1, 1, 0]], "row 0 holds a value that is not finite"),
        ([[1e13, 0, 1, 1, 0]], "beyond 1e12"),
        ([[0, 0, 1, -1, 0]], "row 0 has a negative side"),
        ([["a", 0, 1, 1, 0]], "cannot be read as numbers"),
        ([[0, 0, 1, 1, 0], [0, 0]], "cannot be read as numbers"),
    ],
)
def test_malformed_boxes_are_refused(boxes: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        canonical(boxes)
