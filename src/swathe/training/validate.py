"""Validation during training: the averaged weights on whole crops, judged by the evaluation that judges everything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_room
from swathe.datasets.augment import TrainingImage
from swathe.datasets.sample import Sample
from swathe.detectors.pixels import padded
from swathe.detectors.protocol import Detector, DetectorSpec, Tile, TileDetections
from swathe.detectors.torch import around
from swathe.evaluation.evaluate import evaluate_detections
from swathe.evaluation.found import Found
from swathe.evaluation.report import MEASURES
from swathe.model.yolov5 import YWCSL
from swathe.training.data import CropSet

MIN_SCORE = 0.01  # low, so that the whole precision-recall curve is seen
SUPPRESSION = 0.3  # IoU above which the lower-scored of two boxes goes


def validate(model: YWCSL, crops: CropSet) -> dict[str, float]:
    """Judge a model on labelled crops.

    Each crop is its own image: objects that its edge cuts are ignored, and so are detections whose centre lies where
    nobody knows or whose class the crop's set does not label. The numbers steer the training; the ones to quote come
    from detecting and evaluating whole scenes.

    Args:
        model: The network, in evaluation mode.
        crops: Labelled crops.

    Returns:
        `map50_voc07`, `map50_area`, `map75_area` and `map50_95_area`; 0 where no object counts.

    Raises:
        SourceError: If an image cannot be read.
    """
    spec = DetectorSpec("torch", model.info.name, model.info.classes, "", MIN_SCORE, SUPPRESSION, tile=side_of(crops))
    return judge(around(model, spec), crops)


def side_of(crops: CropSet) -> int:
    """Return the side of the squares that all crops fit into, pixels."""
    return max((max(item.window.width, item.window.height) for item in crops.crops), default=1)


def judge(detector: Detector, crops: CropSet) -> dict[str, float]:
    """Judge a detector on labelled crops.

    Args:
        detector: Opened for squares that all crops fit into.
        crops: Labelled crops.

    Returns:
        As `validate`.

    Raises:
        SourceError: If an image cannot be read.
    """
    names = detector.spec.classes
    truth: list[Sample] = []
    columns: list[
        tuple[npt.NDArray[np.str_], npt.NDArray[np.str_], npt.NDArray[np.float64], npt.NDArray[np.float64]]
    ] = []
    for index, item in enumerate(crops.crops):
        name = f"{index}"
        truth.append(Sample(name, None, item.sample.polygons, item.sample.classes, item.sample.difficult))
        found = _detect(detector, crops.load(index))
        kinds = np.asarray(names, np.str_)[found.classes]
        columns.append((np.full(len(found), name), kinds, found.scores, box_room.to_polygons(found.boxes)))
    images, found_classes, scores, polygons = (np.concatenate(column) for column in zip(*columns, strict=True))
    report = evaluate_detections(truth, Found(images, found_classes, scores, polygons, None), classes=names)
    return {measure: float(getattr(report, measure) or 0.0) for measure in MEASURES}


def _detect(detector: Detector, image: TrainingImage) -> TileDetections:
    """Detect in one crop as in a scene, and leave out what its labels cannot judge."""
    height, width = image.ignore.shape
    pixels = padded(image.pixels, detector.spec.tile, detector.spec.tile)
    (found,) = detector.detect([Tile(pixels, "", 1.0, 0, 0, width, height)])
    col, row = found.boxes[:, 0].astype(np.int64), found.boxes[:, 1].astype(np.int64)
    known = (image.ignore[row, col] == 0) & image.labelled[found.classes]
    return TileDetections(found.boxes[known], found.scores[known], found.classes[known])
