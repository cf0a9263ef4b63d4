"""Two models: a graph of three convolutions whose answers are known, and a small network with lively random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pytest

from requirements import need
from swathe.detectors.files import seal_onnx
from swathe.detectors.protocol import Tile
from swathe.model.info import ModelInfo

TINY = ModelInfo("tiny", "n", ("ship", "plane"), 128, angle_bins=36)
LIVELY = ModelInfo("lively", "n", ("ship", "plane"), 256, min_score=0.3)


class WriteTiny(Protocol):
    """Writes the graph of known answers."""

    def __call__(self, path: Path, info: ModelInfo = TINY, *, graph_info: ModelInfo | None = None) -> Path:
        """Write the graph for one description and, if told so, describe it by another one."""
        ...


@pytest.fixture(scope="session")
def write_tiny() -> WriteTiny:
    """A graph that sees a box (30 x 16 px, -57.5 degrees) in each bright red 8 x 8 cell: a plane where it is also green."""
    need("onnx")
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def write(path: Path, info: ModelInfo = TINY, *, graph_info: ModelInfo | None = None) -> Path:
        shape = graph_info or info
        red, green = (2, 1) if info.colour_order == "BGR" else (0, 1)
        nodes, weights, outputs = [], [], []
        for stride in shape.strides:
            name = f"p{stride.bit_length() - 1}"
            kernel = np.zeros((shape.anchors_per_cell, shape.channels, 3, stride, stride), np.float32)
            bias = np.zeros((shape.anchors_per_cell, shape.channels), np.float32)
            bias[:, 4:] = -20.0
            if stride == 8:
                kernel[1, 4, red], bias[1, 4] = 40.0 / 64, -20.0
                kernel[1, 6, green], bias[1, 5], bias[1, 6] = 40.0 / 64, 8.0, -20.0
                bias[1, 5 + len(shape.classes) + 24] = 20.0  # bin 24 of 36 is centred on 32.5 degrees
            weights += [
                numpy_helper.from_array(kernel.reshape(-1, 3, stride, stride), f"{name}.weight"),
                numpy_helper.from_array(bias.reshape(-1), f"{name}.bias"),
            ]
            inputs = ["images", f"{name}.weight", f"{name}.bias"]
            nodes.append(helper.make_node("Conv", inputs, [name], strides=[stride, stride]))
            channels = shape.anchors_per_cell * shape.channels
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", channels, "h", "w"]))
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])
        graph = helper.make_graph(nodes, "tiny", [images], outputs, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, str(path))
        seal_onnx(path, info)
        return path

    return write


@pytest.fixture(scope="session")
def tiny(write_tiny: WriteTiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of known answers."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "model.onnx")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run's folder content: size n, random weights that give some dozens of objects in any picture."""
    need("torch")
    import torch

    from swathe.model.checkpoint import save_safetensors
    from swathe.model.yolov5 import YWCSL

    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(7)
        network = YWCSL(LIVELY).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                # Keeps the signal alive through all layers, which the usual start leaves to the normalisation.
                torch.nn.init.normal_(module.weight, std=1.8 / module.weight[0].numel() ** 0.5)
        pictures = torch.rand(2, 3, 24, 24).repeat_interleave(8, 2).repeat_interleave(8, 3)
        for head, level in zip(network.heads, network(pictures), strict=True):
            # Let each logit vary by 2 over such pictures, around -2 for the objectness and 0 for all others.
            weight, bias = head.get_parameter("weight"), head.get_parameter("bias")
            factor = 2.0 / level.std(dim=(0, 2, 3))
            weight *= factor[:, None, None, None]
            bias.copy_((bias - level.mean(dim=(0, 2, 3))) * factor)
            bias.view(3, -1)[:, 4] -= 2.0
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_safetensors(path, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, LIVELY)
    return path


@pytest.fixture(scope="session")
def exported(checkpoint: Path) -> Path:
    """The ONNX file of the lively network, beside its checkpoint."""
    need("onnxruntime")
    from swathe.detectors.export import export_onnx

    return export_onnx(checkpoint, checkpoint.with_suffix(".onnx")).path


class MakeTile(Protocol):
    """Wraps pixels as a tile."""

    def __call__(self, pixels: npt.NDArray[np.uint8], width: int | None = None, height: int | None = None) -> Tile:
        """Make a tile whose valid part is the given one, or all of it."""
        ...


@pytest.fixture(scope="session")
def make_tile() -> MakeTile:
    """Wrap pixels as a tile at the scene's origin."""

    def make(pixels: npt.NDArray[np.uint8], width: int | None = None, height: int | None = None) -> Tile:
        side = len(pixels)
        return Tile(pixels, "scene", 1.0, 0, 0, side if width is None else width, side if height is None else height)

    return make
