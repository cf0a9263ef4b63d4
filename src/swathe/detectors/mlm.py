"""A model as a STAC item with the fields of the extension "mlm", by which catalogs find models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from swathe.detectors.card import ModelCard
from swathe.detectors.protocol import DetectorSpec
from swathe.stac import make_item

MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
FRAMEWORKS = {"onnx": "ONNX", "openvino": "OpenVINO", "torch": "PyTorch"}
SHA256 = "1220"  # how the checksum of a file begins, as a multihash


def model_item(spec: DetectorSpec, card: ModelCard) -> dict[str, Any]:
    """Describe a model.

    Args:
        spec: Its file, and what runs it.
        card: What is known of it.

    Returns:
        An item of STAC, JSON values; it has no place, and all times there are.
    """
    side = card.input_size or -1
    bands = list(card.colour_order)
    read = {
        "name": "tile",
        "bands": ["red" if band == "R" else "green" if band == "G" else "blue" for band in bands],
        "input": {
            "shape": [-1, len(bands), side, side],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": [  # of 8-bit pixels
            {"type": "z-score", "mean": mean / card.input_scale, "stddev": deviation / card.input_scale}
            for mean, deviation in zip(card.mean, card.deviation, strict=True)
        ],
    }
    boxes = {
        "name": "oriented boxes",
        "tasks": ["object-detection"],
        "result": {"shape": [-1, 7], "dim_order": ["detection", "value"], "data_type": "float64"},
        "description": "cx, cy, w, h in pixels, angle in radians clockwise from right, score, class",
        "classification:classes": [
            {"value": number, "name": re.sub(r"[^0-9A-Za-z_-]", "_", name), "title": name}
            for number, name in enumerate(card.classes)
        ],
    }
    told = {
        "title": card.name,
        "mlm:name": card.name,
        "mlm:architecture": card.layout or "unknown",
        "mlm:tasks": ["object-detection"],
        "mlm:framework": FRAMEWORKS.get(spec.backend.partition("-")[0], spec.backend),
        "mlm:input": [read],
        "mlm:output": [boxes],
        "mlm:hyperparameters": {"min_score": card.min_score, "scales": list(card.scales), "stride": card.stride},
        **({} if card.resolution is None else {"gsd": card.resolution}),
        **({} if card.licence is None else {"license": card.licence}),
    }
    item = make_item(re.sub(r"[^0-9A-Za-z_.-]", "_", card.name), None, None, told, MLM, CLASSIFICATION, FILE)
    path = Path(spec.path)
    item["assets"]["model"] = {
        "href": str(path.absolute()),
        "roles": ["mlm:model", "mlm:weights"],
        "type": "application/octet-stream; application=onnx" if path.suffix == ".onnx" else "application/octet-stream",
        **({"file:checksum": SHA256 + spec.sha256} if spec.sha256 else {}),
        "mlm:artifact_type": FRAMEWORKS.get(spec.backend.partition("-")[0], spec.backend).lower(),
    }
    return item
