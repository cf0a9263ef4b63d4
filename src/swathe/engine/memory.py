"""Projected memory of a run, so that a user learns before the work whether it fits.

A worker holds: the interpreter with its libraries, the model's weights and activations, its raw output maps, the
reader's caches, and the windows that are read ahead. Nothing of this grows with the scene. The process that merges
holds the raw detections of one scene, about a hundred bytes each; that is not projected, it depends on the picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.settings import RunSettings
from swathe.raster.reader import reader_memory
from swathe.raster.scene import Scene

MEBIBYTE = 1 << 20
# Python with numpy, numba, pyarrow, rasterio and one inference runtime loaded.
INTERPRETER_BYTES = 260 * MEBIBYTE
# Weights in the file, in the runtime, and once more while the runtime rearranges them at loading.
COPIES_OF_WEIGHTS = 3
# Feature maps alive at once, per pixel of the tile; what a wider network adds goes with its weights. The sum
# is a bound, not an estimate: under ONNX Runtime at 1024 px, sizes n, s and m peaked at 418, 504 and 684 MiB where 700,
# 770 and 932 were projected.
ACTIVATION_BYTES_PER_PIXEL = 200
# Output cells per tile pixel at strides 8, 16 and 32.
CELLS_PER_PIXEL = 1 / 8**2 + 1 / 16**2 + 1 / 32**2
ANCHORS_PER_CELL = 3
ANGLE_BINS = 180


def worker_memory(scenes: Iterable[Scene], settings: RunSettings, detector: DetectorSpec | None) -> int:
    """Project the peak memory of one worker.

    Args:
        scenes: The scenes of the run; the most demanding reader counts.
        settings: Tile size and read-ahead.
        detector: The model, or None to leave it out.

    Returns:
        Bytes.
    """
    pairs = itertools.product(scenes, settings.scales)
    reading = max((reader_memory(scene, settings.tile, scale) for scene, scale in pairs), default=0)
    # One window in work and its padded copy, besides those that are read ahead.
    windows = (settings.prefetch + 2) * settings.tile**2 * 3
    model = 0 if detector is None else model_memory(detector, settings.tile)
    return INTERPRETER_BYTES + int(reading) + windows + model


def model_memory(detector: DetectorSpec, tile: int) -> int:
    """Project what the model takes: weights, activations and raw output maps.

    Args:
        detector: The model; the size of its file stands for its width.
        tile: Side of the square input, pixels.

    Returns:
        Bytes; without weights if the detector's path is not a file.
    """
    path = Path(detector.path)
    weights = path.stat().st_size if path.is_file() else 0
    pixels = tile * tile
    channels = 5 + len(detector.classes) + ANGLE_BINS
    maps = int(pixels * CELLS_PER_PIXEL * ANCHORS_PER_CELL * channels * 4)
    images = pixels * 3 * 4
    return COPIES_OF_WEIGHTS * weights + ACTIVATION_BYTES_PER_PIXEL * pixels + 2 * maps + images
