"""What a configuration would train on, without training: the way to find a wrong path before the night."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from swathe.counts import counted
from swathe.datasets.sample import ImageFolder, label_files
from swathe.errors import UsageError
from swathe.training.config import DataSettings, TrainingConfig, nothing_to_learn
from swathe.training.data import CropSet, open_held_out, open_sets


@dataclass(frozen=True)
class TrainingCheck:
    """What a run would do."""

    steps: int  # optimiser steps
    views: int  # views per epoch
    crops: int  # that views are taken from
    objects: Mapping[str, int]  # class name -> objects in the crops, counted again in each crop that holds them
    flat: int  # objects in the crops that are a point or a line, which are not learned
    unlabelled: int  # images beside the labelled ones that have no label file, which are not used
    held_out_crops: int
    held_out_objects: Mapping[str, int]  # class name -> objects


def check_config(config: TrainingConfig) -> TrainingCheck:
    """Read all labels and describe all images of a configuration.

    Args:
        config: The checked configuration.

    Returns:
        What a run would do.

    Raises:
        SourceError: If data is missing or damaged; pixels are not read.
        UsageError: If there is nothing to learn from.
    """
    schedule = config.schedule
    training = open_sets(config.train, config, config.run.tile, config.run.stride)
    objects = _count(training, config)
    flat = sum(int(crop.sample.flat().sum()) for crop in training.crops)
    if not any(objects.values()):
        left_out = f"; {counted(flat, 'object')} without any area cannot be learned" if flat else ""
        raise UsageError(nothing_to_learn(config) + left_out)
    held_out = open_held_out(config)
    views = schedule.views or len(training.order)
    batches = max(1, round(schedule.nominal_batch / schedule.batch))
    return TrainingCheck(
        steps=math.ceil(views / (schedule.batch * batches)) * schedule.epochs,
        views=views,
        crops=len(training),
        objects=objects,
        flat=flat,
        unlabelled=unlabelled_images(config),
        held_out_crops=0 if held_out is None else len(held_out),
        held_out_objects={} if held_out is None else _count(held_out, config),
    )


def unlabelled_images(config: TrainingConfig) -> int:
    """Count images that are not used, because they lie beside labelled ones and have no label file themselves.

    Args:
        config: The checked configuration.

    Returns:
        Images of all training sets.

    Raises:
        SourceError: If a folder is missing.
    """
    return sum(map(_unlabelled, config.train))


def _unlabelled(entry: DataSettings) -> int:
    """Count images without label file; COCO lists its images, and without one YOLO's have no objects."""
    suffix = {"dota": ".txt", "dior-r": ".xml"}.get(entry.kind)
    if suffix is None:
        return 0
    return len(ImageFolder(entry.images).without({path.stem for path in label_files(entry.labels, suffix)}))


def _count(crops: CropSet, config: TrainingConfig) -> dict[str, int]:
    """Count the objects of each class that are learned, those of no class that the model knows left out."""
    samples = [crop.sample for crop in crops.crops]
    counts = Counter(
        name
        for sample in samples
        for name, difficult in zip(sample.classes, sample.difficult, strict=True)
        if not difficult
    )
    return {name: counts[name] for name in config.model.classes}
