"""Stores to look at, and a server over one."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from swathe.detections import Detections, SceneInfo
from swathe.raster.opening import open_scene
from swathe.store import open_store
from swathe.store.protocol import StoredScene

CLASSES = tuple(f"class {number:02d}" for number in range(15))
METRES_PER_PIXEL = 0.5
SPACING = 32.0  # pixels between neighbouring objects on average
RUN = "benchmark"
PICTURE = Path(__file__).resolve().parents[2] / "data" / "banepa" / "banepa.tif"


def write_store(folder: Path, detections: int, scenes: int) -> list[SceneInfo]:
    """Write a store of scenes side by side, and the demo scene without detections, whose pixels can be looked at.

    Args:
        folder: Where to.
        detections: How many, of all scenes.
        scenes: How many.

    Returns:
        The scenes; the demo scene is the last one.
    """
    store = open_store(folder, create=True)
    each, columns = detections // scenes, math.ceil(math.sqrt(scenes))
    infos = [_scene(number, columns, math.isqrt(round(SPACING**2 * each))) for number in range(scenes)]
    picture = open_scene(PICTURE)
    size = (picture.width, picture.height)
    demo = SceneInfo(picture.id, picture.uri, *size, picture.crs, picture.transform)
    stored = [StoredScene(RUN, info, info.id, "pending", 1) for info in (*infos, demo)]
    store.begin(RUN, {"model": {"name": "none"}}, stored)
    for number, scene in enumerate(stored):
        store.commit(RUN, [store.write(scene, _boxes(scene.scene, each if number < scenes else 0, number))])
    return [*infos, demo]


def _scene(number: int, columns: int, side: int) -> SceneInfo:
    row, column = divmod(number, columns)
    metres = side * METRES_PER_PIXEL
    place = (METRES_PER_PIXEL, 0.0, 300_000 + column * metres, 0.0, -METRES_PER_PIXEL, 3_100_000 - row * metres)
    return SceneInfo(f"scene {number:03d}", f"/nowhere/{number}.tif", side, side, CRS.from_epsg(32645).to_wkt(), place)


def _boxes(scene: SceneInfo, count: int, seed: int) -> Detections:
    random = np.random.default_rng(seed)
    sides = np.sort(random.uniform(8, 60, (count, 2)))[:, ::-1]
    centres = random.uniform(0, (scene.width, scene.height), (count, 2))
    boxes = np.column_stack([centres, sides, random.uniform(-1.5, 1.5, count)])
    classes = random.integers(0, len(CLASSES), count)
    return Detections.from_arrays(boxes, random.uniform(0.1, 1, count), classes, CLASSES, scene, RUN)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve a store; yields the address and the process id."""
    command = [sys.executable, "-c", "from swathe.cli.main import run; run()", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else "", process.pid
        finally:
            process.terminate()
