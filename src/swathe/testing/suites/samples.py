"""Scenes and random detections that tests of detections, queries and stores share."""

from __future__ import annotations

import numpy as np
from rasterio.crs import CRS

from swathe.detections import Detections, SceneInfo

CLASSES = ("ship", "small vehicle", "bâtiment/घर")
UTM = SceneInfo(
    "harbour", "/data/harbour.tif", 2000, 1500, CRS.from_epsg(32645).to_wkt(), (0.5, 0, 335000, 0, -0.5, 3060000)
)
MERCATOR = SceneInfo(
    "बनेपा 1", "/data/banepa.tif", 1200, 1800, CRS.from_epsg(3857).to_wkt(), (0.3, 0.05, 9518000, 0.05, -0.3, 3201000)
)
ANTIMERIDIAN = SceneInfo(  # 180 degrees runs through the middle
    "taveuni",
    "taveuni.tif",
    2000,
    1600,
    CRS.from_epsg(3832).to_wkt(),
    (10, 0, 3329585, 0, -10, -1890000),
    "2024-05-01T10:20:30Z",
)
POLAR = SceneInfo(  # the north pole is in the middle, at pixel (1000, 1000)
    "pole", "pole.tif", 2000, 2000, CRS.from_epsg(3413).to_wkt(), (4, 0, -4000, 0, -4, 4000), "2023-12-31T23:59:59Z"
)
PIXELS = SceneInfo("../photo?*\\ 1", "photo.png", 1000, 800)


def keyed(*scenes: SceneInfo, run: str = "run-a") -> dict[tuple[str, str], SceneInfo]:
    """Return scenes of a run by run and id, as detections hold them."""
    return {(run, scene.id): scene for scene in scenes}


def random_detections(
    scene: SceneInfo, count: int, seed: int, *, run: str = "run-a", classes: tuple[str, ...] = CLASSES
) -> Detections:
    """Draw detections all over a scene; coarse scores give many ties.

    Args:
        scene: Where they lie.
        count: How many.
        seed: Of the random numbers.
        run: Which run they belong to.
        classes: Their classes.

    Returns:
        The detections, in no particular order.
    """
    random = np.random.default_rng(seed)
    sizes = random.uniform(4, 80, (count, 2))
    centres = random.uniform(0, (scene.width, scene.height), (count, 2))
    boxes = np.column_stack([centres, sizes, random.uniform(-4, 4, count)])
    scores = random.integers(1, 20, count) / 20
    indexes = random.integers(0, len(classes), count)
    cut = random.random(count) < 0.1
    return Detections.from_arrays(
        boxes, scores, indexes, classes, scene, run, cut=cut, run_info={"model": "m", "n": [1]}
    )
