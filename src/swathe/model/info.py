"""What a model says about itself; it travels inside the model file and is checked before use."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from swathe.arguments import is_label
from swathe.errors import ModelError

FORMAT_VERSION = 1
ANGLE_BINS = 180
METADATA_KEY = "swathe"
ANGLES_KEY = "swathe-angles"  # what computes the angle bins, where the graph does not

DEFAULT_STRIDES = (8, 16, 32)
DEFAULT_ANCHORS = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)

Anchors = tuple[tuple[tuple[float, float], ...], ...]
# The rows of a level's last 1x1 convolution that give the angle bins: weights (anchors, features, bins), biases
# (anchors, bins).
Angles = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class ModelInfo:
    """Description of a YWCSL model, stored as JSON in the metadata of its safetensors or ONNX file."""

    name: str  # how users call it, for instance "buildings"
    size: str  # n, s, m, l, x or lite0
    classes: tuple[str, ...]  # class names in channel order
    input_size: int  # side of the square training tile, pixels
    strides: tuple[int, ...] = DEFAULT_STRIDES  # pixels per cell of each output level
    anchors: Anchors = DEFAULT_ANCHORS  # per level, (long, short) in pixels
    angle_bins: int = ANGLE_BINS  # classes of 1 degree
    angle_convention: str = "le90"
    colour_order: str = "RGB"
    bands: int = 3  # of the images it sees: red, green, blue, or more
    input_scale: float = 1.0 / 255.0  # factor from stored pixel values to network input
    scales: tuple[float, ...] = (1.0,)  # pyramid scales it was trained for, relative to native resolution
    ground_sample_distance: float | None = None  # metres per pixel of the training tiles, None if unknown
    largest_object: float | None = None  # long side that 199 of 200 training objects do not exceed, pixels
    min_score: float = 0.25  # score below which detections are dropped unless told otherwise
    weights_sha256: str = ""  # hash of the tensors, filled in when the file is written
    extra: Mapping[str, Any] = field(default_factory=dict)  # data, licences, recipe: for people

    def __post_init__(self) -> None:
        """Refuse a description that no detector could follow."""
        if not self.classes or not all(map(is_label, self.classes)):
            raise ModelError(
                f"model {self.name!r} lists no classes, or a class name that is empty or has line feeds or other "
                "controls in it; export it again"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ModelError(f"model {self.name!r} lists a class twice: {', '.join(self.classes)}")
        if len(self.strides) != len(self.anchors) or not self.strides:
            raise ModelError(
                f"model {self.name!r} has {len(self.strides)} strides for {len(self.anchors)} anchor levels"
            )
        if len({len(level) for level in self.anchors}) != 1:
            raise ModelError(f"model {self.name!r} must have the same number of anchors on each level")
        if any(not (math.isfinite(side) and side > 0) for level in self.anchors for pair in level for side in pair):
            raise ModelError(f"model {self.name!r} has an anchor that is not a positive size")
        if self.angle_convention != "le90" or self.colour_order not in ("RGB", "BGR"):
            raise ModelError(
                f"model {self.name!r} uses angle convention {self.angle_convention!r} and colour order "
                f"{self.colour_order!r}; this version reads le90 with RGB or BGR"
            )
        score: object = self.min_score  # a file may say anything
        if not isinstance(score, int | float) or not 0 <= score <= 1:
            raise ModelError(f"model {self.name!r} has a lowest score that is not from 0 to 1; export it again")
        if not self.scales or not all(math.isfinite(scale) and scale > 0 for scale in self.scales):
            raise ModelError(f"model {self.name!r} names no scales, or one that is none; export it again")
        longest: object = self.largest_object
        if longest is not None and not (isinstance(longest, int | float) and 0 < longest < math.inf):
            raise ModelError(f"model {self.name!r} has an impossible size of its largest objects; export it again")
        if not self.bands >= 3 or (self.bands > 3 and self.colour_order != "RGB"):
            raise ModelError(f"model {self.name!r} sees {self.bands} bands; it must be 3, or more in the order RGB")
        if self.angle_bins < 1 or self.input_size < max(self.strides) or not self.input_scale > 0:
            raise ModelError(f"model {self.name!r} has an impossible input size, input scale or number of angle bins")

    @property
    def anchors_per_cell(self) -> int:
        """Number of anchors in each cell of each level."""
        return len(self.anchors[0])

    @property
    def channels(self) -> int:
        """Values predicted per anchor: cx, cy, w, h, objectness, classes, angle bins."""
        return 5 + len(self.classes) + self.angle_bins

    def to_json(self) -> str:
        """Serialise for the metadata of a model file."""
        return json.dumps({"format": FORMAT_VERSION, "architecture": "ywcsl", **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> ModelInfo:
        """Read the metadata of a model file.

        Args:
            text: JSON written by `to_json`.
            where: The file it came from, for messages.

        Returns:
            The description.

        Raises:
            ModelError: If the text is not such a description, or one of a newer format.
        """
        try:
            values = dict(json.loads(text))
            version, architecture = values.pop("format"), values.pop("architecture")
            if version != FORMAT_VERSION or architecture != "ywcsl":
                raise ModelError(
                    f"model format {version!r} of architecture {architecture!r}; this version reads format "
                    f"{FORMAT_VERSION} of 'ywcsl'. Update Swathe or export the model again"
                )
            values["classes"] = tuple(values["classes"])
            values["strides"] = tuple(int(stride) for stride in values["strides"])
            values["anchors"] = tuple(
                tuple((float(long), float(short)) for long, short in level) for level in values["anchors"]
            )
            values["scales"] = tuple(float(scale) for scale in values["scales"])
            return cls(**values)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from error
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ModelError(
                f"{where}: the model's description is damaged ({error}); export the model again"
            ) from error
