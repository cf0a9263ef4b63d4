"""Exports a YOLOv5 of its own repository with random weights, and writes down what the tool finds before suppression.

Runs in the tool's own environment: benchmarks/rivals/.venv-yolov5/bin/python yolov5_candidates.py FOLDER
The folder then holds yolov5n-own.onnx and yolov5n-own.npz, as exports.py describes it.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import functools
import sys
from pathlib import Path

import torch
import yolov5
from exports import CLASSES, as_tensor, enliven, pictures, write
from yolov5.export import export_onnx
from yolov5.models.yolo import DetectionModel
from yolov5.utils.general import non_max_suppression

SIDE = 320
PLACES = 6300  # of an input of that side


def candidates(prediction: tuple) -> tuple:
    """Return corners (n, 4, 2), scores (n,) and classes (n,) of one image."""
    # No two boxes overlap by more than 1, so the tool's suppression keeps all.
    (rows,) = non_max_suppression(prediction, 0.0, 1.0, max_det=PLACES)
    return rows[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).numpy(), rows[:, 4].numpy(), rows[:, 5].long().numpy()


@torch.no_grad()
def main(folder: Path) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    network = DetectionModel(str(Path(yolov5.__file__).parent / "models" / "yolov5n.yaml"), nc=len(CLASSES))
    network.names = dict(enumerate(CLASSES))
    images = pictures(SIDE)
    for convolution in network.model[-1].m:  # of the head
        convolution.weight.data *= 4.0
        convolution.bias.data.fill_(0.0)
    enliven(network, as_tensor(images))
    found = [candidates(network(tensor[None])) for tensor in as_tensor(images)]
    write(folder / "yolov5n-own.npz", images, found)
    network.model[-1].export = True
    # The tool was written for the exporter that PyTorch had then.
    torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)
    export_onnx(network, as_tensor(images)[:1], folder / "yolov5n-own.onnx", 17, False, False)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
