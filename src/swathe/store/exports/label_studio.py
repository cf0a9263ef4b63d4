"""Detections for Label Studio: a task per image, with turned rectangles as predictions."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from swathe.atomic import published_file
from swathe.store.exports.images import by_image
from swathe.store.exports.rows import json_text

if TYPE_CHECKING:
    from pathlib import Path

    from swathe.detections import Detections, SceneInfo

LOCAL_FILES = "/data/local-files/?d="  # how Label Studio is told of files below the folder that it may read


def write_label_studio(detections: Detections, path: Path, *, overwrite: bool = False) -> Path:
    """Write tasks that Label Studio imports, for `<RectangleLabels name="label" toName="image">`.

    Args:
        detections: What to write. Images on disk are named by their place below the folder that holds all of them, with
            that folder's name before: Label Studio shows no files that lie in its document root itself.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    with published_file(path, overwrite=overwrite) as stream:
        separator = "[\n"
        for scene, name, found in by_image(detections):
            stream.write(f"{separator}{json_text(_task(scene, name, found))}".encode())
            separator = ",\n"
        stream.write(b"\n]\n" if separator != "[\n" else b"[]\n")
    return path


def _task(scene: SceneInfo, name: str, found: Detections) -> dict[str, Any]:
    """Describe an image and what was found in it."""
    place = PurePosixPath(scene.uri or name).parts[-len(PurePosixPath(name).parts) - 1 :]
    image = scene.uri if "://" in scene.uri else LOCAL_FILES + quote("/".join(place).lstrip("/"))
    results = [
        _result(row, scene, corners[0]) for row, corners in zip(found, found.to_polygons().tolist(), strict=True)
    ]
    runs = sorted(set(found.run_ids.tolist()))
    return {"data": {"image": image}, "predictions": [{"model_version": ", ".join(runs) or "none", "result": results}]}


def _result(row: dict[str, Any], scene: SceneInfo, corner: list[float]) -> dict[str, Any]:
    """Describe a detection: its first corner, around which the rectangle is turned, and sizes, in percent."""
    return {
        "id": row["id"],
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": scene.width,
        "original_height": scene.height,
        "image_rotation": 0,
        "score": row["score"],
        "value": {
            "x": 100.0 * corner[0] / scene.width,
            "y": 100.0 * corner[1] / scene.height,
            "width": 100.0 * row["w"] / scene.width,
            "height": 100.0 * row["h"] / scene.height,
            "rotation": math.degrees(row["theta"]) % 360.0,
            "rectanglelabels": [row["class"]],
        },
    }
