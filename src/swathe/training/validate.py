"""Validation during training: the averaged weights on whole crops, judged by the evaluation that judges everything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from swathe import boxes as box_room
from swathe.datasets.augment import PADDING, TrainingImage
from swathe.datasets.sample import Sample
from swathe.evaluation.evaluate import evaluate_detections
from swathe.evaluation.found import Found
from swathe.evaluation.report import MEASURES
from swathe.model.decode import decode
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
        `map50_voc07`, `map50_area` and `map50_95_area`; 0 where no object counts.

    Raises:
        SourceError: If an image cannot be read.
    """
    names = model.info.classes
    truth: list[Sample] = []
    columns: list[
        tuple[npt.NDArray[np.str_], npt.NDArray[np.str_], npt.NDArray[np.float64], npt.NDArray[np.float64]]
    ] = []
    for index, item in enumerate(crops.crops):
        name = f"{index}"
        truth.append(Sample(name, None, item.sample.polygons, item.sample.classes, item.sample.difficult))
        found, scores, classes = _detect(model, crops.load(index))
        columns.append(
            (
                np.full(len(scores), name),
                np.asarray(names, np.str_)[classes],
                scores,
                box_room.to_polygons(found),
            )
        )
    images, kinds, all_scores, polygons = (np.concatenate(column) for column in zip(*columns, strict=True))
    report = evaluate_detections(truth, Found(images, kinds, all_scores, polygons, None), classes=names)
    return {measure: float(getattr(report, measure) or 0.0) for measure in MEASURES}


@torch.inference_mode()
def _detect(
    model: YWCSL, image: TrainingImage
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return boxes, scores and classes of one crop, without those that its labels cannot judge."""
    height, width = image.ignore.shape
    padded = np.full((-(-height // 32) * 32, -(-width // 32) * 32, 3), PADDING, np.uint8)
    padded[:height, :width] = image.pixels
    tensor = torch.from_numpy(padded).permute(2, 0, 1)[None].float() * model.info.input_scale
    maps = [raw[0].numpy() for raw in model(tensor.contiguous(memory_format=torch.channels_last))]
    found, scores, classes = decode(maps, model.info, MIN_SCORE)
    kept = box_room.nms(found, scores, classes, iou=SUPPRESSION)
    found, scores, classes = found[kept], scores[kept], classes[kept]
    col = np.clip(found[:, 0].astype(np.int64), 0, width - 1)
    row = np.clip(found[:, 1].astype(np.int64), 0, height - 1)
    known = (found[:, 0] < width) & (found[:, 1] < height) & (image.ignore[row, col] == 0)
    known &= image.labelled[classes]
    return found[known], scores[known], classes[known]
