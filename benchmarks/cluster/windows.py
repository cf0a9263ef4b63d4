"""Bytes and requests that a window of a tiled scene in HDFS takes, beside the compressed blocks that it touches.

Windows of 1024 px, step 824, of the scene of the demo, stored as it is: in the order of a run, and each with a reader
of its own; at full size, and at half size, from an overview. Neighbouring windows share blocks, which are read once
where they are still kept. Ends in JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import rasterio

from benchmarks._machine import processor
from swathe.files import open_folder
from swathe.raster.grid import Grid
from swathe.raster.opening import open_reader, open_scene
from swathe.raster.origins import hdfs
from swathe.raster.pyramid import Level
from swathe.raster.window import Window

SCENE = Path(__file__).resolve().parents[2] / "data" / "banepa" / "banepa.tif"
TILE, STRIDE = 1024, 824


Traffic: TypeAlias = list[int]  # bytes of each request


def watched(traffic: Traffic) -> None:
    """Note what is read from files in HDFS from now on."""
    read = hdfs._File.read_range  # noqa: SLF001 - the door through which all bytes come

    def noted(file: hdfs._File, offset: int, len: int) -> bytes:  # noqa: A002 - hdfs-native's
        traffic.append(len)
        return read(file, offset, len)

    hdfs._File.read_range = noted  # type: ignore[method-assign]  # noqa: SLF001


def touched(windows: Sequence[Window], factor: int) -> int:
    """Return the bytes of all compressed blocks that windows touch, each block once."""
    overview = None if factor == 1 else {2: 0, 4: 1, 8: 2}[factor]
    with rasterio.open(SCENE) as dataset:
        side = dataset.block_shapes[0][0]
        blocks = {
            (column, row)
            for window in windows
            for column in range(window.col_off // side, -(-(window.col_off + window.width) // side))
            for row in range(window.row_off // side, -(-(window.row_off + window.height) // side))
        }
        sizes = (dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=1, ovr=overview) for x, y in blocks)
        return sum(int(size) for size in sizes if size is not None)


def grid(level: Level) -> Iterator[Window]:
    """Yield the windows of a level in row order."""
    whole = Grid(level.width, level.height, TILE, STRIDE)
    return (whole[index] for index in range(len(whole)))


def measure(address: str, factor: int, traffic: Traffic, *, alone: bool) -> dict[str, object]:
    """Read all windows with one reader, or each with its own, and compare with the blocks that they touch."""
    scene = open_scene(address, value_range=(0.0, 255.0))
    level = Level.of(scene.width, scene.height, 1.0 / factor)
    windows, reader = list(grid(level)), open_reader(scene)
    times, requests, data = list[float](), list[int](), list[int]()
    for number, window in enumerate(windows):
        if alone or not number:
            reader.close()
            reader = open_reader(scene)
            reader.read(level, Window(0, 0, 1, 1))  # the header, which is read once for each file
        start, before = time.perf_counter(), len(traffic)
        reader.read(level, window)
        times.append(time.perf_counter() - start)
        requests.append(len(traffic) - before)
        data.append(sum(traffic[before:]))
    reader.close()
    needed = [touched([window], factor) for window in windows]
    return {
        "windows": len(windows),
        "requests_per_window": round(statistics.mean(requests), 1),
        "kb_per_window": round(1e-3 * statistics.mean(data)),
        "bytes_over_touched_blocks": round(sum(data) / sum(needed), 2),
        "bytes_over_blocks_of_the_scene": round(sum(data) / touched(windows, factor), 2),
        "ms_per_window": round(1e3 * statistics.median(times), 1),
    }


def main() -> None:
    """Measure."""
    folder, traffic = open_folder(f"{sys.argv[1]}/benchmark-windows"), list[int]()
    folder.put(SCENE.name, SCENE.read_bytes())
    watched(traffic)
    address = f"{folder.address}/{SCENE.name}"
    result: dict[str, object] = {"machine": processor(), "load_before": os.getloadavg()[0]}
    result["in_order"] = measure(address, 1, traffic, alone=False)
    result["alone"] = measure(address, 1, traffic, alone=True)
    result["half_size_in_order"] = measure(address, 2, traffic, alone=False)
    result["half_size_alone"] = measure(address, 2, traffic, alone=True)
    result["load_after"] = os.getloadavg()[0]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
