"""Exports oriented models of LibreYOLO with random weights, and writes down what the tool finds before suppression.

Runs in the tool's own environment: benchmarks/rivals/.venv-libreyolo/bin/python libreyolo_candidates.py FOLDER
For each model the folder then holds NAME.onnx, and NAME.npz as exports.py describes it.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import sys
from pathlib import Path

import torch
from exports import CLASSES, as_tensor, enliven, pictures, write
from libreyolo import LibreGTR, LibreRTDETRv2, LibreYOLONAS
from libreyolo.postprocess.obb_ops import xywhr_to_corners
from libreyolo.postprocess.rtdetr import postprocess_obb
from PIL import Image

SIDE = 1024  # the only one that these exports take
MODELS = {"rtdetrv2-n-obb": (LibreRTDETRv2, "n"), "gtr-s-obb": (LibreGTR, "s"), "yolonas-s-obb": (LibreYOLONAS, "s")}


def candidates(output: dict | tuple) -> tuple:
    """Return corners (n, 4, 2), scores (n,) and classes (n,) of one image, the best class of each place."""
    if isinstance(output, dict):  # a DETR, which suppresses nothing
        logits = output["pred_logits"]
        best = torch.where(logits == logits.amax(-1, keepdim=True), logits, -torch.inf)
        rows = postprocess_obb({**output, "pred_logits": best}, 0.0, 1.0, (SIDE, SIDE), 10**6, SIDE)["obb"]
        return xywhr_to_corners(rows[:, :5]).numpy(), rows[:, 5].numpy(), rows[:, 6].long().numpy()
    boxes, scores = output[0] if isinstance(output[0], tuple) else output
    best, classes = scores[0].max(1)
    return xywhr_to_corners(boxes[0]).numpy(), best.numpy(), classes.numpy()


@torch.no_grad()
def main(folder: Path) -> None:
    """Write the files of each model."""
    folder.mkdir(parents=True, exist_ok=True)
    images = pictures(SIDE)
    for name, (kind, size) in MODELS.items():
        torch.manual_seed(5)
        model = kind(None, size=size, nb_classes=len(CLASSES), device="cpu", task="obb")
        model.names = dict(enumerate(CLASSES))
        enliven(model.model, as_tensor(images))
        tensors = [model._preprocess(Image.fromarray(image))[0] for image in images]  # noqa: SLF001
        found = [candidates(model.model(tensor)) for tensor in tensors]
        write(folder / f"{name}.npz", images, found)
        model.export(format="onnx", output_path=str(folder / f"{name}.onnx"), imgsz=SIDE, simplify=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
