"""Projected memory of a run, so that a user learns before the work whether it fits.

The sum has parts that do not depend on each other: the code of libraries, which all processes share; the driver; each
worker with its reader, its windows and its model; and the merges. Only these depend on the picture, so an amount of
objects is assumed for them, and what a scene really holds is looked at again before it is written.

The constants are measured: the anonymous memory of a process before and after each step (Linux, x86-64, CPython 3.11).
`benchmarks/scale/memory.py` compares the sum with whole runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from swathe.detectors.card import ModelCard
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.settings import RunSettings
from swathe.raster.reader import reader_memory
from swathe.raster.scene import Scene

MEBIBYTE = 1 << 20
LITE = "lite0"  # on the card of a model
# Pages of Python, NumPy, numba with LLVM, GDAL, Arrow and PROJ that are used; mapped by several processes, there once.
LIBRARY_BYTES = 180 * MEBIBYTE
# What the driver allocates by importing, and by its first commit.
DRIVER_BYTES = 125 * MEBIBYTE
# What the first merge and the first scene written leave in a process: the machine code of the merge, the tables of the
# coordinate systems, what Arrow keeps for the next time.
MERGE_BYTES = 30 * MEBIBYTE
# What a worker allocates by importing, GDAL with its drivers included.
WORKER_BYTES = 45 * MEBIBYTE
# Feature maps alive at once, bytes per pixel of the tile: a part that all networks have, and one that grows with the
# width of the network, given here for size n. Sizes n, s and m took 83, 139 and 251 under ONNX Runtime.
ACTIVATION_BYTES_PER_PIXEL = 10.0
ACTIVATION_BYTES_PER_PIXEL_OF_N = 74.0
# The same of size lite0, whose width does not follow from its weights, and what loading it takes besides.
ACTIVATION_BYTES_PER_PIXEL_OF_LITE = 310.0
LOADING_BYTES_OF_LITE = 42 * MEBIBYTE
# The file of a network of size n. Weights grow with the square of the width, and so their root tells the width.
WEIGHTS_OF_N = 8.1e6
# Output cells per tile pixel at strides 8, 16 and 32.
CELLS_PER_PIXEL = 1 / 8**2 + 1 / 16**2 + 1 / 32**2
ANCHORS_PER_CELL = 3
ANGLE_BINS = 180
# The network's input: three float32 per pixel.
INPUT_BYTES_PER_PIXEL = 12
# Sides of windows to choose from, pixels; what the model of a worker may take for one; and what a network should see
# around an object, pixels.
WINDOW_SIDES = (1024, 1536, 2048)
WINDOW_BYTES = 620 * MEBIBYTE
AROUND_OBJECT = 32
# Objects of a dense town: the scene of the demo has 100 to 134, at scales 0.75 and 1.
OBJECTS_PER_MEGAPIXEL = 100
# Columns, table and orders of an object from the merge until it is written (268 bytes measured for a million).
BYTES_PER_OBJECT = 220
# A strip of the merge, and a chunk of footprints while they are written, hold this much for each of their rows.
WORKING_BYTES_PER_ROW = 600
WORKING_ROWS = 100_000


@dataclass(frozen=True)
class Runtime:
    """What an inference library takes by itself."""

    shared: int  # pages of its code, bytes
    private: int  # what each process allocates before the first weight, decoding of boxes included, bytes
    copies: float  # of the weights: in the file's words, in its own, and packed for its kernels
    activations: float = 1.0  # size of its feature maps, that of 32-bit floats being 1


ONNX = Runtime(40 * MEBIBYTE, 57 * MEBIBYTE, 1.6)
OPENVINO = Runtime(67 * MEBIBYTE, 77 * MEBIBYTE, 1.6)
RUNTIMES = {
    "onnx": ONNX,
    "openvino": OPENVINO,
    "openvino-bf16": replace(OPENVINO, activations=0.5),
    "torch": Runtime(257 * MEBIBYTE, 317 * MEBIBYTE, 2.9),
}


@dataclass(frozen=True)
class Projection:
    """Projected peak memory of a run by part, bytes."""

    libraries: int  # code that all processes share
    driver: int  # the process that hands out the work
    worker: int  # a worker without its reading, windows, model and merge
    reading: int  # caches and pixels in work of the most demanding scene, in each worker
    windows: int  # windows that are read ahead, in each worker
    model: int  # weights and feature maps, in each worker
    objects: int  # of the largest scene, while it is merged and written
    merges: int  # scenes that may be merged at once
    workers: int  # worker processes; 0 for none: the driver does their work too

    @property
    def each_worker(self) -> int:
        """One worker with all it holds before it merges a scene."""
        return self.worker + self.reading + self.windows + self.model

    @property
    def merge(self) -> int:
        """All merges at once, as if each were of the largest scene."""
        return self.merges * (MERGE_BYTES + self.objects)

    @property
    def slot(self) -> int:
        """One worker that shares nothing with others."""
        return self.libraries + self.each_worker + MERGE_BYTES + self.objects

    @property
    def total(self) -> int:
        """All processes together."""
        return self.libraries + self.driver + self.merge + max(1, self.workers) * self.each_worker

    def to_json(self) -> dict[str, int]:
        """Return plain values for `json.dumps`."""
        parts = ("libraries", "driver", "merge", "worker", "reading", "windows", "model")
        return {f"{name}_bytes": getattr(self, name) for name in parts} | {"workers": self.workers}


def choose_windows(card: ModelCard, detector: DetectorSpec) -> tuple[int, int] | None:
    """Choose windows that look at little twice: as large as a worker's memory allows, with the least overlap.

    The smallest overlap in which every object lies whole in some window is its largest objects' long side. What is free
    now must not decide, since windows belong to what a run is: the model alone does.

    Args:
        card: The model.
        detector: Its detector.

    Returns:
        Longest side and step between windows, pixels; None if the card does not tell how large objects are, or the
        network takes no input of any shape.
    """
    if card.largest_object is None or card.layout != "ywcsl" or card.input_size is not None:
        return None
    overlap = math.ceil((card.largest_object + AROUND_OBJECT) / card.stride) * card.stride
    sides = [side for side in WINDOW_SIDES if model_memory(detector, side) <= WINDOW_BYTES] or [min(WINDOW_SIDES)]
    side = max(sides)
    return side, side - min(overlap, side // 2)


def project(
    views: Sequence[tuple[Scene, float]], settings: RunSettings, detector: DetectorSpec | None, workers: int
) -> Projection:
    """Project the peak memory of a run.

    Args:
        views: The scenes of the run, each with every scale that it is looked at in.
        settings: Tile size and read-ahead.
        detector: The model, or None to leave it out.
        workers: Worker processes, 0 for none.

    Returns:
        The projection.
    """
    runtime = None if detector is None else RUNTIMES.get(detector.backend, ONNX)
    scenes = {scene.id: scene for scene, _ in views}.values()
    return Projection(
        libraries=LIBRARY_BYTES + (0 if runtime is None else runtime.shared),
        driver=DRIVER_BYTES,
        worker=WORKER_BYTES if workers > 0 else 0,  # the driver has imported what it needs
        reading=max((reader_memory(scene, settings.tile, scale) for scene, scale in views), default=0),
        # One window in work and its padded copy, besides those that are read ahead.
        windows=(settings.prefetch + 2) * settings.tile**2 * max([3, *(len(scene.bands) for scene in scenes)]),
        model=0 if detector is None else model_memory(detector, settings.tile),
        objects=merge_memory(max((expected_objects(scene) for scene in scenes), default=0)),
        merges=max(1, min(workers, len(scenes))),
        workers=workers,
    )


def expected_objects(scene: Scene) -> int:
    """Return how many objects of a scene are allowed for."""
    return math.ceil(scene.width * scene.height * OBJECTS_PER_MEGAPIXEL / 1e6)


def merge_memory(objects: int) -> int:
    """Project what merging and writing a scene takes beyond the process itself.

    Args:
        objects: Objects of the scene after the merge.

    Returns:
        Bytes.
    """
    return objects * BYTES_PER_OBJECT + min(objects, WORKING_ROWS) * WORKING_BYTES_PER_ROW


def model_memory(detector: DetectorSpec, tile: int) -> int:
    """Project what the model takes in each process: library, weights, feature maps and raw output maps.

    Args:
        detector: The model; the size of its file stands for its width.
        tile: Side of the square input, pixels.

    Returns:
        Bytes; without weights if the detector's path is not a file.
    """
    runtime = RUNTIMES.get(detector.backend, ONNX)
    path = Path(detector.path)
    weights = path.stat().st_size if path.is_file() else 0
    width = math.sqrt(weights / WEIGHTS_OF_N)
    maps = CELLS_PER_PIXEL * ANCHORS_PER_CELL * (5 + len(detector.classes) + ANGLE_BINS) * 4
    common = ACTIVATION_BYTES_PER_PIXEL + INPUT_BYTES_PER_PIXEL + maps
    if detector.backend not in RUNTIMES:
        # Nobody knows the network of a plug-in. Its file tells something of its size: no file, no network.
        common *= min(1.0, width)
    features, loading = ACTIVATION_BYTES_PER_PIXEL_OF_N * width, 0
    if detector.card is not None and detector.card.size == LITE:
        features, loading = ACTIVATION_BYTES_PER_PIXEL_OF_LITE, LOADING_BYTES_OF_LITE
    pixel = common + runtime.activations * features
    return runtime.private + loading + int(runtime.copies * weights + pixel * tile * tile * detector.batch)
