"""From raw output maps to oriented boxes, outside the graph and shared by every backend.

Objectness is tested first, on the logits: a score is objectness times class probability, so it never exceeds
the objectness, and all but a few anchors are dropped before a single sigmoid is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from swathe.boxes.compiled import compiled
from swathe.errors import ModelError
from swathe.model.info import Angles, ModelInfo

Boxes = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]
Cells = npt.NDArray[np.int64]
Maps = Sequence[npt.NDArray[np.float32]]

OBJECTNESS = 4  # channel of the objectness within an anchor; the classes follow
FIRST_CLASS = 5

# Anchors this close below the threshold are still decoded: float32 rounding of a logit never decides, the score does.
LOGIT_SLACK = 1e-3

# The angle is the fixed point of a mean shift with a Gaussian kernel of the label's width. Doubling the step makes one
# iteration exact for a peak as wide as the kernel; the others serve peaks of another width.
KERNEL_RADIUS = 2.0  # standard deviation, bins
KERNEL_REACH = 6  # bins looked at on each side of the peak
MEAN_SHIFTS = 4
STEP = 2.0


def decode(
    maps: Maps, info: ModelInfo, min_score: float, angles: Sequence[Angles] = ()
) -> tuple[Boxes, Scores, Classes]:
    """Decode the raw maps of one image into boxes, one per anchor at most, before any suppression.

    With s the sigmoid of a logit: centre = (2 s - 0.5 + cell) * stride, side = (2 s)^2 * anchor, score = objectness *
    best class (YOLOv5 v6.0); the angle is the peak of the angle bins, refined below one bin.

    Args:
        maps: Per level, float32 logits (anchors * channels, grid height, grid width); any memory layout. With `angles`,
            the logits without those of the angle bins, and after all levels the features that the layers take.
        info: The model that made them: anchors, strides, classes, angle bins.
        min_score: Lowest score that is kept, 0 to 1; at 0 every anchor is, in the order level, anchor, row, column.
        angles: Per level, the weights (anchors, features, bins) and biases (anchors, bins) of the angle bins, which are
            then computed for the boxes that are kept.

    Returns:
        Canonical boxes (n, 5) in pixels of the image, scores (n,) and class indices (n,), in the order of the anchors.

    Raises:
        ModelError: If the maps do not have the shape of the model, or hold values that are not finite.
    """
    count = len(info.strides)
    if len(maps) != count + len(angles):
        raise ModelError(f"model {info.name!r} gave {len(maps)} maps for {count} strides; export it again")
    channels = info.channels - (info.angle_bins if angles else 0)
    levels = []
    for number, (anchors, stride) in enumerate(zip(info.anchors, info.strides, strict=True)):
        level = _split(maps[number], channels, info)
        layer = partial(_angle_bins, angles[number], maps[count + number]) if angles else None
        levels.append(_decode_level(level, np.asarray(anchors), stride, info, min_score, layer))
    boxes, scores, classes = zip(*levels, strict=True)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes)


def _split(level_map: npt.NDArray[np.float32], channels: int, info: ModelInfo) -> npt.NDArray[np.float32]:
    """View a map (anchors * channels, height, width) as (anchors, channels, height, width)."""
    expected = info.anchors_per_cell * channels
    if level_map.ndim != 3 or level_map.shape[0] != expected or level_map.dtype != np.float32:
        raise ModelError(
            f"model {info.name!r} gave a map of shape {level_map.shape} and type {level_map.dtype}; its description "
            f"({len(info.classes)} classes, {info.angle_bins} angle bins) needs {expected} float32 channels. "
            "Export the model again"
        )
    return level_map.reshape(info.anchors_per_cell, channels, *level_map.shape[1:])


def _decode_level(
    level: npt.NDArray[np.float32],
    anchors: npt.NDArray[np.float64],
    stride: int,
    info: ModelInfo,
    min_score: float,
    angles: Callable[[Cells], npt.NDArray[np.float32]] | None,
) -> tuple[Boxes, Scores, Classes]:
    """Decode one level in compiled code: threshold the objectness logits, then the scores, then read the angles."""
    classes = len(info.classes)
    least = _logit(min_score) - LOGIT_SLACK
    finite, cells, scores, best = _survivors(level, least, min_score, classes)
    if finite and len(cells):
        bins = _gather(level, cells, FIRST_CLASS + classes) if angles is None else angles(cells)
        boxes = _boxes(level, cells, anchors, float(stride), bins)
        finite = bool(np.isfinite(boxes).all())
    else:
        boxes = np.empty((0, 5))
    if not finite:
        raise _not_finite(info)
    return boxes, scores, best


def _angle_bins(layer: Angles, features: npt.NDArray[np.float32], cells: Cells) -> npt.NDArray[np.float32]:
    """Compute the logits (n, bins) of the angle bins of rising flat (anchor, row, column) cells."""
    area = features.shape[1] * features.shape[2]
    columns = _gather(features[None], cells % area, 0)
    found = np.empty((len(cells), layer[1].shape[1]), np.float32)
    starts = np.searchsorted(cells, area * np.arange(len(layer[0]) + 1))
    for weight, bias, first, end in zip(*layer, starts[:-1], starts[1:], strict=True):
        np.matmul(columns[first:end], weight, out=found[first:end])
        found[first:end] += bias
    return found


def _not_finite(info: ModelInfo) -> ModelError:
    """Pixels are always finite, so such values can only come from the weights."""
    return ModelError(
        f"model {info.name!r} gives values that are not finite (NaN or infinity): its weights are damaged or its "
        "training diverged. Use another copy of the file or an earlier checkpoint"
    )


def _logit(probability: float) -> float:
    """Inverse of the sigmoid, infinite at 0 and 1; 1 is left to the comparison of scores."""
    if probability <= 0.0:
        return -math.inf
    if probability >= 1.0:
        return 0.0
    return math.log(probability) - math.log1p(-probability)


@compiled
def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


@compiled
def _peak(logits: npt.NDArray[np.float64]) -> int:
    """Index of the largest value, the first one of equals."""
    best = 0
    for index in range(1, logits.shape[0]):
        if logits[index] > logits[best]:
            best = index
    return best


@compiled
def _angle(logits: npt.NDArray[np.float64]) -> float:
    """Angle in radians, not wrapped: bin k of 180 is centred on k - 89.5 degrees."""
    bins = logits.shape[0]
    peak = _peak(logits)
    reach = min(KERNEL_REACH, (bins - 1) // 2)
    weights = np.empty(2 * reach + 1)
    for index in range(2 * reach + 1):
        weights[index] = _sigmoid(logits[(peak - reach + index) % bins])
    offset = 0.0
    for _ in range(MEAN_SHIFTS):
        total, moment = 1e-300, 0.0
        for index in range(2 * reach + 1):
            distance = index - reach - offset
            weight = weights[index] * math.exp(-0.5 * (distance / KERNEL_RADIUS) ** 2)
            total += weight
            moment += weight * distance
        # A peak bin is at most half a bin away from the angle; noise must not carry the result further than one.
        offset = min(1.0, max(-1.0, offset + STEP * moment / total))
    angle: float = (peak + 0.5 + offset) * math.pi / bins - math.pi / 2
    return angle


@compiled
def _wrap(angle: float) -> float:
    """Bring an angle within one turn of the range to [-pi/2, pi/2)."""
    while angle >= math.pi / 2:
        angle -= math.pi
    while angle < -math.pi / 2:
        angle += math.pi
    return angle


@compiled
def _survivors(
    level: npt.NDArray[np.float32], least: float, min_score: float, classes: int
) -> tuple[bool, Cells, Scores, Classes]:
    """Find the flat (anchor, row, column) cells whose score is high enough; first, whether all values were finite."""
    height, width = level.shape[2], level.shape[3]
    cells = np.empty(64, np.int64)
    count, finite = 0, True
    for anchor in range(level.shape[0]):
        for row in range(height):
            for column in range(width):
                objectness = level[anchor, OBJECTNESS, row, column]
                if objectness < least and objectness != -np.inf:
                    continue
                finite = finite and math.isfinite(objectness)
                if count == cells.size:
                    more = np.empty(4 * count, np.int64)
                    more[:count] = cells
                    cells = more
                cells[count] = (anchor * height + row) * width + column
                count += 1
    scores, best = np.empty(count), np.empty(count, np.int64)
    kept = 0
    for index in range(count):
        anchor, place = divmod(cells[index], height * width)
        row, column = divmod(place, width)
        likeliest = 0
        for number in range(classes):
            logit = level[anchor, FIRST_CLASS + number, row, column]
            finite = finite and math.isfinite(logit)
            if logit > level[anchor, FIRST_CLASS + likeliest, row, column]:
                likeliest = number
        # In float64, as all that follows.
        objectness = np.float64(level[anchor, OBJECTNESS, row, column])
        likelihood = np.float64(level[anchor, FIRST_CLASS + likeliest, row, column])
        score = _sigmoid(objectness) * _sigmoid(likelihood)
        if score >= min_score:
            cells[kept], scores[kept], best[kept] = cells[index], score, likeliest
            kept += 1
    return finite, cells[:kept].copy(), scores[:kept].copy(), best[:kept].copy()


@compiled
def _gather(level: npt.NDArray[np.float32], cells: Cells, first: int) -> npt.NDArray[np.float32]:
    """Gather channels `first` and on of (anchors, channels, height, width) at flat (anchor, row, column) cells."""
    width, area = level.shape[3], level.shape[2] * level.shape[3]
    found = np.empty((cells.size, level.shape[1] - first), np.float32)
    anchors, places = cells // area, cells % area
    rows, columns = places // width, places % width
    for channel in range(found.shape[1]):
        for index in range(cells.size):
            found[index, channel] = level[anchors[index], first + channel, rows[index], columns[index]]
    return found


@compiled
def _boxes(
    level: npt.NDArray[np.float32],
    cells: Cells,
    anchors: npt.NDArray[np.float64],
    stride: float,
    bins: npt.NDArray[np.float32],
) -> Boxes:
    """Decode the given flat (anchor, row, column) cells; the angle is NaN where a channel is not finite."""
    height, width = level.shape[2], level.shape[3]
    boxes = np.empty((cells.size, 5))
    logits = np.empty(bins.shape[1])  # float64, so that all that follows is
    values = np.empty(OBJECTNESS)
    for index in range(cells.size):
        anchor, place = divmod(cells[index], height * width)
        row, column = divmod(place, width)
        total = 0.0
        for channel in range(OBJECTNESS):
            values[channel] = level[anchor, channel, row, column]
            total += values[channel]
        for channel in range(logits.size):
            logits[channel] = bins[index, channel]
            total += logits[channel]
        long = (2.0 * _sigmoid(values[2])) ** 2 * anchors[anchor, 0]
        short = (2.0 * _sigmoid(values[3])) ** 2 * anchors[anchor, 1]
        theta = _angle(logits)
        if long < short:
            long, short, theta = short, long, theta + math.pi / 2
        boxes[index, 0] = (2.0 * _sigmoid(values[0]) - 0.5 + column) * stride
        boxes[index, 1] = (2.0 * _sigmoid(values[1]) - 0.5 + row) * stride
        boxes[index, 2], boxes[index, 3] = long, short
        boxes[index, 4] = _wrap(theta) if math.isfinite(total) else np.nan
    return boxes
