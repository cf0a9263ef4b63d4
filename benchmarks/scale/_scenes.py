"""Scenes of any size that take a few megabytes on disk: one block of picture, repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from swathe.testing.scenes import ObjectRule, draw, synthetic_scene

BLOCK = 512  # pixels
CACHE = Path(__file__).resolve().parents[2] / "build" / "benchmarks" / "scenes"


def repeated_scene(width: int, height: int, *, tiled: bool = True, copy: int = 0) -> Path:
    """Return a georeferenced 8-bit RGB GeoTIFF (ZSTD), made at the first call and kept.

    Args:
        width: Pixels.
        height: Pixels.
        tiled: Blocks of 512 x 512 pixels, or strips of 16 rows.
        copy: Number of the scene among several of this size.

    Returns:
        The file.
    """
    import rasterio

    kind = "tiled" if tiled else "striped"
    path = CACHE / f"{kind}-{width}x{height}-{copy}.tif"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    profile: dict[str, Any] = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8"}
    profile |= {"compress": "zstd", "zstd_level": 1, "interleave": "pixel", "photometric": "rgb", "bigtiff": "if_safer"}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK} if tiled else {"blockysize": 16}
    profile |= {"crs": "EPSG:32645", "transform": rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 3_000_000)}
    picture = draw(synthetic_scene(BLOCK, BLOCK, seed=1, rule=ObjectRule(count=60)), 0, 0, BLOCK, BLOCK)
    rows = np.moveaxis(np.tile(picture, (1, -(-width // BLOCK), 1))[:, :width], 2, 0)
    partial = path.with_suffix(".partial.tif")
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"), rasterio.open(partial, "w", **profile) as file:
        for top in range(0, height, BLOCK):
            count = min(BLOCK, height - top)
            file.write(rows[:, :count], window=rasterio.windows.Window(0, top, width, count))
    partial.rename(path)
    return path
