"""Detections as a STAC collection: an item for each scene, with its detections as an asset."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from swathe.atomic import published_folder
from swathe.detections.outline import outline_of
from swathe.raster.georeference import code_of
from swathe.stac import EARLIEST, STAC_VERSION, make_item
from swathe.store.parquet import write_detections

if TYPE_CHECKING:
    from swathe.detections import Detections, SceneInfo

COLLECTION, DETECTIONS = "collection.json", "detections.parquet"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
PARQUET = "application/vnd.apache.parquet"
TYPES = {".tif": "image/tiff; application=geotiff", ".jp2": "image/jp2", ".png": "image/png", ".jpg": "image/jpeg"}
WORLD = (-180.0, -90.0, 180.0, 90.0)


def write_stac(detections: Detections, folder: Path, *, overwrite: bool = False) -> Path:
    """Write a self-contained collection: `collection.json`, and a folder for each scene that was looked at.

    An item has the outline of its scene, its time, its reference system (extension "projection"), the run, and the
    counts by class. Its assets are the image, where it lies, and `detections.parquet`, which `swathe query` reads.

    Args:
        detections: What to write; scenes without detections get an item, too.
        folder: A folder that does not exist or is empty.
        overwrite: Whether a folder that holds such a collection may be replaced.

    Returns:
        The folder.

    Raises:
        StoreError: If the folder exists already or cannot be written; nothing half-written is left.
    """
    keys, codes = detections.scene_codes()
    numbers = {key: number for number, key in enumerate(keys)}
    collection = folder.absolute().name
    several = len({run for run, _ in detections.scenes}) > 1
    items: list[tuple[str, dict[str, Any]]] = []
    with published_folder(folder, replaceable=_is_collection if overwrite else None) as hidden:
        for key, scene in sorted(detections.scenes.items(), key=lambda pair: pair[0][::-1]):
            found = detections.take(codes == numbers.get(key, -1)) if len(detections) else detections
            name = f"{key[0]}-{scene.id}" if several else scene.id
            item = {**_item(name, key[0], scene, found), "collection": collection}
            place = _free_name(name, {place for place, _ in items})
            (hidden / place).mkdir()
            with (hidden / place / DETECTIONS).open("wb") as stream:
                write_detections(_alone(found, key), stream)
            _write(hidden / place / "item.json", item)
            items.append((place, item))
        _write(hidden / COLLECTION, _collection(collection, items))
    return folder


def _free_name(name: str, taken: set[str]) -> str:
    """Return the name of a folder that needs no escapes in an address, and that no other scene has."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name).strip(".") or "scene"
    choices = itertools.chain([plain], (f"{plain}-{number}" for number in itertools.count(2)))
    return next(choice for choice in choices if choice not in taken and choice != COLLECTION)


def _alone(found: Detections, key: tuple[str, str]) -> Detections:
    """Describe the detections of a scene by this scene and its run alone."""
    return replace(found, scenes={key: found.scenes[key]}, runs={key[0]: found.runs.get(key[0], {})})


def _item(name: str, run: str, scene: SceneInfo, found: Detections) -> dict[str, Any]:
    """Describe a scene."""
    placed: dict[str, Any] = {}
    if scene.georeferenced and scene.transform is not None:
        code = code_of(scene.crs)
        system = {"proj:code": code} if code else {"proj:code": None, "proj:wkt2": scene.crs}
        placed = {**system, "proj:shape": [scene.height, scene.width], "proj:transform": list(scene.transform)}
    counts = {"swathe:run": run, "swathe:detections": len(found), "swathe:classes": found.per_class()}
    item = make_item(
        name, outline_of(scene), scene.acquired, {"title": scene.id, **counts, **placed}, *([PROJECTION] * bool(placed))
    )
    kind = TYPES.get(PurePosixPath(scene.uri).suffix.lower().replace(".tiff", ".tif").replace(".jpeg", ".jpg"))
    return {
        **item,
        "links": [
            {"rel": relation, "href": f"../{COLLECTION}", "type": "application/json"}
            for relation in ("root", "parent", "collection")
        ],
        "assets": {
            "image": {"href": scene.uri, "roles": ["data"], **({"type": kind} if kind else {})},
            "detections": {"href": f"./{DETECTIONS}", "type": PARQUET, "roles": ["data"], "title": "Oriented boxes"},
        },
    }


def _collection(name: str, items: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Describe all scenes."""
    boxes = np.array([item["bbox"] for _, item in items if "bbox" in item]).reshape(-1, 4)
    around = [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)] if len(boxes) else list(WORLD)
    times = sorted(item["properties"]["datetime"] for _, item in items if item["properties"]["datetime"])
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": name,
        "description": "Objects that Swathe has found",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [list(map(float, around))]},
            "temporal": {"interval": [[times[0], times[-1]] if times else [EARLIEST, None]]},
        },
        "links": [
            {"rel": "root", "href": f"./{COLLECTION}", "type": "application/json"},
            *({"rel": "item", "href": f"./{place}/item.json", "type": "application/geo+json"} for place, _ in items),
        ],
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    """Write a document."""
    path.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n", encoding="utf-8")


def _is_collection(folder: Path) -> bool:
    """Return whether a folder holds nothing but a collection of items with detections."""
    names = {"item.json", DETECTIONS}
    places = [path for path in folder.iterdir() if path.name != COLLECTION]
    return (folder / COLLECTION).is_file() and all(
        path.is_dir() and {below.name for below in path.iterdir()} <= names for path in places
    )
