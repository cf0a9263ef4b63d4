"""The compiled decoder against a slow, obvious one, and against labels whose angle is known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.errors import ModelError
from swathe.model.decode import decode
from swathe.model.info import ModelInfo

INFO = ModelInfo("test", "n", ("ship", "plane", "harbor"), 256)
GRIDS = ((6, 9), (3, 5), (2, 3))  # rows, columns
COUNT = 3 * (6 * 9 + 3 * 5 + 2 * 3)

Maps = list[npt.NDArray[np.float32]]


def random_maps(seed: int, info: ModelInfo = INFO) -> Maps:
    """Draw logits with a few peaks; objectness low on average, as in a trained network."""
    random = np.random.default_rng(seed)
    maps = [
        random.normal(0.0, 2.0, (info.anchors_per_cell * info.channels, rows, columns)).astype(np.float32)
        for rows, columns in GRIDS
    ]
    for level in maps:
        level.reshape(info.anchors_per_cell, info.channels, *level.shape[1:])[:, 4] -= 2.0
    return maps


def sigmoid(logit: float) -> float:
    """Textbook form."""
    return 1.0 / (1.0 + math.exp(-float(logit)))


def slow_angle(logits: npt.NDArray[np.float32]) -> float:
    """Angle in degrees: the centre of mass under a Gaussian of 2 bins that moves until it sits on it."""
    bins = len(logits)
    peak = int(np.argmax(logits))
    offsets = np.arange(-6, 7)
    values = np.array([sigmoid(logits[(peak + offset) % bins]) for offset in offsets])
    centre = 0.0
    for _ in range(4):
        weights = values * np.exp(-0.5 * ((offsets - centre) / 2.0) ** 2)
        centre += 2.0 * float(np.sum(weights * (offsets - centre)) / np.sum(weights))
        centre = max(-1.0, min(1.0, centre))
    return (peak + 0.5 + centre) * 180.0 / bins - 90.0


def slow_decode(maps: Maps, info: ModelInfo, min_score: float) -> list[tuple[float, ...]]:
    """Decode anchor by anchor: cx, cy, w, h, theta, score, class."""
    found: list[tuple[float, ...]] = []
    for level, anchors, stride in zip(maps, info.anchors, info.strides, strict=True):
        for anchor, (anchor_long, anchor_short) in enumerate(anchors):
            for row in range(level.shape[1]):
                for column in range(level.shape[2]):
                    values = level[anchor * info.channels : (anchor + 1) * info.channels, row, column]
                    probabilities = [sigmoid(logit) for logit in values[5 : 5 + len(info.classes)]]
                    score = sigmoid(values[4]) * max(probabilities)
                    if score < min_score:
                        continue
                    x = (2 * sigmoid(values[0]) - 0.5 + column) * stride
                    y = (2 * sigmoid(values[1]) - 0.5 + row) * stride
                    w, h = (2 * sigmoid(values[2])) ** 2 * anchor_long, (2 * sigmoid(values[3])) ** 2 * anchor_short
                    degrees = slow_angle(values[5 + len(info.classes) :])
                    if w < h:
                        w, h, degrees = h, w, degrees + 90.0
                    theta = math.radians((degrees + 90.0) % 180.0 - 90.0)
                    found.append((x, y, w, h, theta, score, probabilities.index(max(probabilities))))
    return found


@pytest.mark.parametrize("min_score", [0.0, 0.05, 0.25, 0.6])
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_the_slow_decoder(seed: int, min_score: float) -> None:
    maps = random_maps(seed)
    boxes, scores, classes = decode(maps, INFO, min_score)
    expected = np.array(slow_decode(maps, INFO, min_score)).reshape(-1, 7)
    assert len(expected) > 0
    np.testing.assert_allclose(np.column_stack([boxes, scores, classes]), expected, rtol=1e-9, atol=1e-9)
    assert (boxes.dtype, scores.dtype, classes.dtype) == (np.float64, np.float64, np.int64)


@given(seed=st.integers(0, 50), min_score=st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_a_threshold_only_removes(seed: int, min_score: float) -> None:
    maps = random_maps(seed)
    everything = decode(maps, INFO, 0.0)
    assert len(everything[1]) == COUNT
    kept = everything[1] >= min_score
    for found, all_of_them in zip(decode(maps, INFO, min_score), everything, strict=True):
        np.testing.assert_array_equal(found, all_of_them[kept])


@given(seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_boxes_are_canonical(seed: int) -> None:
    boxes, _, _ = decode(random_maps(seed), INFO, 0.0)
    assert (boxes[:, 2] >= boxes[:, 3]).all()
    assert (boxes[:, 4] >= -math.pi / 2).all()
    assert (boxes[:, 4] < math.pi / 2).all()


def test_any_memory_layout_gives_the_same() -> None:
    maps = random_maps(3)
    channels_last = [np.ascontiguousarray(level.transpose(1, 2, 0)).transpose(2, 0, 1) for level in maps]
    for found, expected in zip(decode(channels_last, INFO, 0.1), decode(maps, INFO, 0.1), strict=True):
        np.testing.assert_array_equal(found, expected)


def silent_maps(info: ModelInfo = INFO) -> Maps:
    """Make maps in which nothing is found."""
    return [
        np.full((info.anchors_per_cell * info.channels, rows, columns), -20.0, np.float32) for rows, columns in GRIDS
    ]


def label_logits(degrees: float, radius: float = 2.0) -> npt.NDArray[np.float32]:
    """Logits of a perfect Gaussian label around an angle, bin k being centred on k - 89.5 degrees."""
    distance = np.abs(np.arange(180) - (degrees + 89.5)) % 180
    distance = np.minimum(distance, 180 - distance)
    label = np.clip(np.exp(-(distance**2) / (2 * radius**2)), 1e-6, 1 - 1e-6)
    return np.log(label / (1 - label)).astype(np.float32)


def one_object(degrees: float, radius: float = 2.0) -> Maps:
    """Make maps with one object: level 1 (stride 16), anchor 2 (59 x 119), row 1, column 4, class 1."""
    maps = silent_maps()
    first = 2 * INFO.channels
    maps[1][first : first + 8, 1, 4] = (0.0, 0.0, 0.0, 0.0, 8.0, -8.0, 8.0, -8.0)
    maps[1][first + 8 : first + INFO.channels, 1, 4] = label_logits(degrees, radius)
    return maps


def test_worked_example() -> None:
    boxes, scores, classes = decode(one_object(20.0), INFO, 0.25)
    # Logits of 0 are the middle of the cell and the anchor itself; 59 < 119, so the long side is turned by 90 degrees.
    np.testing.assert_allclose(boxes, [[4.5 * 16, 1.5 * 16, 119.0, 59.0, math.radians(20.0 - 90.0)]], atol=1e-4)
    np.testing.assert_allclose(scores, [sigmoid(8.0) ** 2])
    assert classes.tolist() == [1]


def angle_errors(radius: float) -> npt.NDArray[np.float64]:
    """Decode perfect labels all around the circle; errors in degrees."""
    errors = []
    for degrees in np.arange(-90.0, 90.0, 0.37):
        boxes, _, _ = decode(one_object(degrees, radius), INFO, 0.25)
        turned = math.degrees(boxes[0, 4]) + 90.0 - degrees
        errors.append((turned + 90.0) % 180.0 - 90.0)
    return np.array(errors)


def test_angles_are_read_below_one_bin_and_without_bias() -> None:
    errors = angle_errors(radius=2.0)
    assert np.abs(errors).max() < 0.01
    assert abs(errors.mean()) < 0.001


@pytest.mark.parametrize("radius", [1.0, 4.0])
def test_labels_of_another_width_are_read_nearly_as_well(radius: float) -> None:
    errors = angle_errors(radius)
    assert np.abs(errors).max() < 0.1
    assert abs(errors.mean()) < 0.01


def test_labels_on_bin_centres_give_the_bin_centre() -> None:
    boxes, _, _ = decode(one_object(-89.5), INFO, 0.25)
    assert math.degrees(boxes[0, 4]) == pytest.approx(0.5, abs=1e-6)


def test_nothing_found_gives_empty_arrays() -> None:
    boxes, scores, classes = decode(silent_maps(), INFO, 0.25)
    assert (boxes.shape, scores.shape, classes.shape) == ((0, 5), (0,), (0,))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 4, 6, 100])
def test_values_that_are_not_finite_are_refused(value: float, channel: int) -> None:
    maps = one_object(10.0)
    maps[1][2 * INFO.channels + channel, 1, 4] = value
    with pytest.raises(ModelError, match="not finite"):
        decode(maps, INFO, 0.25)


def test_maps_of_another_model_are_refused() -> None:
    other = ModelInfo("other", "n", ("building",), 256)
    with pytest.raises(ModelError, match="558 float32 channels"):
        decode(silent_maps(), other, 0.25)
    with pytest.raises(ModelError, match="2 maps for 3 strides"):
        decode(silent_maps()[:2], INFO, 0.25)
    with pytest.raises(ModelError, match="float64"):
        decode([level.astype(np.float64) for level in silent_maps()], INFO, 0.25)


def test_angle_bins_outside_of_the_maps_give_the_same() -> None:
    random = np.random.default_rng(4)
    bins, count, channels = INFO.angle_bins, len(INFO.classes) + 5, 7
    maps, rest, features, angles = random_maps(5), [], [], []
    for level in maps:
        split = level.reshape(INFO.anchors_per_cell, INFO.channels, *level.shape[1:])
        feature = random.normal(size=(channels, *level.shape[1:])).astype(np.float32)
        weight = random.normal(size=(INFO.anchors_per_cell, channels, bins)).astype(np.float32)
        bias = random.normal(size=(INFO.anchors_per_cell, bins)).astype(np.float32)
        split[:, count:] = np.einsum("cij,acb->abij", feature, weight) + bias[:, :, None, None]
        rest.append(np.ascontiguousarray(split[:, :count]).reshape(-1, *level.shape[1:]))
        features.append(feature)
        angles.append((weight, bias))
    for min_score in (0.0, 0.1, 0.5):
        found, expected = decode([*rest, *features], INFO, min_score, angles), decode(maps, INFO, min_score)
        assert len(expected[0]) > 0
        np.testing.assert_allclose(found[0], expected[0], atol=1e-4)
        np.testing.assert_array_equal(found[1], expected[1])
        np.testing.assert_array_equal(found[2], expected[2])
