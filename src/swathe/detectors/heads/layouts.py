"""How boxes stand in the outputs of models of other makes, one function for each layout.

Each takes the outputs of one image, the card and the side of the square input in pixels, and gives the boxes whose best
class reaches the lowest score, before any suppression. Facts: the exports of the tools; docs/how-to/own-model.md lists
them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from swathe.boxes import convert
from swathe.detectors.card import ModelCard
from swathe.detectors.heads.head import Candidates, Outputs
from swathe.errors import ModelError

Floats = npt.NDArray[np.float64]
Decode = Callable[[Outputs, ModelCard, int, float], Candidates]
FARTHEST = 1e6  # pixels from the corner of a tile
ANGLE_BINS = 180  # of one degree, in the circular smooth label of yolov5_obb


def ultralytics_obb(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(4 + classes + 1, places): cx, cy, w, h in pixels, scores, angle in radians."""
    columns = _rows(outputs[0].T, 5 + len(card.classes), card)
    kept, scores, classes = _best(columns[:, 4:-1], min_score)
    return _candidates(columns[kept][:, [0, 1, 2, 3, -1]], scores, classes)


def ultralytics_obb_end2end(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(most, 7): cx, cy, w, h in pixels, score, class, angle in radians; after the tool's own selection."""
    rows = _rows(outputs[0], 7, card)
    rows = rows[rows[:, 4] >= min_score]
    return _candidates(rows[:, [0, 1, 2, 3, 6]], rows[:, 4], _indices(rows[:, 5], card))


def ultralytics_detect(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(4 + classes, places): cx, cy, w, h in pixels, scores."""
    columns = _rows(outputs[0].T, 4 + len(card.classes), card)
    kept, scores, classes = _best(columns[:, 4:], min_score)
    return _candidates(_upright(columns[kept]), scores, classes)


def ultralytics_detect_end2end(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(most, 6): xmin, ymin, xmax, ymax in pixels, score, class; after the tool's own selection."""
    rows = _rows(outputs[0], 6, card)
    rows = rows[rows[:, 4] >= min_score]
    sides = rows[:, 2:4] - rows[:, :2]
    boxes = _upright(np.concatenate([rows[:, :2] + sides / 2, sides], axis=1))
    return _candidates(boxes, rows[:, 4], _indices(rows[:, 5], card))


def ultralytics_rtdetr(outputs: Outputs, card: ModelCard, side: int, min_score: float) -> Candidates:
    """(queries, 6): cx, cy, w, h as shares of the input, score, class."""
    rows = _rows(outputs[0], 6, card)
    rows = rows[rows[:, 4] >= min_score]
    return _candidates(_upright(rows[:, :4] * side), rows[:, 4], _indices(rows[:, 5], card))


def yolov5_detect(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(places, 5 + classes): cx, cy, w, h in pixels, objectness, class probabilities."""
    rows = _rows(outputs[0], 5 + len(card.classes), card)
    kept, scores, classes = _best(rows[:, 5:] * rows[:, 4:5], min_score)
    return _candidates(_upright(rows[kept]), scores, classes)


def yolov5_obb(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(places, 5 + classes + 180): cx, cy, long, short, objectness, class probabilities, angle bins."""
    first = 5 + len(card.classes)
    rows = _rows(outputs[0], first + ANGLE_BINS, card)
    kept, scores, classes = _best(rows[:, 5:first] * rows[:, 4:5], min_score)
    rows = rows[kept]
    angles = np.radians(rows[:, first:].argmax(axis=1) - 90.0)  # counter-clockwise there
    boxes, scores, classes = _candidates(np.column_stack([rows[:, :4], angles]), scores, classes)
    return convert.from_yolov5_obb(boxes), scores, classes


def detr_obb(outputs: Outputs, card: ModelCard, side: int, min_score: float) -> Candidates:
    """(queries, classes) logits and (queries, 5): cx, cy, w, h as shares of the input, angle as a share of pi."""
    logits, boxes = _rows(outputs[0], len(card.classes), card), _rows(outputs[1], 5, card)
    kept, scores, classes = _best(1.0 / (1.0 + np.exp(-logits)), min_score)
    return _candidates(boxes[kept] * np.array([side, side, side, side, np.pi]), scores, classes)


def rotated_boxes(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(places, 5): cx, cy, w, h in pixels, angle in radians; and (places, classes) scores."""
    boxes, scores = _rows(outputs[0], 5, card), _rows(outputs[1], len(card.classes), card)
    kept, best, classes = _best(scores, min_score)
    return _candidates(boxes[kept], best, classes)


def oriented_det(outputs: Outputs, card: ModelCard, _: int, min_score: float) -> Candidates:
    """(most, 5): cx, cy, w, h in pixels, angle in radians; (most,) scores; (most,) classes from 1; zeros fill up."""
    boxes, scores = _rows(outputs[0], 5, card), outputs[1].astype(np.float64)
    kept = np.flatnonzero((scores >= min_score) & (boxes[:, 2] > 0.0))
    return _candidates(boxes[kept], scores[kept], _indices(outputs[2][kept].astype(np.float64) - 1.0, card))


# Where the names of several outputs say which is which: columns of the first, and the names in their order.
OUTPUTS: dict[str, tuple[int, *tuple[str, ...]]] = {
    "rotated-boxes": (5, "boxes", "scores"),
    "oriented-det": (5, "pre_nms_boxes", "pre_nms_scores", "pre_nms_labels"),
}
LAYOUTS: dict[str, Decode] = {
    "ultralytics-obb": ultralytics_obb,
    "ultralytics-obb-end2end": ultralytics_obb_end2end,
    "ultralytics-detect": ultralytics_detect,
    "ultralytics-detect-end2end": ultralytics_detect_end2end,
    "ultralytics-rtdetr": ultralytics_rtdetr,
    "yolov5-detect": yolov5_detect,
    "yolov5-obb": yolov5_obb,
    "detr-obb": detr_obb,
    "rotated-boxes": rotated_boxes,
    "oriented-det": oriented_det,
}


def _rows(output: npt.NDArray[np.float32], columns: int, card: ModelCard) -> Floats:
    """Return an output (n, columns) as float64, so that all that follows is."""
    if output.ndim != 2 or output.shape[1] != columns:
        raise ModelError(
            f"model {card.name!r} gave an output of shape {output.shape}; the layout {card.layout} with "
            f"{len(card.classes)} classes needs {columns} values for each box. Correct layout or classes on its card"
        )
    if not np.isfinite(output).all():
        raise ModelError(
            f"model {card.name!r} gives values that are not finite (NaN or infinity): its weights are damaged or its "
            "training diverged. Use another copy of the file or an earlier checkpoint"
        )
    return output.astype(np.float64)


def _best(scores: Floats, min_score: float) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
    """Return the rows of scores (n, classes) whose best class reaches the lowest score, those scores and classes."""
    best = scores.max(axis=1)
    kept = np.flatnonzero(best >= min_score)
    return kept, best[kept], scores[kept].argmax(axis=1)


def _indices(classes: Floats, card: ModelCard) -> npt.NDArray[np.int64]:
    """Return classes (n,) that a model wrote as numbers."""
    indices = classes.astype(np.int64)
    if ((indices < 0) | (indices >= len(card.classes))).any():
        raise ModelError(
            f"model {card.name!r} gave class {indices.max()} and its card has {len(card.classes)} classes, from 0; "
            "correct the classes on the card"
        )
    return indices


def _upright(rows: Floats) -> Floats:
    """Return rows that begin with cx, cy, w, h as boxes (n, 5) of angle 0."""
    return np.column_stack([rows[:, :4], np.zeros(len(rows))])


def _candidates(boxes: Floats, scores: Floats, classes: npt.NDArray[np.int64]) -> Candidates:
    """Make boxes (n, 5) canonical; what has no width or height, or lies beyond all images, is not an object."""
    real = (boxes[:, 2:4] > 0.0).all(axis=1) & (np.abs(boxes[:, :4]) <= FARTHEST).all(axis=1)
    return convert.from_ultralytics(boxes[real]), np.clip(scores[real], 0.0, 1.0), classes[real]
