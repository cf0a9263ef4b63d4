from __future__ import annotations

import numpy as np
import pytest

from boxes.scenes import random_boxes
from swathe.boxes import convert

BOXES = np.concatenate(
    [
        random_boxes(1, 300, origin=1e5),
        [[5.0, 6.0, 9.0, 2.0, angle] for angle in (-np.pi / 2, -np.pi / 4, 0.0, np.pi / 4, 1.5707963267948963)],
    ]
)
FORMS = {
    "yolov5_obb": (convert.to_yolov5_obb, convert.from_yolov5_obb),
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


def test_angle_of_yolov5_obb_runs_the_other_way() -> None:
    row = convert.to_yolov5_obb([[1.0, 2.0, 8.0, 3.0, np.radians(30.0)]])[0]
    np.testing.assert_allclose(row, [1.0, 2.0, 8.0, 3.0, np.radians(-30.0)])
    assert convert.to_yolov5_obb([[1.0, 2.0, 8.0, 3.0, -np.pi / 2]])[0, 4] == -np.pi / 2


@pytest.mark.parametrize("angle", [0.3, 0.3 + 7 * np.pi, -100.0])
def test_unbounded_angles_and_swapped_sides_of_ultralytics(angle: float) -> None:
    box = convert.from_ultralytics([[1.0, 2.0, 3.0, 8.0, angle]])
    assert box[0, 2:4].tolist() == [8.0, 3.0]
    np.testing.assert_allclose(np.tan(box[0, 4]), np.tan(angle + np.pi / 2), rtol=1e-9)
