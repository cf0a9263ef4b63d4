"""From a training checkpoint to an ONNX file that computes with 8-bit integers, if that loses little and gains time.

Post-training quantisation by NNCF: the range of each layer's values is measured on pictures of the training sets.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from swathe.atomic import published_file
from swathe.detectors.files import file_sha256, seal_onnx
from swathe.detectors.network import NetworkDetector
from swathe.detectors.pixels import PixelBuffer, padded
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import open_detector, resolve_model
from swathe.engine.backend import FAST, is_fast_here
from swathe.errors import MissingExtraError, ModelError, UsageError
from swathe.model.info import ANGLES_KEY, METADATA_KEY
from swathe.training.config import TrainingConfig
from swathe.training.data import CropSet, open_held_out, open_sets
from swathe.training.validate import MIN_SCORE, SUPPRESSION, judge, side_of

MEASURE = "map50_area"
MOST_LOST = 0.005  # average precision that may be lost
PICTURES = 128  # that calibrate
RACE_SIDE = 1024  # pixels
ROUNDS = 7


@dataclass(frozen=True)
class Int8Report:
    """What was written, and why."""

    path: Path  # the ONNX file
    sha256: str  # of the file
    backend: str  # both were compared on
    precision: float  # average precision on the validation sets
    full_precision: float  # the same of the network in 32-bit floats
    milliseconds: float  # for a window of 1024 pixels on one core, at best
    full_milliseconds: float  # the same of the network as it was


def export_int8(checkpoint: Path, output: Path, config: TrainingConfig, *, overwrite: bool = False) -> Int8Report:
    """Write the ONNX file of a checkpoint with 8-bit integers, after it was found to be as good and faster.

    Args:
        checkpoint: A safetensors file written by training.
        output: The file to write, ending in .onnx.
        config: Its training sets calibrate, its validation sets judge.
        overwrite: Replace an existing file.

    Returns:
        What was written, and what was measured.

    Raises:
        MissingExtraError: If NNCF, OpenVINO or what an export needs is not installed.
        UsageError: If the configuration has no validation set, or does not fit its data.
        ModelError: If average precision falls by more than 0.005, or no time is gained on this machine; then nothing is
            written.
        StoreError: If the output exists already, or cannot be written.
        SourceError: If labels or images are missing or damaged.
    """
    from swathe.detectors.export import check_output, export_onnx

    check_output(output, overwrite)
    for module, library in (("nncf", "NNCF"), ("openvino", "OpenVINO")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(library=library, extra="int8")
    held_out = open_held_out(config)
    if held_out is None:
        raise UsageError("the configuration names no validation set, so nothing can tell what 8-bit integers lose")
    side = config.model.input_size
    with tempfile.TemporaryDirectory(prefix="swathe-int8-") as folder:
        plain, draft = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        export_onnx(checkpoint, plain)
        quantise(plain, draft, open_sets(config.train, config, side, side))
        report = _compare(plain, draft, held_out, output)
        with published_file(output, overwrite=True) as stream:
            stream.write(draft.read_bytes())
    return report


def quantise(plain: Path, draft: Path, crops: CropSet) -> None:
    """Write a graph with 8-bit integers.

    Args:
        plain: An exported ONNX file.
        draft: The file to write, described and sealed as the other.
        crops: Pictures that calibrate.
    """
    import nncf
    import onnx

    model = onnx.load(str(plain))
    entries = {entry.key: entry.value for entry in model.metadata_props}
    side = side_of(crops)
    buffer = PixelBuffer(resolve_model(plain)[1], side, side)
    chosen = np.unique(np.linspace(0, len(crops) - 1, PICTURES).astype(np.int64)).tolist()

    def picture(index: int) -> dict[str, Any]:
        return {"images": buffer.fill([padded(crops.load(index).pixels, side, side)]).copy()}

    pictures = nncf.Dataset(chosen, picture)
    smaller = nncf.quantize(model, pictures, preset=nncf.QuantizationPreset.MIXED, subset_size=len(chosen))
    onnx.save(smaller, str(draft))
    seal_onnx(draft, entries[METADATA_KEY], entries.get(ANGLES_KEY))


def _compare(plain: Path, draft: Path, held_out: CropSet, output: Path) -> Int8Report:
    """Refuse a file that finds less, or that saves no time."""
    backend = FAST if is_fast_here() else "openvino"
    full, small = (judge(_open(path, backend, side_of(held_out)), held_out)[MEASURE] for path in (plain, draft))
    if full - small > MOST_LOST:
        raise ModelError(
            f"{output}: not written, because average precision falls from {full:.3f} to {small:.3f} with 8-bit integers"
        )
    full_time, time_taken = _race(*(_open(path, backend, RACE_SIDE) for path in (plain, draft)))
    if time_taken >= full_time:
        raise ModelError(
            f"{output}: not written, because 8-bit integers save no time on this machine: {time_taken:.0f} ms a window "
            f"instead of {full_time:.0f} on {backend}"
        )
    return Int8Report(output, file_sha256(draft), backend, small, full, time_taken, full_time)


def _open(path: Path, backend: str, side: int) -> NetworkDetector:
    card = resolve_model(path)[1]
    digest = file_sha256(path)
    spec = DetectorSpec(backend, str(path), card.classes, digest, MIN_SCORE, SUPPRESSION, tile=side, card=card)
    return cast("NetworkDetector", open_detector(spec))


def _race(*detectors: NetworkDetector) -> list[float]:
    """Run networks in turn; return the best time of each, milliseconds."""
    pixels = np.random.default_rng(0).integers(0, 256, (RACE_SIDE, RACE_SIDE, 3), dtype=np.uint8)
    best = [float("inf")] * len(detectors)
    for _ in range(ROUNDS):
        for number, detector in enumerate(detectors):
            began = time.perf_counter()
            detector.outputs([pixels])
            best[number] = min(best[number], 1000.0 * (time.perf_counter() - began))
    return best
