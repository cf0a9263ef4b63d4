"""Detections as COCO JSON: images, categories, and annotations with oriented outlines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from swathe.atomic import published_file
from swathe.store.exports.images import image_names
from swathe.store.exports.rows import chunks, json_text, write_listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from swathe.detections import Detections, SceneInfo


def write_coco(detections: Detections, path: Path, *, overwrite: bool = False) -> Path:
    """Write a file in the format of the COCO detection task, all in pixels of the images.

    An annotation has the four corners as its `segmentation`, the upright hull as its `bbox` (x, y, width, height), the
    area of the oriented box as its `area`, the `score`, and beside what COCO defines the `rotated_box` (cx, cy, w, h in
    pixels, angle of the long side in degrees, clockwise on screen) and the `detection`'s id. Images and categories are
    numbered from 1: images in the order of their names, categories in that of the model's classes. `file_name` is
    relative to the folder that holds all images.

    Args:
        detections: What to write, in canonical order in the file.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    ordered = detections.sorted()
    names = image_names(set(ordered.scenes.values()))
    image_numbers = {scene: number for number, scene in enumerate(names, start=1)}
    category_numbers = {name: number for number, name in enumerate(ordered.class_names, start=1)}
    images = [_image(number, scene, names[scene]) for scene, number in image_numbers.items()]
    categories = [{"id": number, "name": name} for name, number in category_numbers.items()]
    head = f'{{"images":{json_text(images)},\n"categories":{json_text(categories)},\n"annotations":['
    with published_file(path, overwrite=overwrite) as stream:
        write_listing(stream, head, map(json_text, _annotations(ordered, image_numbers, category_numbers)))
    return path


def _image(number: int, scene: SceneInfo, name: str) -> dict[str, Any]:
    """Describe a scene as COCO does an image."""
    described = {
        "id": number,
        "file_name": name,
        "width": scene.width,
        "height": scene.height,
        "scene": scene.id,
        "uri": scene.uri,
    }
    return described if scene.acquired is None else {**described, "date_captured": scene.acquired}


def _annotations(
    detections: Detections, image_numbers: Mapping[SceneInfo, int], category_numbers: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """Yield each detection as an annotation."""
    number = 0
    for chunk in chunks(detections):
        corners = chunk.to_polygons("pixel")
        hulls = np.concatenate([corners.min(axis=1), np.ptp(corners, axis=1)], axis=1).tolist()
        for row, outline, hull in zip(chunk.table.to_pylist(), corners.reshape(-1, 8).tolist(), hulls, strict=True):
            number += 1
            yield {
                "id": number,
                "image_id": image_numbers[chunk.scenes[row["run"], row["scene"]]],
                "category_id": category_numbers[row["class"]],
                "segmentation": [outline],
                "bbox": hull,
                "area": row["w"] * row["h"],
                "iscrowd": 0,
                "score": row["score"],
                "rotated_box": [row["cx"], row["cy"], row["w"], row["h"], math.degrees(row["theta"])],
                "detection": row["id"],
            }
