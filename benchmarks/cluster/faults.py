"""The longest pause of reads and writes while a part of the cluster fails, and whether the result was right.

Starts a cluster of its own. Ends in JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import rasterio

from benchmarks._machine import processor
from benchmarks.cluster._ground import Ground, detections
from swathe.files import open_folder
from swathe.raster.opening import open_reader, open_scene
from swathe.raster.pyramid import Level
from swathe.raster.window import Window
from swathe.store import open_store, read
from swathe.store.protocol import StoredScene

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from swathe_cluster import Cluster, running

SIDE = 2300  # pixels of noise: 16 MB, in four blocks of HDFS
SECONDS = 25.0  # that work goes on after the fault
ROWS = 2000  # detections of a scene


def longest(work: Callable[[], bool], fault: Callable[[], None], mend: Callable[[], None]) -> dict[str, object]:
    """Work all the time, let a fault happen, and return the longest pause and whether all was right."""
    for _ in range(3):
        work()
    pauses, right = list[float](), True

    def happen() -> None:
        time.sleep(0.5)
        fault()
        mend()

    thread = threading.Thread(target=happen)
    end = time.monotonic() + SECONDS
    thread.start()
    while time.monotonic() < end or thread.is_alive():
        start = time.monotonic()
        right &= work()
        pauses.append(time.monotonic() - start)
    thread.join()
    slow = sum(pause > 2.0 for pause in pauses)
    return {"longest_s": round(max(pauses), 1), "slower_than_2_s": slow, "times": len(pauses), "right": right}


def nothing() -> None:
    """Mend nothing."""


def noise(folder: Path) -> Path:
    """Write an image that no compression makes small."""
    path = folder / "noise.tif"
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)
    profile = {"tiled": True, "blockxsize": 256, "blockysize": 256, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", width=SIDE, height=SIDE, **profile) as file:
        file.write(pixels)
    return path


def reader(cluster: Cluster, image: Path) -> Callable[[], bool]:
    """Return what reads one window after the other, and compares it with the local file's."""
    open_folder(f"{cluster.addresses['hdfs']}/faults").put("noise.tif", image.read_bytes())
    scenes = open_reader(open_scene(image)), open_reader(open_scene(f"{cluster.addresses['hdfs']}/faults/noise.tif"))
    level, places = Level.of(SIDE, SIDE, 1.0), iter(range(10**9))

    def work() -> bool:
        place = next(places) * 711 % (SIDE - 256)
        window = Window(place, place * 7 % (SIDE - 256), 256, 256)
        one, other = (scene.read(level, window).pixels for scene in scenes)
        return bool(np.array_equal(one, other))

    return work


def writer(cluster: Cluster) -> Callable[[], bool]:
    """Return what writes one file after the other, and reads it."""
    folder, data = open_folder(f"{cluster.addresses['hdfs']}/faults"), os.urandom(6 << 20)

    def work() -> bool:
        folder.put("part", data)
        return True

    return work


def storing(cluster: Cluster) -> tuple[Callable[[], bool], Callable[[], bool]]:
    """Return what stores one scene after the other, and what reads them all."""
    store = open_store(f"{cluster.addresses['hbase']}/faults-{time.time_ns()}?shards=2", create=True)
    ground, numbers = Ground(5, 4, ROWS), iter(range(10**9))
    made = [detections(ground, number, "run") for number in range(20)]

    def work() -> bool:
        number = next(numbers) % 20
        scene = StoredScene("run", ground.scene(number), "1", "pending", windows=1)
        store.begin("run", {}, [scene])
        store.commit("run", [store.write(scene, made[number])])
        return True

    def check() -> bool:
        return len(read(store)) == ROWS * sum(one.state == "complete" for one in store.scenes())

    return work, check


@contextmanager
def stopped(cluster: Cluster, name: str) -> Iterator[None]:
    """Make a daemon hang for a while."""
    cluster.kill(name, signal.SIGSTOP)
    yield
    cluster.kill(name, signal.SIGCONT)


def main() -> None:
    """Measure."""
    result: dict[str, object] = {"machine": processor(), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "cluster", "hdfs", "hbase") as cluster:
        os.environ["HADOOP_CONF_DIR"] = str(cluster.configuration)
        image, node = noise(Path(place)), "datanode-1"

        def again() -> None:
            time.sleep(15.0)
            cluster.start(node)

        def hang() -> None:
            with stopped(cluster, node):
                time.sleep(15.0)

        result["data_node_killed_reading"] = longest(reader(cluster, image), partial(cluster.kill, node), again)
        result["data_node_hangs_reading"] = longest(reader(cluster, image), hang, nothing)
        result["data_node_killed_writing"] = longest(writer(cluster), partial(cluster.kill, node), again)
        work, check = storing(cluster)
        for name in ("thrift", "regionserver-1"):
            result[f"{name}_killed_writing"] = longest(work, partial(cluster.kill, name), partial(cluster.start, name))
            result[f"{name}_right_after"] = check()
        result["thrift_killed_reading"] = longest(
            check, partial(cluster.kill, "thrift"), partial(cluster.start, "thrift")
        )
        cluster.start("regionserver-2")
        time.sleep(10.0)
        result["one_of_two_region_servers_killed_writing"] = longest(
            work, partial(cluster.kill, "regionserver-2"), nothing
        )
        result["one_of_two_right_after"] = check()
    result["load_after"] = os.getloadavg()[0]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
