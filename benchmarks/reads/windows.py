"""Reading windows of 1024 px from one made-up scene in several files, in row order and scattered; ends in JSON.

All ways are run in turn, several times. Each pass opens the file afresh and times every window by itself. The ceiling
is the uncompressed tiled file in row order: nothing is decoded there, only copied. Reads and bytes are those of the
reader: calls to GDAL, and decoded pixels it handed over.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from benchmarks._machine import processor
from swathe.raster.grid import Grid
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.scene import Scene

TILE, STRIDE = 1024, 824
STRIP_ROWS = 512
TILED = {"tiled": True, "blockxsize": 512, "blockysize": 512}
FILES: dict[str, dict[str, Any]] = {
    "tiled, uncompressed": {"driver": "GTiff", **TILED},
    "tiled, deflate": {"driver": "GTiff", "compress": "deflate", "predictor": 2, **TILED},
    "tiled, deflate, overviews": {"driver": "GTiff", "compress": "deflate", "predictor": 2, **TILED},
    "tiled, jpeg": {"driver": "GTiff", "compress": "jpeg", "photometric": "ycbcr", **TILED},
    "striped, deflate": {"driver": "GTiff", "compress": "deflate", "predictor": 2},
    "png": {"driver": "PNG", "zlevel": 3},
}
SCALES = (0.5, 1.0, 1.5)
ORDERS = ("rows", "scattered")


@dataclass(frozen=True)
class Way:
    """One way to read."""

    file: str  # name of the file, see FILES
    scale: float  # level pixels per scene pixel
    order: str  # "rows" or "scattered"


def draw(row: int, rows: int, width: int) -> npt.NDArray[np.uint8]:
    """Rows of a picture that compresses about as well as an aerial one, (3, rows, width)."""
    random = np.random.default_rng(row)
    y, x = np.mgrid[row : row + rows, 0:width].astype(np.float32)
    ground = 110 + 50 * np.sin(x / 37) * np.cos(y / 53) + 30 * (((x // 61).astype(int) ^ (y // 47).astype(int)) & 1)
    noise = random.normal(0, 6, (3, rows, width)).astype(np.float32)
    picture: npt.NDArray[np.uint8] = np.clip(ground + noise, 0, 255).astype(np.uint8)
    return picture


def write(folder: Path, size: int) -> dict[str, Scene]:
    """Write the scene into all files."""
    scenes = {}
    for number, (name, profile) in enumerate(FILES.items()):
        path = folder / f"{number}{'.png' if profile['driver'] == 'PNG' else '.tif'}"
        with rasterio.open(path, "w", width=size, height=size, count=3, dtype="uint8", **profile) as file:
            for row in range(0, size, STRIP_ROWS):
                rows = min(STRIP_ROWS, size - row)
                file.write(draw(row, rows, size), window=RasterioWindow(0, row, size, rows))
        if "overviews" in name:
            with rasterio.open(path, "r+") as file:
                file.build_overviews([2, 4, 8], Resampling.average)
        scenes[name] = open_scene(path)
        print(f"{name:<28} {path.stat().st_size / 2**20:8.1f} MiB", flush=True)
    return scenes


def chosen(grid: Grid, order: str, count: int) -> Iterator[int]:
    """Number the windows to read: whole rows from the second on, or windows from all over."""
    if order == "scattered":
        return iter(np.random.default_rng(1).permutation(len(grid))[:count].tolist())
    first = min(grid.cols, max(0, len(grid) - count))
    return iter(range(first, min(first + count, len(grid))))


def passage(scene: Scene, way: Way, count: int) -> tuple[list[float], float, float]:
    """Read windows one way; milliseconds of each, and reads and megabytes per window."""
    level = Level.of(scene.width, scene.height, way.scale)
    grid, times = Grid(level.width, level.height, TILE, STRIDE), []
    with RasterReader(scene) as reader:
        for index in chosen(grid, way.order, count):
            start = time.perf_counter()
            reader.read(level, grid[index])
            times.append(1e3 * (time.perf_counter() - start))
        return times, reader.reads / len(times), reader.bytes / len(times) / 1e6


def measure(scenes: dict[str, Scene], runs: int, count: int) -> list[dict[str, Any]]:
    """Run all ways in turn."""
    ways = [Way(file, scale, order) for scale in SCALES for file in FILES for order in ORDERS]
    times: dict[Way, list[float]] = {way: [] for way in ways}
    counted: dict[Way, tuple[float, float]] = {}
    for _ in range(runs):
        for way in ways:
            # Scattered reads of an untiled file decode it from the top each time; a few of them tell enough.
            limit = count if scenes[way.file].tiled or way.order == "rows" else 3
            taken, *counted[way] = passage(scenes[way.file], way, limit)  # type: ignore[assignment]
            times[way].append(statistics.fmean(taken))
    return [
        {
            "file": way.file,
            "scale": way.scale,
            "order": way.order,
            "min_ms": round(min(means), 2),
            "median_ms": round(statistics.median(means), 2),
            "reads_per_window": round(counted[way][0], 2),
            "megabytes_per_window": round(counted[way][1], 2),
        }
        for way, means in times.items()
    ]


def main() -> None:
    """Run the benchmark and print its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192, help="side of the scene in pixels (default 8192)")
    parser.add_argument("--runs", type=int, default=3, help="passes per way (default 3)")
    parser.add_argument("--windows", type=int, default=20, help="windows per pass (default 20)")
    parser.add_argument("--folder", type=Path, help="where the files are written for the time of the run")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        ways = measure(write(Path(folder), arguments.size), arguments.runs, arguments.windows)
    for way in ways:
        place = f"{way['file']:<28} scale {way['scale']:<4} {way['order']:<10}"
        print(f"{place} min {way['min_ms']:8.1f} ms  median {way['median_ms']:8.1f} ms")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    report = {"benchmark": "window reads", "cpu": processor(), "size": arguments.size, "tile": TILE, "stride": STRIDE}
    print(json.dumps({**report, "peak_mebibytes_with_writing": peak, "windows": ways}))


if __name__ == "__main__":
    main()
