"""What an ONNX file of another make tells of itself: by its metadata, and by the shapes of its outputs."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swathe.detectors.heads.head import Graph, Shape
from swathe.detectors.heads.layouts import ANGLE_BINS, OUTPUTS
from swathe.errors import ModelError
from swathe.inputs import read_input

UNREADABLE = (OSError, ValueError, SyntaxError, KeyError, TypeError, AttributeError, RecursionError, MemoryError)
ULTRALYTICS_TASKS = ("obb", "detect")
# Inputs of the oriented models of LibreYOLO, by family, where they differ from a card's defaults.
LIBREYOLO: dict[str, dict[str, Any]] = {
    "gtr": {"mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225]},
    "yolonas": {"colour_order": "BGR"},
}
# Layouts whose number of boxes is fixed by the export, after a selection of its own.
SELECTED = ("ultralytics-obb-end2end", "ultralytics-detect-end2end", "ultralytics-rtdetr")


def metadata_values(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Read what the metadata says, of whatever tool, or the JSON file of oriented-det.

    Args:
        path: The file, for messages.
        metadata: Of the file.

    Returns:
        Values by the names of a card's fields, as far as there are any.

    Raises:
        ModelError: If the model does something else than to find boxes, or a value cannot be read.
    """
    values: dict[str, Any] = {}
    try:
        if "names" in metadata:
            values["classes"] = _in_order(ast.literal_eval(metadata["names"]))
        if "stride" in metadata:
            values["stride"] = int(metadata["stride"])
        if "license" in metadata:
            values["licence"] = metadata["license"]
        if metadata.get("task") == "obb":
            values |= LIBREYOLO.get(metadata.get("model_family", ""), {})
        if "task" in metadata and metadata["task"] not in ULTRALYTICS_TASKS:
            raise ModelError(f"{path}: the model was made to {metadata['task']}; Swathe takes models that find boxes")
        return values | _deepness(metadata) | _oriented_det(path)
    except UNREADABLE as error:
        raise ModelError(
            f"{path}: the metadata of the model cannot be read ({error!r}); write a card for it"
        ) from error


def _deepness(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Read the metadata of Deepness: JSON in each value."""
    readers = {
        "class_names": ("classes", _in_order),
        "resolution": ("resolution", lambda centimetres: float(centimetres) / 100.0),
        "det_conf": ("min_score", float),
        "standardization_mean": ("mean", list),
        "standardization_std": ("deviation", list),
    }
    if "model_type" not in metadata:
        return {}
    return {
        field: read(json.loads(metadata[key]))
        for key, (field, read) in readers.items()
        if metadata.get(key, "null") != "null"
    }


def _oriented_det(path: Path) -> dict[str, Any]:
    """Read the JSON that oriented-det writes beside a model."""
    beside = path.with_suffix(".export_meta.json")
    if not beside.exists():
        return {}
    said = json.loads(read_input(beside))
    return {
        "classes": _in_order(said["class_names"]),
        "min_score": said["score_threshold"],
        "mean": said["normalize_mean"],
        "deviation": said["normalize_std"],
    }


def _in_order(names: Any) -> list[str]:
    """Return class names in the order of their numbers: a list, or names by number."""
    if isinstance(names, list | tuple):
        return [str(name) for name in names]
    numbered = {int(number): str(name) for number, name in names.items()}
    return [numbered[number] for number in range(len(numbered))]


def shape_values(graph: Graph, classes: int) -> dict[str, Any]:
    """Read what inputs and outputs say.

    Args:
        graph: The file.
        classes: Number of classes.

    Returns:
        Layout, size of the input and most boxes of a tile, by the names of a card's fields, as far as they are plain.
    """
    values: dict[str, Any] = {}
    images = next(iter(graph.inputs.values()), ())
    if len(images) == 4 and images[2] is not None and images[2] == images[3]:
        values["input_size"] = images[2]
    if layout := _layout(graph, classes):
        values["layout"] = layout
        first = next(iter(graph.outputs.values()))
        if layout in SELECTED and first[1] is not None:
            values["most"] = first[1]
    return values


def _layout(graph: Graph, classes: int) -> str | None:
    """Tell the layout from names and shapes of the outputs."""
    outputs = dict(graph.outputs)
    for layout, (columns, *names) in OUTPUTS.items():
        if set(names) <= set(outputs) and outputs[names[0]][-1:] in ((columns,), (None,)):
            return layout
    shapes = list(outputs.values())
    if len(shapes) == 2 and sorted(shape[-1] or 0 for shape in shapes if shape) == sorted((classes, 5)):
        return "detr-obb"
    if not shapes or len(shapes[0]) != 3:
        return None
    if graph.metadata.get("head") == "RTDETRDecoder":
        return "ultralytics-rtdetr"
    return _single(shapes[0], classes, graph.metadata.get("task"))


def _single(shape: Shape, classes: int, task: str | None) -> str | None:
    """Tell the layout of one output (batch, rows, columns); two may look alike, and the task tells them apart."""
    _, rows, columns = shape
    known = [
        ("obb", rows == 5 + classes, "ultralytics-obb"),
        ("detect", rows == 4 + classes, "ultralytics-detect"),
        ("obb", columns == 7, "ultralytics-obb-end2end"),
        ("detect", columns == 6, "ultralytics-detect-end2end"),
    ]
    if task is None:
        known = [
            ("", columns == 5 + classes + ANGLE_BINS, "yolov5-obb"),
            ("", columns == 5 + classes, "yolov5-detect"),
            *(("", fits, layout) for _, fits, layout in known),
        ]
    return next((layout for wanted, fits, layout in known if fits and wanted in ("", task)), None)
