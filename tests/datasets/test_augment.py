"""Augmentation: pixels and boxes move together, nothing is clipped, the seed decides everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requirements import need
from swathe import boxes
from swathe.datasets.augment import (
    NO_AUGMENTATION,
    Augmentation,
    Placement,
    TrainingImage,
    fill_polygons,
    random_view,
    warp,
)
from swathe.errors import UsageError

need("cv2")

EVERY = np.ones(1, np.bool_)


def image_with(boxes_drawn: np.ndarray, width: int = 200, height: int = 160) -> TrainingImage:
    """Bright filled boxes on black: what is bright must lie in a box, wherever it is moved."""
    ignore = np.zeros((height, width), np.uint8)
    fill_polygons(ignore, boxes.to_polygons(boxes_drawn))
    pixels = np.repeat(ignore[..., None] * 255, 3, axis=2).astype(np.uint8)
    return TrainingImage(pixels, boxes_drawn, np.zeros(len(boxes_drawn), np.int64), np.zeros_like(ignore), EVERY)


ONE = np.array([[100.0, 80.0, 60.0, 24.0, 0.4]])


@settings(deadline=None, max_examples=60)
@given(
    st.floats(-math.pi, math.pi), st.floats(0.6, 1.6), st.booleans(), st.booleans(), st.floats(0, 1), st.floats(0, 1)
)
def test_pixels_and_boxes_move_together(
    angle: float, scale: float, flip_x: bool, flip_y: bool, x: float, y: float
) -> None:
    view = warp(image_with(ONE), 256, 256, Placement(angle, scale, flip_x, flip_y), np.array([x, y]))
    mask = (view.pixels[..., 0] > 128) & (view.pixels[..., 0] != 114)
    drawn = np.zeros((256, 256), np.uint8)
    fill_polygons(drawn, boxes.to_polygons(view.boxes))
    if len(view.boxes):
        overlap = (mask & (drawn > 0)).sum() / max(1, (mask | (drawn > 0)).sum())
        assert overlap > 0.85  # the rest is rounding along the outline
        assert view.boxes[0, 2] == pytest.approx(60 * scale)
        assert view.boxes[0, 3] == pytest.approx(24 * scale)
        assert -math.pi / 2 <= view.boxes[0, 4] < math.pi / 2


def test_unturned_view_is_the_image() -> None:
    image = image_with(ONE, 128, 128)
    image = TrainingImage(image.pixels, np.array([[60.0, 60.0, 30.0, 10.0, 0.2]]), image.classes, image.ignore, EVERY)
    view = warp(image, 128, 128, Placement(0.0, 1.0, False, False), np.array([0.5, 0.5]))
    np.testing.assert_array_equal(view.pixels, image.pixels)
    np.testing.assert_allclose(view.boxes, image.boxes)


def test_a_box_whose_centre_leaves_is_dropped_and_its_rest_ignored() -> None:
    edge = np.array([[98.0, 50.0, 40.0, 10.0, 0.0], [102.0, 80.0, 40.0, 10.0, 0.0]])
    image = image_with(edge)
    view = warp(image, 100, 160, Placement(0.0, 1.0, False, False), np.array([0.0, 0.5]))
    np.testing.assert_allclose(view.boxes, edge[:1])  # never clipped, though 18 px of it are outside
    assert view.ignore[80, 90] == 1
    assert view.ignore[50, 90] == 0


def test_the_generator_decides_everything() -> None:
    image = image_with(ONE)
    wild = Augmentation(mosaic=0.5, mixup=0.5)
    first = random_view(lambda _: image, 96, wild, np.random.default_rng(5))
    again = random_view(lambda _: image, 96, wild, np.random.default_rng(5))
    other = random_view(lambda _: image, 96, wild, np.random.default_rng(6))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.pixels, other.pixels)


def test_mosaic_has_four_parts_and_keeps_labels_of_all() -> None:
    asked = []

    def pick(rng: np.random.Generator) -> TrainingImage:
        asked.append(rng.integers(2))
        return image_with(ONE)

    view = random_view(pick, 128, Augmentation(mosaic=1.0, mixup=0.0, scale=(1.0, 1.0)), np.random.default_rng(0))
    assert len(asked) == 4
    assert view.pixels.shape == (128, 128, 3)
    assert (view.boxes[:, :2] >= 0).all()
    assert (view.boxes[:, :2] < 128).all()


def test_a_set_that_does_not_label_a_class_silences_it_in_the_whole_mosaic() -> None:
    sources = [np.array([True, True]), np.array([True, False])]

    def pick(rng: np.random.Generator) -> TrainingImage:
        base = image_with(ONE)
        return TrainingImage(base.pixels, base.boxes, base.classes, base.ignore, sources[int(rng.integers(2))])

    views = [random_view(pick, 64, Augmentation(mosaic=1.0), np.random.default_rng(seed)) for seed in range(20)]
    assert all(view.labelled[0] for view in views)
    assert not all(view.labelled[1] for view in views)


def test_without_augmentation_pixels_stay() -> None:
    image = image_with(ONE, 64, 64)
    view = random_view(lambda _: image, 64, NO_AUGMENTATION, np.random.default_rng(0))
    np.testing.assert_array_equal(view.pixels, image.pixels)


@pytest.mark.parametrize(
    "values", [{"mosaic": 1.5}, {"scale": (0.0, 1.0)}, {"scale": (2.0, 1.0)}, {"rotation": 200.0}, {"gamma": 1.0}]
)
def test_refuses_impossible_settings(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="augmentation"):
        Augmentation(**values)  # type: ignore[arg-type]
