"""Graphs that give the same outputs for every image, as models of other makes would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SIDE = 64
ULTRALYTICS = {"names": "{0: 'ship', 1: 'plane'}", "stride": "32", "license": "AGPL-3.0"}
OBB, DETECT = {**ULTRALYTICS, "task": "obb"}, {**ULTRALYTICS, "task": "detect"}


def write_graph(
    path: Path,
    outputs: dict[str, npt.NDArray[Any]],
    metadata: dict[str, str] | None = None,
    side: int | str = SIDE,
) -> Path:
    """Write a graph that gives the same outputs (with batch axis) for every image."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("ReduceMax", ["images"], ["largest"], keepdims=0)]
    weights = [numpy_helper.from_array(np.array(0.0, np.float32), "zero")]
    nodes.append(helper.make_node("Mul", ["largest", "zero"], ["nothing"]))
    ports = []
    for name, values in outputs.items():
        kind = TensorProto.INT64 if values.dtype == np.int64 else TensorProto.FLOAT
        weights.append(numpy_helper.from_array(values, f"{name}.values"))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name}.nothing"], to=kind))
        nodes.append(helper.make_node("Add", [f"{name}.values", f"{name}.nothing"], [name]))
        ports.append(helper.make_tensor_value_info(name, kind, values.shape))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])
    graph = helper.make_graph(nodes, "known", [images], ports, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return path


def rows(*values: list[float]) -> npt.NDArray[np.float32]:
    """Return an output (1, n, columns)."""
    return np.array([values], np.float32)
