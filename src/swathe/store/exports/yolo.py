"""Detections as YOLO-OBB labels: a text file per image, and the names of the classes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from swathe.atomic import published_folder
from swathe.errors import UsageError
from swathe.store.exports.images import by_image

if TYPE_CHECKING:
    from swathe.detections import Detections

NAMES = "classes.txt"


def write_yolo(detections: Detections, folder: Path, *, overwrite: bool = False) -> Path:
    """Write `class x1 y1 x2 y2 x3 y3 x4 y4` per object, the corners as shares of width and height.

    Args:
        detections: What to write; images without detections get an empty file. Scores are left out, as the format has
            none.
        folder: A folder that does not exist or is empty.
        overwrite: Whether a folder that holds such files alone may be replaced.

    Returns:
        The folder.

    Raises:
        UsageError: If a class has no name in one line, or two images differ only by their suffix.
        StoreError: If the folder exists already or cannot be written; nothing half-written is left.
    """
    numbers = {name: number for number, name in enumerate(detections.class_names)}
    written: set[PurePosixPath] = set()
    with published_folder(folder, replaceable=_holds_text_alone if overwrite else None) as hidden:
        (hidden / NAMES).write_text("".join(f"{name}\n" for name in numbers), encoding="utf-8")
        for scene, name, found in by_image(detections):
            place = PurePosixPath(name).with_suffix(".txt")
            if place in written or place.name == NAMES or ".." in place.parts:
                raise UsageError(f"image {name}: its labels cannot be called {place}; rename the image")
            written.add(place)
            (hidden / place).parent.mkdir(parents=True, exist_ok=True)
            shares = found.to_polygons("pixel") / np.array([scene.width, scene.height], dtype=np.float64)
            lines = [
                f"{numbers[label]} {' '.join(map(repr, corners))}\n"
                for label, corners in zip(found.classes.tolist(), shares.reshape(-1, 8).tolist(), strict=True)
            ]
            (hidden / place).write_text("".join(lines), encoding="utf-8")
    return folder


def _holds_text_alone(folder: Path) -> bool:
    """Return whether a folder holds nothing but text files and names of classes."""
    return (folder / NAMES).is_file() and all(path.is_dir() or path.suffix == ".txt" for path in folder.rglob("*"))
