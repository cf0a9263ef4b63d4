"""From a training checkpoint to an ONNX file that is proven to give the same boxes, or to no file at all."""

from __future__ import annotations

import importlib.util
import math
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from swathe.atomic import published_file
from swathe.detectors.card import make_card
from swathe.detectors.files import file_sha256, seal_onnx
from swathe.detectors.heads.head import Candidates, Outputs
from swathe.detectors.heads.ywcsl import card_values, output_names, pack_angles
from swathe.detectors.network import NetworkDetector
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import open_detector
from swathe.detectors.torch import around, load_network
from swathe.errors import Argument, MissingExtraError, ModelError, StoreError, UsageError
from swathe.model.info import Angles, ModelInfo

OPSET = 17
INPUT_NAME = "images"
TILES = (256, 320)  # sides of the images compared, pixels: two, because the graph must not have a size built in
SEED = 20

LOGIT_TOLERANCE = 1e-3  # for the sums of a network of this depth in float32
RELATIVE_TOLERANCE = 1e-4  # of the largest logit of the map, added to it
PIXEL_TOLERANCE = 0.02  # of centres, pixels; of sides, pixels plus this share of a tenth of the side
SCORE_TOLERANCE = 1e-3
ANGLE_TOLERANCE = 2e-3  # radians
COMPARED_BOXES = 300  # the best of each image
# Two classes or two angle bins may be equal up to rounding; then the same logits give another class or angle.
TIED_SHARE = 0.01


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how far the backends are from PyTorch."""

    path: Path  # the ONNX file
    sha256: str  # of the file
    backends: tuple[str, ...]  # compared with PyTorch
    images: int  # number of images compared on each backend
    boxes: int  # number of boxes compared on each backend
    largest_logit_difference: float  # over all raw maps of all backends


def export_onnx(
    checkpoint: Path, output: Path, *, overwrite: bool = False, half: bool = False, lazy: bool = True
) -> ExportReport:
    """Write the ONNX file of a checkpoint, after its boxes have been compared with PyTorch's.

    The graph takes "images" (batch, bands, height, width), scaled, of any size in multiples of 32, and gives the raw
    maps "p3", "p4", "p5"; if lazy, without angle bins, and the features "f3", "f4", "f5", from which these are computed
    where something is found: a fifth less work. It is compared on ONNX Runtime, and on OpenVINO where that is
    installed: every output within 0.001 plus 1/10000 of the map's largest, and the best boxes within 0.02 px, 0.002 rad
    and a score of 0.001.

    Args:
        checkpoint: A safetensors file written by training.
        output: The file to write, ending in .onnx.
        overwrite: Replace an existing file.
        half: Round the kernels to float16 when all has been compared, for a file of half the size; runtimes still
            compute in float32.
        lazy: Whether to leave the angle bins out of the graph; not for programs that know nothing of it.

    Returns:
        What was written and compared.

    Raises:
        UsageError: If the output does not end in .onnx.
        StoreError: If the output exists already, its folder does not, or it cannot be written.
        ModelError: If the checkpoint is damaged, or the graph gives other results than PyTorch; nothing is written.
        MissingExtraError: If PyTorch, onnx or ONNX Runtime is not installed.
    """
    check_output(output, overwrite)
    for module, library in (("torch", "PyTorch"), ("onnx", "onnx"), ("onnxruntime", "ONNX Runtime")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(library=library, extra="train")
    with tempfile.TemporaryDirectory(prefix="swathe-export-") as folder:
        draft = Path(folder) / output.name
        info, angles = write_graph(checkpoint, draft, lazy=lazy)
        seal_onnx(draft, info.to_json(), pack_angles(angles) if angles else None)
        report = _compare_backends(checkpoint, draft, info, output, lazy=lazy)
        if half:
            store_in_half(draft)
            seal_onnx(draft, info.to_json(), pack_angles(angles, half=True) if angles else None)
            report = replace(report, sha256=file_sha256(draft))
        with published_file(output, overwrite=True) as stream:
            stream.write(draft.read_bytes())
    return report


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse an output before the work begins.

    Args:
        output: The file to write.
        overwrite: Whether it may exist.

    Raises:
        UsageError: If its name does not end in .onnx.
        StoreError: If it exists and may not be replaced, or its folder does not exist.
    """
    if output.suffix != ".onnx":
        raise UsageError(f"{output}: the name of the exported file must end in .onnx")
    if not output.parent.is_dir():
        raise StoreError(f"{output}: the folder {output.parent} does not exist; create it first")
    if output.is_dir() or (output.exists() and not overwrite):
        hint = "exists already; choose another name, or replace the file ("
        raise StoreError(f"{output}: {hint}", Argument("overwrite"), ")")


def write_graph(checkpoint: Path, path: Path, *, lazy: bool = True) -> tuple[ModelInfo, list[Angles]]:
    """Trace the network of a checkpoint into a bare ONNX graph, without description.

    Args:
        checkpoint: A safetensors file written by training.
        path: The ONNX file to write.
        lazy: Whether to leave the angle bins out of the graph.

    Returns:
        The description of the model, and what computes the angle bins, if they are left out.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    import torch

    network, info = load_network(checkpoint)
    layers, angles = network.split() if lazy else (network, [])
    names = output_names(info, lazy=lazy)
    axes = {name: {0: "batch", 2: f"height_{name}", 3: f"width_{name}"} for name in names}
    with warnings.catch_warnings(), torch.inference_mode():
        # The exporter that needs nothing else and writes one file announces on every call that it is the older one.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            layers,
            (torch.zeros(1, info.bands, TILES[0], TILES[0]),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(names),
            dynamic_axes={INPUT_NAME: {0: "batch", 2: "height", 3: "width"}, **axes},
        )
    return info, angles


def store_in_half(path: Path) -> None:
    """Store the kernels of a graph as float16, each with a cast that runtimes fold when they load it.

    Args:
        path: An ONNX file, changed in place; its seal no longer holds.
    """
    import onnx

    model = onnx.load(path)
    kernels = [item for item in model.graph.initializer if item.data_type == onnx.TensorProto.FLOAT and item.dims]
    for kernel in kernels:
        values = onnx.numpy_helper.to_array(kernel)
        if values.ndim < 2:
            continue  # biases are small, and sums need them exact
        stored = f"{kernel.name}.half"
        cast_node = onnx.helper.make_node("Cast", [stored], [kernel.name], to=onnx.TensorProto.FLOAT)
        kernel.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        model.graph.node.insert(0, cast_node)
    onnx.save(model, path)


def _compare_backends(checkpoint: Path, draft: Path, info: ModelInfo, output: Path, *, lazy: bool) -> ExportReport:
    """Compare the graph with the checkpoint on every backend that is installed."""
    backends = ["onnx", *(["openvino"] if importlib.util.find_spec("openvino") is not None else [])]
    largest, images, boxes = 0.0, 0, 0
    for tile in TILES:
        reference = around(load_network(checkpoint)[0], _spec("torch", checkpoint, info, tile), lazy=lazy)
        others = {name: cast("NetworkDetector", open_detector(_spec(name, draft, info, tile))) for name in backends}
        for pixels in parity_images(tile, info.bands):
            expected = _maps(reference, pixels)
            images += 1
            for name, other in others.items():
                found = _maps(other, pixels)
                where = f"{output}: not written, because {name} does not give PyTorch's results on this checkpoint"
                levels = len(info.strides)
                largest = max(largest, compare_maps(expected[:levels], found[:levels], where))
                compare_maps(expected[levels:], found[levels:], where)  # the features, where the head is lazy
                count = compare_boxes(reference.head.decode(expected, 0.0), other.head.decode(found, 0.0), where)
            boxes += count
    return ExportReport(output, file_sha256(draft), tuple(backends), images, boxes, largest)


def _spec(backend: str, path: Path, info: ModelInfo, tile: int) -> DetectorSpec:
    """Describe a detector on one of the project's own backends."""
    card = make_card(card_values(info), where=path)
    return DetectorSpec(backend, str(path), info.classes, file_sha256(path), info.min_score, 1.0, tile=tile, card=card)


def _maps(detector: NetworkDetector, pixels: npt.NDArray[np.uint8]) -> Outputs:
    """Return the outputs for one image, (channels, grid height, grid width) for each level."""
    return [np.ascontiguousarray(output[0]) for output in detector.outputs([pixels])]


def parity_images(tile: int, bands: int = 3) -> list[npt.NDArray[np.uint8]]:
    """Make the images that backends are compared on: nothing, noise, and bright shapes on a slope.

    Args:
        tile: Side of the images, pixels.
        bands: Their bands.

    Returns:
        Images (tile, tile, bands), the same on every call.
    """
    random = np.random.default_rng(SEED)
    noise = random.integers(0, 256, (tile, tile, bands), dtype=np.uint8)
    slope = np.linspace(20, 120, tile)
    shapes = np.repeat((slope[:, None] + slope[None, :])[:, :, None] / 2, bands, axis=2)
    for left, top, width, height in random.integers((0, 0, 8, 8), (tile, tile, 90, 60), (24, 4)):
        shapes[top : top + height, left : left + width] = random.integers(0, 256, bands)
    return [np.zeros_like(noise), noise, shapes.astype(np.uint8)]


def compare_maps(expected: Outputs, found: Outputs, where: str) -> float:
    """Compare every logit of two sets of raw maps.

    Args:
        expected: PyTorch's maps.
        found: Another backend's maps.
        where: How the message begins if they differ.

    Returns:
        The largest absolute difference.

    Raises:
        ModelError: If shapes differ, a value is not finite, or a logit differs by more than 0.001 plus 1/10000 of the
            map's largest.
    """
    largest = 0.0
    for index, (mine, other) in enumerate(zip(expected, found, strict=True)):
        if mine.shape != other.shape:
            raise ModelError(f"{where}: map {index} has shape {other.shape} instead of {mine.shape}")
        if not np.isfinite(mine).all():
            raise ModelError(f"{where}: its map {index} is not finite, so the weights are damaged")
        difference = np.abs(mine - other)
        if not (difference <= LOGIT_TOLERANCE + RELATIVE_TOLERANCE * np.abs(mine).max()).all():
            raise ModelError(f"{where}: logits of map {index} differ by up to {difference.max():.3g}")
        largest = max(largest, float(difference.max()))
    return largest


def compare_boxes(expected: Candidates, found: Candidates, where: str) -> int:
    """Compare the best boxes of an image, anchor by anchor.

    Args:
        expected: What PyTorch gives at each anchor.
        found: What another backend gives.
        where: How the message begins if they differ.

    Returns:
        Number of boxes compared.

    Raises:
        ModelError: If more than one box in a hundred differs; a few may, where two classes or angles are equally good.
    """
    boxes, scores, classes = expected
    other_boxes, other_scores, other_classes = found
    best = np.argsort(-scores, kind="stable")[:COMPARED_BOXES]
    difference = np.abs(boxes[best] - other_boxes[best])
    turn = np.minimum(difference[:, 4], math.pi - difference[:, 4])
    allowed = np.hstack([np.full((len(best), 2), PIXEL_TOLERANCE), PIXEL_TOLERANCE * (1.0 + boxes[best, 2:4] / 10.0)])
    equal = (
        (difference[:, :4] <= allowed).all(axis=1)
        & (turn <= ANGLE_TOLERANCE)
        & (np.abs(scores[best] - other_scores[best]) <= SCORE_TOLERANCE)
        & (classes[best] == other_classes[best])
    )
    wrong = len(best) - int(equal.sum())
    if wrong > math.ceil(TIED_SHARE * len(best)):
        raise ModelError(f"{where}: {wrong} of the best {len(best)} boxes differ")
    return len(best)
