"""What a training run is told: a TOML file becomes frozen, checked values; an unknown key is an error, not a guess."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from swathe.datasets.augment import Augmentation
from swathe.errors import SourceError, UsageError
from swathe.inputs import read_input
from swathe.model.loss import LossSettings
from swathe.model.yolov5 import LITE, SIZES

Kind = Literal["dota", "dior-r", "coco", "yolo-obb", "geojson"]
Precision = Literal["float32", "bfloat16", "auto"]

MOST_BYTES = 1 << 20  # of a configuration
MOST_DOTS = 1000  # in a line; the reader takes memory by their square, for a key nested so deep


@dataclass(frozen=True)
class DataSettings:
    """One labelled set, or one side of a labelled scene."""

    kind: Kind
    labels: Path  # folder of label files; for coco and geojson the one file
    images: Path | None = None  # folder of images (all but geojson)
    only: Path | None = None  # text file of image names, one a line: the images that are used (all but geojson)
    without: Path | None = None  # the same: images that are left out, as those that validate (all but geojson)
    repeat: int = 1  # how often each crop is the first choice of a view in an epoch
    scene: Path | None = None  # georeferenced scene under the polygons (geojson)
    class_name: str | None = None  # class of all polygons (geojson)
    box: tuple[int, int, int, int] | None = None  # left, top, right, bottom in scene pixels (geojson); None is all
    margin: float = 16.0  # how far the labels are complete around the polygons, scene pixels (geojson)
    hull: float = 0.1  # how closely the area with complete labels follows the polygons: 0 most, 1 convex (geojson)
    bands: tuple[int, ...] | None = None  # of the images, counted from 1; all sets as many. None: red, green, blue
    scale: float = 1.0  # pyramid scale at which crops are cut
    resolution: float | None = None  # metres per crop pixel; goes before `scale` where an image has one
    rename: Mapping[str, str] = field(default_factory=dict)  # class names of the set -> the model's
    labelled: tuple[str, ...] = ()  # the model's classes that this set labels; empty means all
    others: Literal["error", "ignore", "drop"] = "error"  # what becomes of objects of other classes

    def __post_init__(self) -> None:
        """Refuse entries that lack what their kind needs."""
        if self.kind == "geojson" and (self.scene is None or self.class_name is None):
            raise UsageError(f"data of kind geojson ({self.labels}) needs `scene` and `class_name`")
        if self.kind != "geojson" and self.images is None:
            raise UsageError(f"data of kind {self.kind} ({self.labels}) needs `images`")
        if self.bands is not None and (len(self.bands) < 3 or min(self.bands) < 1):
            raise UsageError(f"data bands are {list(self.bands)}; give three or more, counted from 1")
        if self.repeat < 1:
            raise UsageError(f"data repeat is {self.repeat}; it must be at least 1")
        if not 0 <= self.hull <= 1:
            raise UsageError(f"data hull is {self.hull}; it must be within 0..1")
        if not 0 < self.scale < math.inf:
            raise UsageError(f"data scale is {self.scale}; it must be positive and finite")
        if self.resolution is not None and not 0 < self.resolution < math.inf:
            raise UsageError(f"data resolution is {self.resolution}; it must be positive and finite")


@dataclass(frozen=True)
class ModelSettings:
    """What is trained."""

    name: str
    classes: tuple[str, ...]
    size: str = "n"  # n, s, m, l, x; lite0 has a backbone that has seen ImageNet
    trained_stages: int = 0  # how many of the seven stages of lite0's pretrained backbone are trained, from the last
    input_size: int = 512  # side of the training views, pixels; a multiple of 32
    automatic_anchors: bool = True  # fit anchors to the data where the given ones miss more than 2 % of it
    initial: Path | None = None  # safetensors whose fitting tensors are taken as the start
    extra: Mapping[str, Any] = field(default_factory=dict)  # travels in the model file, for people

    def __post_init__(self) -> None:
        """Refuse classes and sizes that make no network, and a view that the strides do not divide."""
        if not self.classes or not all(self.classes):
            raise UsageError(f"model classes are {list(self.classes)}; name at least one, and none with an empty name")
        if len(set(self.classes)) != len(self.classes):
            raise UsageError(f"model classes name a class twice: {', '.join(self.classes)}")
        if self.size not in (*SIZES, LITE):
            raise UsageError(f"model size is {self.size!r}; use {', '.join(SIZES)} or {LITE}")
        if not 0 <= self.trained_stages <= (7 if self.size == LITE else 0):
            raise UsageError(
                f"model trained_stages is {self.trained_stages} for size {self.size}; size {LITE} has 7 pretrained "
                "stages, the others have none"
            )
        if self.input_size < 64 or self.input_size % 32:
            raise UsageError(f"input_size is {self.input_size}; it must be a multiple of 32, at least 64")


@dataclass(frozen=True)
class ScheduleSettings:
    """How long and how fast."""

    epochs: int = 100
    views: int = 0  # views per epoch; 0 means one per crop
    batch: int = 8
    nominal_batch: int = 64  # gradients are accumulated up to this many views
    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.01  # 0.001 to 0.002 suits adamw
    backbone_share: float = 0.1  # learning rate of pretrained stages as a share of the others
    final_share: float = 0.2  # last learning rate as a share of the first, reached along a cosine
    momentum: float = 0.937  # Nesterov
    weight_decay: float = 0.0005  # for the nominal batch
    warmup_epochs: float = 3.0
    average_decay: float = 0.9999  # of the exponential moving average of the weights
    average_ramp: float = 2000.0  # optimiser steps over which that decay is approached
    alpha_final: float | None = None  # alpha at the end; from `loss.alpha` along a straight line. None: constant
    angle_radius_final: float | None = None  # of the angle's label at the end, from `loss.angle_radius`. None: constant
    plain_epochs: int = 0  # last epochs without mosaic and mixup
    patience: int = 0  # validations without a better score after which the run ends early; 0: never
    gradient_limit: float = 10.0  # largest norm of the gradient

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be followed."""
        for name in ("epochs", "batch", "nominal_batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"schedule {name} is {getattr(self, name)}; it must be at least 1")
        for name in ("views", "weight_decay", "warmup_epochs", "plain_epochs", "patience"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"schedule {name} is {getattr(self, name)}; it must not be negative")
        for name in ("momentum", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"schedule {name} is {getattr(self, name)}; it must be within 0..1 and below 1")
        for name in ("learning_rate", "final_share", "average_ramp", "gradient_limit", "backbone_share"):
            if not getattr(self, name) > 0:
                raise UsageError(f"schedule {name} is {getattr(self, name)}; it must be positive")
        if self.alpha_final is not None and not self.alpha_final > 0:
            raise UsageError(f"schedule alpha_final is {self.alpha_final}; it must be positive")
        if self.angle_radius_final is not None and not self.angle_radius_final > 0:
            raise UsageError(f"schedule angle_radius_final is {self.angle_radius_final}; it must be positive")


@dataclass(frozen=True)
class TrainingRunSettings:
    """Where results go and how often."""

    output: Path
    seed: int = 0
    tile: int = 1024  # side of the crops that views are taken from, pixels
    stride: int = 768
    validate_every: int = 5  # epochs; the last one is always validated
    validate_tile: int = 0  # side of the crops that are validated, pixels; 0: the side of the training views
    precision: Precision = "float32"  # of the forward pass; auto: bfloat16 where this machine is quicker with it
    checkpoint_seconds: float = 180.0  # a run that dies loses no more than this
    device: Literal["cpu", "cuda"] = "cpu"  # cuda: a graphics card for each process (not measured)
    threads: int = 0  # 0: one per core
    cache_megabytes: int = 2048  # decoded crops kept in memory

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be followed."""
        for name, least in {"tile": 1, "stride": 1, "validate_every": 1, "threads": 0, "cache_megabytes": 0}.items():
            if getattr(self, name) < least:
                raise UsageError(f"run {name} is {getattr(self, name)}; it must be at least {least}")
        if self.validate_tile < 0:
            raise UsageError(f"run validate_tile is {self.validate_tile}; it must not be negative")


@dataclass(frozen=True)
class TrainingConfig:
    """A whole training run."""

    model: ModelSettings
    run: TrainingRunSettings
    train: tuple[DataSettings, ...]
    validate: tuple[DataSettings, ...] = ()
    loss: LossSettings = field(default_factory=LossSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    augment: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Refuse a run without data, and sets that label classes which the model does not have."""
        if not self.train:
            raise UsageError("the configuration names no training set; add a [[train]] table")
        for entry in (*self.train, *self.validate):
            if (count := len(entry.bands or (1, 2, 3))) != self.bands:
                raise UsageError(
                    f"data {entry.labels} has {count} bands and the first set {self.bands}; name as many of each"
                )
            unknown = [str(name) for name in entry.labelled if name not in self.model.classes]
            if unknown:
                raise UsageError(
                    f"data {entry.labels} has `labelled` classes that the model does not have: {', '.join(unknown)}; "
                    f"use the model's names: {', '.join(self.model.classes)}"
                )

    @property
    def bands(self) -> int:
        """Bands that the model sees."""
        return len(self.train[0].bands or (1, 2, 3))


def nothing_to_learn(config: TrainingConfig) -> str:
    """Say that the training sets hold no object that the model knows, and name their labels."""
    labels = ", ".join(str(entry.labels) for entry in config.train)
    return f"{labels}: no object of the model's classes lies in an image of these labels; check both and the names"


TABLES: Mapping[str, type] = {
    "model": ModelSettings,
    "run": TrainingRunSettings,
    "train": DataSettings,
    "validate": DataSettings,
    "loss": LossSettings,
    "schedule": ScheduleSettings,
    "augment": Augmentation,
}


def load_config(path: Path) -> TrainingConfig:
    """Read a training configuration.

    Args:
        path: TOML file with the tables model, run, loss, schedule, augment and the lists train and validate. Paths in
            it are relative to the working folder.

    Returns:
        The checked configuration.

    Raises:
        SourceError: If the file cannot be read or is not TOML.
        UsageError: If a key is unknown or missing or has an impossible value; the message names file and key.
    """
    try:
        content = read_input(path)
        if len(content) > MOST_BYTES or any(line.count(b".") > MOST_DOTS for line in content.splitlines()):
            raise SourceError(
                f"training configuration {path} is far too long for one, as a whole or in a line; check it"
            )
        document = tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"training configuration {path} cannot be read ({error}); check its name") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SourceError(f"training configuration {path} is not TOML: {error}") from error
    return parse_config(document, where=str(path))


def parse_config(document: Mapping[str, Any], *, where: str) -> TrainingConfig:
    """Check a configuration that is already a mapping.

    Args:
        document: The tables of the file.
        where: Name of the file, for messages.

    Returns:
        The checked configuration.

    Raises:
        UsageError: If a key is unknown or missing or has an impossible value.
    """
    _refuse_unknown(document, TrainingConfig, where)
    for item in fields(TrainingConfig):
        tables = document.get(item.name, [])
        for number, table in enumerate(tables if isinstance(tables, list) else [tables], start=1):
            place = f"{where}, {item.name}" + (f" {number}" if isinstance(tables, list) else "")
            _refuse_unknown(table, TABLES[item.name], place)
    try:
        return msgspec.convert(document, TrainingConfig, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}; see docs/reference/training.md") from error
    except UsageError as error:
        raise UsageError(f"{where}: ", *error.args) from error


def _refuse_unknown(table: object, kind: Any, where: str) -> None:
    """Refuse keys that a dataclass does not have; a value that is not a table is refused later."""
    known = [item.name for item in fields(kind)]
    unknown = sorted(set(table) - set(known)) if isinstance(table, Mapping) else []
    if unknown:
        raise UsageError(f"{where}: unknown key {', '.join(unknown)}; the keys are {', '.join(known)}")


def _path(kind: type, value: Any) -> Any:
    """Make a path of a text, as TOML has no type for it."""
    if kind is not Path or not isinstance(value, str):
        raise TypeError(f"Expected `path`, got {value!r}")
    return Path(value).expanduser()
