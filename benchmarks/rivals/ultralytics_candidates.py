"""Exports Ultralytics models with random weights, and writes down what the tool itself finds before any suppression.

Runs in the tool's own environment: benchmarks/rivals/.venv-ultralytics/bin/python ultralytics_candidates.py FOLDER
For each model the folder then holds NAME.onnx, and NAME.npz as exports.py describes it.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from exports import CLASSES, as_tensor, enliven, pictures, write
from ultralytics import RTDETR, YOLO
from ultralytics.utils import ops

SIDE = 320
MODELS = {
    "yolov8n-obb": {},
    "yolo11n-obb": {},
    "yolo26n-obb": {"end2end": False},
    "yolo26n-obb-end2end": {"end2end": True},
    "yolov5n": {},
    "yolo11n": {},
    "yolo26n-end2end": {"end2end": True},
    "rtdetr-l": {},
}


def make_model(name: str) -> YOLO:
    """Build a network of three classes whose random weights give lively scores, sizes and angles."""
    torch.manual_seed(5)
    kind = RTDETR if name.startswith("rtdetr") else YOLO
    wrapped = kind(f"{name.removesuffix('-end2end')}.yaml")
    network = type(wrapped.model)(wrapped.model.yaml | {"nc": len(CLASSES)}, verbose=False)
    network.args, network.task, network.names = wrapped.model.args, wrapped.model.task, dict(enumerate(CLASSES))
    wrapped.model = network
    if name.startswith("rtdetr"):  # its queries differ enough as they are
        network.eval()
        return wrapped
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d) and module.bias is not None and len(module.bias) <= len(CLASSES):
            module.weight.data *= 4.0
            module.bias.data.fill_(-1.0)
    enliven(network, as_tensor(pictures(SIDE)))
    return wrapped


def candidates(output: torch.Tensor, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return corners (n, 4, 2), scores (n,) and classes (n,) of one image, by the tool's own conversions."""
    oriented, count = "-obb" in name, len(CLASSES)
    if name.endswith("end2end") or name.startswith("rtdetr"):  # rows of a selection of the tool's own
        scores, classes = output[:, 4], output[:, 5].long()
        boxes = torch.cat([output[:, :4], output[:, 6:]], 1) if oriented else output[:, :4]
        boxes = ops.xywh2xyxy(boxes * SIDE) if name.startswith("rtdetr") else boxes
    else:
        rows = output.T
        scores, classes = rows[:, 4 : 4 + count].max(1)
        boxes = torch.cat([rows[:, :4], rows[:, -1:]], 1) if oriented else ops.xywh2xyxy(rows[:, :4])
    corners = ops.xywhr2xyxyxyxy(boxes) if oriented else boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    # Networks without training give negative sides too, which are no boxes.
    real = (boxes[:, 2:4] > 0).all(1) if oriented else (boxes[:, 2:4] > boxes[:, :2]).all(1)
    return corners[real].numpy(), scores[real].numpy(), classes[real].numpy()


def main(folder: Path) -> None:
    """Write both files of each model."""
    folder.mkdir(parents=True, exist_ok=True)
    images = pictures(SIDE)
    for name, options in MODELS.items():
        wrapped = make_model(name)
        exported = wrapped.export(format="onnx", imgsz=SIDE, verbose=False, device="cpu", **options)
        shutil.move(exported, folder / f"{name}.onnx")
        from ultralytics.nn.autobackend import AutoBackend

        backend = AutoBackend(str(folder / f"{name}.onnx"), device=torch.device("cpu"))
        found = []
        for tensor in as_tensor(images):
            output = backend(tensor[None])
            output = output[0] if isinstance(output, list | tuple) else output
            found.append(candidates(output[0], name))
        write(folder / f"{name}.npz", images, found)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
