"""Takes the last operator off an export of mmrotate by mmdeploy, so that ONNX Runtime can run it.

`python recipes/cut_mmrotate.py end2end.onnx ships.onnx`. The operator, NMSRotated, exists only in a library of
mmdeploy. Without it the graph gives all boxes and their scores, and Swathe suppresses by itself. Needs onnx.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper


def cut(source: Path, target: Path) -> None:
    """Write a graph that ends in what the operator takes.

    Args:
        source: The export.
        target: Where to.

    Raises:
        SystemExit: If the operator is not in it.
    """
    model = onnx.load(source)
    operators = [node for node in model.graph.node if node.op_type == "NMSRotated"]
    if len(operators) != 1:
        sys.exit(f"{source}: holds {len(operators)} operators NMSRotated; an export by mmdeploy holds one")
    boxes, scores = operators[0].input[:2]
    model.graph.node.extend(
        [
            helper.make_node("Identity", [boxes], ["boxes"]),
            helper.make_node("Transpose", [scores], ["scores"], perm=[0, 2, 1]),
        ]
    )
    del model.graph.output[:]
    model.graph.output.extend(
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, None, 5]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, None, None]),
        ]
    )
    # Only what the outputs need, and none of the library's operators.
    used, needed = [], {"boxes", "scores"}
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            used.append(node)
            needed |= set(node.input)
    del model.graph.node[:]
    model.graph.node.extend(reversed(used))
    onnx.save(model, target)


if __name__ == "__main__":
    cut(Path(sys.argv[1]), Path(sys.argv[2]))
