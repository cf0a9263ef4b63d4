"""Exports an oriented-det model with random weights, and writes down what the tool itself finds before suppression.

Runs in the tool's own environment: benchmarks/rivals/.venv-oriented-det/bin/python oriented_det_candidates.py FOLDER
The folder then holds rotated-rtmdet.onnx, the JSON that the tool's own exporter writes beside it, and
rotated-rtmdet.npz, as exports.py describes it.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from export.preprocess import preprocess_from_meta
from export.scripts.export_onnx import PRE_NMS_OUTPUTS, build_export_meta
from export.wrappers import RotatedRTMDetPreNmsExportWrapper
from exports import CLASSES, pictures, write
from oriented_det.geometry.rbox import RBox
from oriented_det.models.rotated_rtmdet import RotatedRTMDet

SIDE = 256
NAME = "rotated-rtmdet"
INPUT = {"preprocess": {"target_size": [SIDE, SIDE]}}  # and the tool's own mean and deviation


def make_model() -> RotatedRTMDet:
    """Build a network whose statistics are those of real inputs, so that its random weights give lively scores."""
    torch.manual_seed(5)
    model = RotatedRTMDet(len(CLASSES), pretrained_backbone=False, nms_pre=300)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics of all that was seen
    images = torch.from_numpy(
        np.stack([preprocess_from_meta(image, INPUT)[0].reshape(3, SIDE, SIDE) for image in pictures(SIDE)])
    )
    model.train()
    with torch.no_grad():
        features = list(model.backbone(images).values())[:3]
        model.head(features, strides=model.fpn_strides)
        model.head.rtm_cls.weight *= 30.0
        model.head.rtm_cls.bias.fill_(-1.0)
        model.head.rtm_reg.weight *= 3.0
        model.head.rtm_angle.weight *= 10.0
    model.eval()
    return model


def corners_of(box: np.ndarray) -> np.ndarray:
    """Return the corners (4, 2) of one box by the tool's own geometry."""
    return np.array(RBox(*map(float, box)).corners()).reshape(4, 2)


def main(folder: Path) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model()
    wrapper = RotatedRTMDetPreNmsExportWrapper(model, SIDE, SIDE).eval()
    path = folder / f"{NAME}.onnx"
    torch.onnx.export(
        wrapper,
        (torch.zeros(1, 3, SIDE, SIDE),),
        str(path),
        input_names=["images"],
        output_names=list(PRE_NMS_OUTPUTS),
        opset_version=17,
        dynamo=False,
    )
    meta = build_export_meta(
        mode="rotated_rtmdet_pre_nms",
        config=type("Config", (), {"num_classes": len(CLASSES)})(),
        model=model,
        wrapper=wrapper,
        height=SIDE,
        width=SIDE,
        opset=17,
        dynamic_batch=False,
        config_path="",
        checkpoint_path="",
        class_names=list(CLASSES),
        output_names=list(PRE_NMS_OUTPUTS),
        onnx_path=path,
    )
    path.with_suffix(".export_meta.json").write_text(json.dumps(meta), encoding="utf-8")
    found, images = [], pictures(SIDE)
    for image in images:
        prepared = preprocess_from_meta(image, meta)
        tensor = torch.from_numpy(np.asarray(prepared[0] if isinstance(prepared, tuple) else prepared)).float()
        with torch.no_grad():
            boxes, scores, labels, _ = wrapper(tensor.reshape(1, 3, SIDE, SIDE))
        real = (boxes[:, 2:4] > 0).all(1)  # the others fill up
        corners = np.array([corners_of(box) for box in boxes[real].numpy()]).reshape(-1, 4, 2)
        found.append((corners, scores[real].numpy(), labels[real].numpy() - 1))  # the tool counts from 1
    write(folder / f"{NAME}.npz", images, found)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
