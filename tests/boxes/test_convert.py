from __future__ import annotations

import cv2
import numpy as np
import pytest

from boxes.scenes import random_boxes
from swathe.boxes import canonical, convert, iou, to_polygons
from swathe.errors import UsageError

BOXES = np.concatenate(
    [
        random_boxes(1, 300, origin=1e5),
        [[5.0, 6.0, 9.0, 2.0, angle] for angle in (-np.pi / 2, -np.pi / 4, 0.0, np.pi / 4, 1.5707963267948963)],
    ]
)
FORMS = {
    "opencv": (convert.to_opencv, convert.from_opencv),
    "yolov5_obb": (convert.to_yolov5_obb, convert.from_yolov5_obb),
    "mmrotate_le90": (convert.to_mmrotate_le90, convert.from_mmrotate_le90),
    "ultralytics": (convert.to_ultralytics, convert.from_ultralytics),
}


@pytest.mark.parametrize("form", FORMS)
def test_there_and_back(form: str) -> None:
    there, back = FORMS[form]
    np.testing.assert_allclose(back(there(BOXES)), BOXES, rtol=0.0, atol=1e-12)
    assert there([]).shape == back([]).shape == (0, 5)


@pytest.mark.parametrize(
    ("form", "start", "end"),
    [("yolov5_obb", -np.pi / 2, np.pi / 2), ("ultralytics", -np.pi / 4, 3 * np.pi / 4)],
)
def test_angles_lie_in_the_range_of_the_other_program(form: str, start: float, end: float) -> None:
    angles = FORMS[form][0](BOXES)[:, 4]
    assert ((angles >= start) & (angles < end)).all()


def test_opencv_rectangles_are_those_of_opencv() -> None:
    small = random_boxes(2, 200)
    rectangles = convert.to_opencv(small)
    assert ((rectangles[:, 4] > 0.0) & (rectangles[:, 4] <= 90.0)).all()
    drawn = np.array([cv2.boxPoints(((r[0], r[1]), (r[2], r[3]), r[4])) for r in rectangles])
    assert np.linalg.norm(drawn[:, :, None] - to_polygons(small)[:, None], axis=-1).min(axis=2).max() < 1e-3


def test_what_opencv_measures_is_understood() -> None:
    small = random_boxes(3, 200)
    measured = [cv2.minAreaRect(corners.astype(np.float32)) for corners in to_polygons(small)]
    boxes = convert.from_opencv([[*centre, *sides, angle] for centre, sides, angle in measured])
    assert iou(boxes, small).min() > 0.9999


def test_angle_of_yolov5_obb_runs_the_other_way() -> None:
    row = convert.to_yolov5_obb([[1.0, 2.0, 8.0, 3.0, np.radians(30.0)]])[0]
    np.testing.assert_allclose(row, [1.0, 2.0, 8.0, 3.0, np.radians(-30.0)])
    assert convert.to_yolov5_obb([[1.0, 2.0, 8.0, 3.0, -np.pi / 2]])[0, 4] == -np.pi / 2


@pytest.mark.parametrize("angle", [0.3, 0.3 + 7 * np.pi, -100.0])
def test_unbounded_angles_and_swapped_sides_of_ultralytics(angle: float) -> None:
    box = convert.from_ultralytics([[1.0, 2.0, 3.0, 8.0, angle]])
    assert box[0, 2:4].tolist() == [8.0, 3.0]
    np.testing.assert_allclose(np.tan(box[0, 4]), np.tan(angle + np.pi / 2), rtol=1e-9)


def test_axis_aligned_there_and_back() -> None:
    corners = np.array([[0.0, 0.0, 4.0, 2.0], [1.0, 2.0, 3.0, 9.0], [5.0, 5.0, 5.0, 5.0]])
    boxes = convert.from_axis_aligned(corners)
    assert boxes[:, 4].tolist() == [0.0, -np.pi / 2, 0.0]
    np.testing.assert_allclose(convert.to_axis_aligned(boxes), corners, atol=1e-12)
    assert np.array_equal(boxes, canonical(boxes))
    assert convert.from_axis_aligned([]).shape == (0, 5)


def test_reversed_axis_aligned_rectangle_is_refused() -> None:
    with pytest.raises(UsageError, match="row 1 is not xmin, ymin, xmax, ymax"):
        convert.from_axis_aligned([[0.0, 0.0, 1.0, 1.0], [4.0, 0.0, 1.0, 1.0]])
