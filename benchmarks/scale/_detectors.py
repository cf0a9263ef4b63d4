"""A detector that finds as many objects as it is told to, behind a real model or none; for measuring memory.

The environment carries what a `DetectorSpec` has no room for: worker processes inherit it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from swathe.detectors.card import ModelCard
from swathe.detectors.protocol import Detector, DetectorSpec, Tile, TileDetections
from swathe.detectors.registry import find_backend, open_detector

STEP = "SWATHE_BENCHMARK_STEP"  # distance of the objects, scene pixels; 0 for none
BACKEND = "SWATHE_BENCHMARK_BACKEND"  # backend of the real model; empty for none
MODEL_WINDOWS = "SWATHE_BENCHMARK_MODEL_WINDOWS"  # windows that each process shows to the real model
SIDES = (0.9, 0.5)  # of an object, in steps: neighbours overlap a little, the same one seen twice overlaps fully


class LatticeDetector:
    """Finds an object at each point of a lattice over the scene; the first windows go through the real model too."""

    def __init__(self, spec: DetectorSpec) -> None:
        self.spec = spec
        self._step = float(os.environ[STEP])
        self._left = int(os.environ[MODEL_WINDOWS])
        backend = os.environ[BACKEND]
        self._model: Detector | None = open_detector(replace(spec, backend=backend)) if backend else None

    def detect(self, tiles: Sequence[Tile]) -> list[TileDetections]:
        """Return the lattice's objects whose centre lies in each window; what the model finds is not used."""
        if self._model is not None and self._left > 0:
            self._left -= len(tiles)
            self._model.detect(tiles)
        nothing = TileDetections(np.empty((0, 5)), *_nothing())
        return [self._lattice(tile) if self._step > 0 else nothing for tile in tiles]

    def _lattice(self, tile: Tile) -> TileDetections:
        step = self._step * tile.scale
        columns = np.arange(np.ceil(tile.col_off / step), (tile.col_off + tile.width) / step)
        rows = np.arange(np.ceil(tile.row_off / step), (tile.row_off + tile.height) / step)
        column, row = (grid.ravel() for grid in np.meshgrid(columns, rows))
        random = np.random.default_rng([tile.col_off, tile.row_off])
        boxes = np.empty((len(column), 5))
        boxes[:, 0], boxes[:, 1] = column * step - tile.col_off, row * step - tile.row_off
        boxes[:, 2], boxes[:, 3] = SIDES[0] * step, SIDES[1] * step
        boxes[:, 4] = (column * 0.7 + row * 1.3) % np.pi - np.pi / 2
        scores = np.sort(random.random(len(boxes)))[::-1]
        return TileDetections(boxes, scores.copy(), np.zeros(len(boxes), dtype=np.int64))


def _nothing() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    return np.empty(0), np.empty(0, dtype=np.int64)


class LatticeBackend:
    """Opens the detector; the specification's backend names this."""

    suffixes = frozenset({".onnx", ".safetensors"})

    def describe(self, path: str) -> ModelCard:
        """Let the backend of the real model describe it."""
        return find_backend(os.environ[BACKEND]).describe(path)

    def open(self, spec: DetectorSpec) -> Detector:
        """Open the detector."""
        return LatticeDetector(spec)


LATTICE = LatticeBackend()
