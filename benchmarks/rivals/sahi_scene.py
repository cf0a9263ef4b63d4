"""Detects in a scene with SAHI and YOLO11s-obb, whenever a line comes in; prints the seconds that each detection took.

Runs in the tool's own environment: benchmarks/rivals/.venv-sahi/bin/python sahi_scene.py KIND FOLDER SCENE
KIND is torch, onnx or openvino. The model, with random weights, is exported into the folder at the first call.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from sahi import AutoDetectionModel
from sahi.predict import get_sliced_prediction
from ultralytics import YOLO

SLICE, OVERLAP, CLASSES = 1024, 200, 16
HIGH_SCORE = 0.9  # random weights find something everywhere; above this nothing is left to merge
NAMES = {"torch": "yolo11s-obb.pt", "onnx": "yolo11s-obb.onnx", "openvino": "yolo11s-obb_openvino_model"}


def make_models(folder: Path) -> None:
    """Write a model of random weights in all three forms."""
    torch.manual_seed(0)
    wrapped = YOLO("yolo11s-obb.yaml")
    network = type(wrapped.model)(wrapped.model.yaml | {"nc": CLASSES}, verbose=False)
    network.args, network.task = wrapped.model.args, wrapped.model.task
    network.names = {number: f"class-{number}" for number in range(CLASSES)}
    wrapped.model = network
    wrapped.save(folder / NAMES["torch"])
    for form in ("onnx", "openvino"):
        made = YOLO(folder / NAMES["torch"]).export(format=form, imgsz=SLICE)
        if Path(made) != folder / NAMES[form]:
            shutil.move(made, folder / NAMES[form])


def main() -> None:
    """Answer each line with a detection."""
    kind, folder, scene = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / NAMES["openvino"]).exists():
        make_models(folder)
    Image.MAX_IMAGE_PIXELS = None
    model = AutoDetectionModel.from_pretrained(
        "ultralytics",
        model_path=str(folder / NAMES[kind]),
        confidence_threshold=HIGH_SCORE,
        device="cpu",
        image_size=SLICE,
    )
    print(json.dumps({"kind": kind, "ready": True}), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        found = get_sliced_prediction(
            scene,
            model,
            slice_height=SLICE,
            slice_width=SLICE,
            overlap_height_ratio=OVERLAP / SLICE,
            overlap_width_ratio=OVERLAP / SLICE,
            perform_standard_pred=False,
            verbose=0,
        )
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "boxes": len(found.object_prediction_list)}), flush=True)


if __name__ == "__main__":
    main()
