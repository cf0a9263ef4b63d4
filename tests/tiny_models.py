"""Two models for tests: a graph whose answers are known, and the description of a lively network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from requirements import need
from swathe.detectors.files import seal_onnx
from swathe.model.info import ModelInfo

TINY = ModelInfo("tiny", "n", ("ship", "plane"), 128, angle_bins=36)
LIVELY = ModelInfo("lively", "n", ("ship", "plane"), 256, min_score=0.3)


def write_tiny(path: Path, info: ModelInfo = TINY, graph_info: ModelInfo | None = None) -> Path:
    """Write a graph that sees a box (30 x 16 px, -57.5 degrees) in each bright red 8 x 8 cell.

    The box is of the first class (ship), or of the second (plane) where the cell is also green.

    Args:
        path: The ONNX file to write.
        info: The description put into the file.
        graph_info: What the graph itself is made for, if that is to be something else.

    Returns:
        The path.
    """
    need("onnx")
    import onnx
    from onnx import TensorProto, helper, numpy_helper

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
    seal_onnx(path, info.to_json())
    return path
