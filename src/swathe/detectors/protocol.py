"""The detector seam: what a detector is given, what it gives back, and the description that travels instead of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from swathe.detectors.card import ModelCard


@dataclass(frozen=True)
class Tile:
    """Pixels of one window of a scene, with the place they were taken from."""

    pixels: npt.NDArray[np.uint8]  # padded right and below: (tile, tile, bands), or less if spec.fitted; RGB first
    scene: str  # scene id
    scale: float  # level pixels per scene pixel
    col_off: int  # left edge of the window in level pixels
    row_off: int  # top edge of the window in level pixels
    width: int  # columns that hold scene pixels (<= tile)
    height: int  # rows that hold scene pixels (<= tile)


@dataclass(frozen=True)
class TileDetections:
    """What a detector found in one tile, after its own rotated NMS; boxes in the tile's pixels."""

    boxes: npt.NDArray[np.float64]  # (n, 5) canonical cx, cy, w, h, theta in tile pixels
    scores: npt.NDArray[np.float64]  # (n,) in 0..1, falling
    classes: npt.NDArray[np.int64]  # (n,) index into DetectorSpec.classes
    full: bool = False  # the model had no room for more boxes in this tile, so that some may be missing

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.scores)


@dataclass(frozen=True)
class DetectorSpec:
    """Everything needed to open a detector in another process; small and picklable."""

    backend: str  # "onnx", "openvino", "torch", an entry point's name, or "package.module:backend"
    path: str  # model file (or whatever the backend expects)
    classes: tuple[str, ...]  # class names in the model's order
    sha256: str  # hash of the model file: part of the run's identity
    min_score: float  # detections below are dropped inside the detector
    iou: float  # threshold of the NMS inside each tile
    keep: tuple[str, ...] = ()  # class names to report; empty means all
    threads: int = 1  # inference threads per worker
    tile: int = 1024  # side of the square tile it will be given, pixels
    fitted: bool = False  # whether tiles may be smaller, and no squares; their sides are multiples of the card's stride
    batch: int = 1  # most tiles handed over at once; what is found does not depend on it
    device: str = "cpu"  # or "cuda": the last digits of the results differ
    card: ModelCard | None = None  # as the backend described the model; None for backends that need none

    def identity(self) -> dict[str, Any]:
        """Return what of this changes the result: not where the file lies, nor how many threads work."""
        names = ("backend", "device", "sha256", "min_score", "iou")
        lists = {"classes": list(self.classes), "keep": list(self.keep)}
        taken = None if self.card is None else self.card.input_identity()
        return {**{name: getattr(self, name) for name in names}, **lists, "input": taken}


class Detector(Protocol):
    """Finds oriented objects in tiles; opened once per process from a `DetectorSpec`."""

    spec: DetectorSpec

    def detect(self, tiles: Sequence[Tile]) -> list[TileDetections]:
        """Find the objects of one to `spec.batch` tiles; one result per tile, in their order."""
        ...


class Backend(Protocol):
    """What describes models of some kind and opens detectors on them; a module with these names will do."""

    suffixes: frozenset[str]  # of the model files it takes, such as ".onnx"

    def describe(self, path: str) -> ModelCard:
        """Say what a model file holds; called where the run is planned."""
        ...

    def open(self, spec: DetectorSpec) -> Detector:
        """Open a detector; called once in each process that detects."""
        ...
