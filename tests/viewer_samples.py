"""Scenes and a store to look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.transform import from_origin

from memory_store import MemoryStore
from swathe.areas import Area, Areas
from swathe.detections import Detections, SceneInfo
from swathe.raster.gdal import without_place
from swathe.store import open_store
from swathe.store.protocol import Store

SIDE = 600  # pixels of the scenes
CRS, METRES = "EPSG:32645", 0.5
CLASSES = ("ship", "<b>harbour</b>")


def write_scene(path: Path, *, placed: bool, shift: float = 0.0) -> Path:
    """Write a picture: grey, a red square in its middle, and a border without data at the left."""
    pixels = np.full((3, SIDE, SIDE), 90, dtype=np.uint8)
    pixels[:, 250:350, 250:350] = np.array([200, 30, 40], dtype=np.uint8)[:, None, None]
    pixels[:, :, :20] = 0
    place = {"crs": CRS, "transform": from_origin(5e5 + shift, 3e6, METRES, METRES)} if placed else {}
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8", "nodata": 0}
    with without_place(), rasterio.open(path, "w", **profile, **place, tiled=True, blockxsize=256) as file:
        file.write(pixels)
    return path


def describe(path: Path, name: str, acquired: str | None = None) -> SceneInfo:
    with without_place(), rasterio.open(path) as file:
        crs = None if file.crs is None else file.crs.to_wkt()
        transform = None if file.crs is None else tuple(file.transform)[:6]
    return SceneInfo(name, str(path), SIDE, SIDE, crs, transform, acquired)


def some_boxes(scene: SceneInfo, run: str, count: int, seed: int = 0) -> Detections:
    random = np.random.default_rng(seed)
    sides = random.uniform(6, 40, (count, 2))
    boxes = np.column_stack([random.uniform(40, SIDE - 40, (count, 2)), sides, random.uniform(-1.5, 1.5, count)])
    classes = random.integers(0, 2, count)
    return Detections.from_arrays(boxes, random.uniform(0.2, 1, count), classes, CLASSES, scene, run)


def sample_store(folder: Path) -> MemoryStore:
    """Two runs: one over two scenes on the ground and one in pixels; one over one of them, at another time."""
    town = write_scene(folder / "town.tif", placed=True)
    port = write_scene(folder / "port.tif", placed=True, shift=400.0)
    photo = write_scene(folder / "photo.tif", placed=False)
    store = MemoryStore()
    store.about = {run: {"detector": {"classes": list(CLASSES)}} for run in ("aaaa1111", "bbbb2222")}
    store.add("aaaa1111", some_boxes(describe(town, "town", "2024-05-01T10:00:00Z"), "aaaa1111", 60, seed=1))
    store.add("aaaa1111", some_boxes(describe(port, "port/<i>", "2025-05-01T10:00:00Z"), "aaaa1111", 40, seed=2))
    store.add("aaaa1111", some_boxes(describe(photo, "photo"), "aaaa1111", 50, seed=3))
    later = some_boxes(describe(town, "town", "2024-05-01T10:00:00Z"), "bbbb2222", 60, seed=1)
    store.add("bbbb2222", later.take(range(10, 60)))
    outline = shapely.box(86.0, 27.0, 88.0, 28.0)
    store.named = Areas((Area("Nepal/Kavre/Banepa", outline), Area("Nepal/Elsewhere", shapely.box(0, 0, 1, 1))))
    return store


def keep(memory: MemoryStore, folder: Path | str) -> Store:
    """Put what a store in memory holds into one of files."""
    store = open_store(folder, create=True)
    for run in memory.runs():
        pairs = [(stored, rows) for stored, rows in memory.found if stored.run == run.id]
        store.begin(run.id, run.about, [replace(stored, state="pending", per_class={}) for stored, _ in pairs])
        store.commit(run.id, [store.write(stored, rows) for stored, rows in pairs if stored.state == "complete"])
    store.keep_areas(memory.named)
    return store
