"""Augmentation: pixels and boxes move together, nothing is clipped, the seed decides everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

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


@settings(deadline=None, max_examples=60)
@given(st.floats(-math.pi, math.pi), st.floats(0.6, 1.6), st.booleans(), st.booleans())
def test_labels_turn_as_exact_geometry_does(angle: float, scale: float, flip_x: bool, flip_y: bool) -> None:
    # 160 x 200 pixels about their middle, (100, 80), to 300 x 300 about (150, 150)
    (outline,) = boxes.to_polygons(ONE + np.array([7.0, -4.0, 0, 0, 0]))
    moved = image_with(ONE + np.array([7.0, -4.0, 0, 0, 0]))
    view = warp(moved, 300, 300, Placement(angle, scale, flip_x, flip_y), np.array([0.5, 0.5]))
    shape = affinity.scale(shapely.Polygon(outline), -1 if flip_x else 1, -1 if flip_y else 1, origin=(100, 80))
    shape = affinity.rotate(affinity.scale(shape, scale, scale, origin=(100, 80)), angle, (100, 80), use_radians=True)
    expected = affinity.translate(shape, 50, 70)
    (found,) = map(shapely.Polygon, boxes.to_polygons(view.boxes))
    assert found.symmetric_difference(expected).area < 1e-6 * expected.area


def test_a_full_turn_in_small_steps_leaves_labels_where_they_were() -> None:
    start = np.array([[100.0, 80.0, 60.0, 24.0, 0.4], [120.0, 70.0, 30.0, 30.0, -0.7], [90.0, 95.0, 80.0, 2.0, 1.5]])
    view = image_with(start, 200, 160)
    for _ in range(360):
        view = warp(view, 200, 160, Placement(math.radians(1.0), 1.0, False, False), np.array([0.5, 0.5]))
    np.testing.assert_allclose(view.boxes[:, :4], start[:, :4], atol=1e-9)
    turn = (view.boxes[:, 4] - start[:, 4] + math.pi / 2) % math.pi - math.pi / 2
    np.testing.assert_allclose(turn, 0.0, atol=1e-9)


def test_turned_pixels_have_the_place_length_and_direction_of_their_labels() -> None:
    errors = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        box = np.array([[150 + rng.uniform(-5, 5), 150 + rng.uniform(-5, 5), 50, 18, rng.uniform(-1.5, 1.5)]])
        view = warp(smooth_image(box[0]), 160, 160, Placement(rng.uniform(-3, 3), 1.2, False, False), np.full(2, 0.5))
        (label,), weight = view.boxes, view.pixels[..., 0].astype(float)
        places = np.stack(np.meshgrid(np.arange(160) + 0.5, np.arange(160) + 0.5), axis=-1).reshape(-1, 2)
        centre = np.average(places, axis=0, weights=weight.ravel())
        values, axes = np.linalg.eigh(np.cov(places.T, aweights=weight.ravel()))
        turn = math.atan2(axes[1, 1], axes[0, 1]) - label[4]
        turn = math.degrees((turn + math.pi / 2) % math.pi - math.pi / 2)
        errors.append([*(centre - label[:2]), *(np.sqrt(12 * values[::-1]) - label[2:4]), turn])
    worst, mean = np.abs(errors).max(axis=0), np.abs(np.mean(errors, axis=0))
    assert worst[:2].max() < 0.03  # pixels
    assert worst[2:4].max() < 0.15  # pixels: interpolation blurs the edges
    assert worst[4] < 0.1  # degrees
    assert mean[:2].max() < 0.005
    assert mean[4] < 0.01


def smooth_image(box: np.ndarray, side: int = 300, finer: int = 4) -> TrainingImage:
    """One bright box on black whose edges cover pixels in part."""
    place = (np.arange(side * finer) + 0.5) / finer
    x, y = np.meshgrid(place - box[0], place - box[1])
    cosine, sine = math.cos(box[4]), math.sin(box[4])
    inside = (np.abs(x * cosine + y * sine) < box[2] / 2) & (np.abs(y * cosine - x * sine) < box[3] / 2)
    grey = (inside.reshape(side, finer, side, finer).mean(axis=(1, 3)) * 255).round().astype(np.uint8)
    ignore = np.zeros((side, side), np.uint8)
    return TrainingImage(np.repeat(grey[..., None], 3, axis=2), box[None], np.zeros(1, np.int64), ignore, EVERY)


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
