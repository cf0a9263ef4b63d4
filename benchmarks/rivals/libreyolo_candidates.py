"""Exports oriented models of LibreYOLO with random weights, and writes down what the tool finds before suppression.

Runs in the tool's own environment: benchmarks/rivals/.venv-libreyolo/bin/python libreyolo_candidates.py FOLDER
For each model the folder then holds NAME.onnx, and NAME.npz as exports.py describes it.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import sys
from pathlib import Path

import onnxruntime
import torch
from exports import CLASSES, as_tensor, enliven, pictures, write
from libreyolo import LibreGTR, LibreRTDETRv2, LibreYOLONAS
from libreyolo.postprocess.obb_ops import xywhr_to_corners
from libreyolo.postprocess.rtdetr import postprocess_obb
from PIL import Image

SIDE = 1024  # the only one that these exports take
MODELS = {"rtdetrv2-n-obb": (LibreRTDETRv2, "n"), "gtr-s-obb": (LibreGTR, "s"), "yolonas-s-obb": (LibreYOLONAS, "s")}


def candidates(output: dict[str, torch.Tensor]) -> tuple:
    """Return corners (n, 4, 2), scores (n,) and classes (n,) of one image, the best class of each place."""
    if "pred_logits" in output:  # a DETR, which suppresses nothing
        logits = output["pred_logits"]
        best = torch.where(logits == logits.amax(-1, keepdim=True), logits, -torch.inf)
        rows = postprocess_obb({**output, "pred_logits": best}, 0.0, 1.0, (SIDE, SIDE), 10**6, SIDE)["obb"]
        return xywhr_to_corners(rows[:, :5]).numpy(), rows[:, 5].numpy(), rows[:, 6].long().numpy()
    best, classes = output["scores"][0].max(1)
    return xywhr_to_corners(output["boxes"][0]).numpy(), best.numpy(), classes.numpy()


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
        path = folder / f"{name}.onnx"
        model.export(format="onnx", output_path=str(path), imgsz=SIDE, simplify=False)
        # The graph itself: among queries of random weights, rounding decides which of them a DETR selects.
        session = onnxruntime.InferenceSession(path)
        names, found = [output.name for output in session.get_outputs()], []
        for image in images:
            tensor = model._preprocess(Image.fromarray(image))[0]  # noqa: SLF001
            outputs = session.run(names, {session.get_inputs()[0].name: tensor.numpy()})
            found.append(candidates(dict(zip(names, map(torch.from_numpy, outputs), strict=True))))
        write(path.with_suffix(".npz"), images, found)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
