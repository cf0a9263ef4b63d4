"""Detections in formats of others: GeoJSON and the text files of DOTA task 1."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from swathe.atomic import published_file, published_folder
from swathe.errors import UsageError
from swathe.store.geometry import closed_rings
from swathe.store.schema import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from swathe.detections import Detections

CHUNK_ROWS = 10_000  # rows turned into text at a time
TASK1_PREFIX = "Task1_"
_PIXELS = "pixels of the scene: x right, y down, corner of the first pixel (0, 0)"
_PROPERTIES = ("run", "scene", "class", "score", "cx", "cy", "w", "h", "theta_degrees", "cut")


def write_geojson(detections: Detections, path: Path, *, overwrite: bool = False) -> Path:
    """Write a GeoJSON file (RFC 7946) with a polygon for each detection.

    Coordinates are longitude and latitude. Where no scene is georeferenced they are scene pixels as they are, y down,
    and a member `coordinates` at the top says so.

    Args:
        detections: What to write, in canonical order in the file.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        UsageError: If some scenes are georeferenced and others are not.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    head = {} if detections.georeferenced or not detections.scenes else {"coordinates": _PIXELS}
    opening = to_json({"type": "FeatureCollection", **head})[:-1] + ',"features":[\n'
    ordered = detections.sorted()
    with published_file(path, overwrite=overwrite) as stream:
        stream.write(opening.encode())
        separator = ""
        for text in _features(ordered):
            stream.write(f"{separator}{text}".encode())
            separator = ",\n"
        stream.write(b"\n]}\n")
    return path


def write_dota_task1(
    detections: Detections, folder: Path, classes: Sequence[str] | None = None, *, overwrite: bool = False
) -> list[Path]:
    """Write the results files of DOTA task 1: `Task1_CLASS.txt` with lines `image score x1 y1 x2 y2 x3 y3 x4 y4`.

    Args:
        detections: What to write; the images are the scene ids, the corners scene pixels. Nothing is rounded.
        folder: A folder that does not exist or is empty.
        classes: Classes that get a file, also if nothing of them was found; the model's if not given.
        overwrite: Whether a folder that holds such files alone may be replaced.

    Returns:
        The files, in the order of the classes.

    Raises:
        UsageError: If a class or scene has a name that these files cannot hold, or a found class is not in `classes`.
        StoreError: If the folder exists already or cannot be written; nothing half-written is left.
    """
    names = tuple(detections.class_names if classes is None else classes)
    ordered = detections.sorted()
    found = ordered.classes
    _check_task1_names(names, set(found.tolist()), set(ordered.scene_ids.tolist()))
    with published_folder(folder, replaceable=_holds_task1_alone if overwrite else None) as hidden:
        for name in names:
            with published_file(hidden / _task1_name(name), overwrite=False) as stream:
                for line in _task1_lines(ordered.take(found == name)):
                    stream.write(line.encode())
    return [folder / _task1_name(name) for name in names]


def _chunks(detections: Detections) -> Iterator[Detections]:
    """Cut detections into pieces small enough for Python objects."""
    for start in range(0, len(detections), CHUNK_ROWS):
        yield detections.take(range(start, min(start + CHUNK_ROWS, len(detections))))


def _features(detections: Detections) -> Iterator[str]:
    """Yield each detection as the text of a GeoJSON feature."""
    for chunk in _chunks(detections):
        rings = closed_rings(chunk.to_polygons("geometry")).tolist()
        for row, ring in zip(chunk.table.to_pylist(), rings, strict=True):
            row["theta_degrees"] = math.degrees(row["theta"])
            feature: dict[str, Any] = {
                "type": "Feature",
                "id": row["id"],
                "properties": {name: row[name] for name in _PROPERTIES},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
            yield json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _task1_lines(detections: Detections) -> Iterator[str]:
    """Yield the lines of one class."""
    for chunk in _chunks(detections):
        corners = chunk.to_polygons("pixel").reshape(-1, 8).tolist()
        for image, score, numbers in zip(chunk.scene_ids.tolist(), chunk.scores.tolist(), corners, strict=True):
            yield f"{image} {score!r} {' '.join(map(repr, numbers))}\n"


def _task1_name(class_name: str) -> str:
    return f"{TASK1_PREFIX}{class_name}.txt"


def _check_task1_names(names: Sequence[str], found: set[str], scenes: Iterable[str]) -> None:
    """Refuse what would be read back differently."""
    if not found.issubset(names):
        raise UsageError(
            f"class {min(found.difference(names))!r} was found but is not among the classes to write "
            f"({', '.join(names)}); filter by class, or name all"
        )
    for name in names:
        if not name or any(mark in name for mark in "/\\\0"):
            raise UsageError(f"class {name!r} cannot be part of a file name; DOTA files need another name for it")
    for scene in scenes:
        if len(scene.split()) != 1:
            raise UsageError(f"scene {scene!r}: DOTA separates fields by blanks; detect again under another scene id")


def _holds_task1_alone(folder: Path) -> bool:
    """Return whether a folder holds nothing but results files of DOTA task 1."""
    return all(path.is_file() and path.match(f"{TASK1_PREFIX}*.txt") for path in folder.iterdir())
