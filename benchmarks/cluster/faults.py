"""The longest pause of reads and writes while a part of the cluster fails, and whether the result was right.

    python -m benchmarks.cluster.faults FOLDER [NAME...]

FOLDER is that of a cluster that runs; with names only these faults. Kept in benchmarks/results/cluster-faults.json.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import rasterio

from benchmarks.cluster._ground import Ground, detections
from benchmarks.cluster._results import measure
from swathe.errors import StoreError
from swathe.files import open_folder
from swathe.raster.opening import open_reader, open_scene
from swathe.raster.pyramid import Level
from swathe.raster.window import Window
from swathe.store import open_store, read
from swathe.store.protocol import StoredScene

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from swathe_cluster import Cluster
from swathe_cluster.jars import class_path

SIDE = 8192  # pixels of noise: 200 MB, in 48 blocks of HDFS, more than caches keep
SECONDS = 12.0  # that work goes on after the fault
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


def refusal(work: Callable[[], object]) -> dict[str, object]:
    """Try what cannot work, and return what was said, and after how long."""
    start, said = time.monotonic(), "nothing"
    try:
        work()
    except StoreError as error:
        said = str(error)
    return {"said": said, "seconds": round(time.monotonic() - start, 1)}


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


def reader(cluster: Cluster, place: Path) -> Callable[[], bool]:
    """Return what reads one window after the other, and compares it with the local file's."""
    image = noise(place)
    open_folder(f"{cluster.addresses['hdfs']}/faults").put("noise.tif", image.read_bytes())
    scenes = open_reader(open_scene(image)), open_reader(open_scene(f"{cluster.addresses['hdfs']}/faults/noise.tif"))
    level, random = Level.of(SIDE, SIDE, 1.0), np.random.default_rng(1)

    def work() -> bool:
        column, row = random.integers(0, SIDE - 256, 2).tolist()
        window = Window(column, row, 256, 256)
        one, other = (scene.read(level, window).pixels for scene in scenes)
        return bool(np.array_equal(one, other))

    return work


def writer(cluster: Cluster) -> Callable[[], bool]:
    """Return what writes one file after the other, and reads it."""
    folder, data = open_folder(f"{cluster.addresses['hdfs']}/faults"), os.urandom(6 << 20)

    def work() -> bool:
        folder.put("part", data)
        return folder.get("part") == data

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


class Faults:
    """What fails; each method is a fault."""

    def __init__(self, cluster: Cluster, place: Path) -> None:
        self.cluster, self.place, self.node = cluster, place, "datanode-1"

    def _again(self) -> None:
        """Start a DataNode again, when its end has been noticed."""
        time.sleep(15.0)
        self.cluster.start(self.node)

    def _hang(self) -> None:
        """Let a DataNode hang for a while."""
        self.cluster.kill(self.node, signal.SIGSTOP)
        time.sleep(15.0)
        self.cluster.kill(self.node, signal.SIGCONT)

    def data_node_killed_reading(self) -> dict[str, object]:
        """A DataNode is lost."""
        return longest(reader(self.cluster, self.place), partial(self.cluster.kill, self.node), self._again)

    def data_node_hangs_reading(self) -> dict[str, object]:
        """A DataNode gives no answer."""
        return longest(reader(self.cluster, self.place), self._hang, nothing)

    def data_node_killed_writing(self) -> dict[str, object]:
        """A DataNode is lost while files are written."""
        return longest(writer(self.cluster), partial(self.cluster.kill, self.node), self._again)

    def data_node_full_writing(self) -> dict[str, object]:
        """A DataNode has no room any more, and then all of them."""
        full = {"dfs.datanode.du.reserved": 1 << 60}

        def fill(*names: str) -> None:
            for name in names:
                self.cluster.kill(name)
                self.cluster.start(name, more=full)

        result = longest(writer(self.cluster), partial(fill, self.node), nothing)
        nodes = [name for name in self.cluster.daemons if name.startswith("datanode")]
        fill(*nodes)
        folder = open_folder(f"{self.cluster.addresses['hdfs']}/faults")
        said = refusal(lambda: folder.put("full", bytes(1 << 20)))
        for name in nodes:
            self.cluster.kill(name)
            self.cluster.start(name)
        folder.put("full", bytes(1 << 20))
        return {**result, "all_full": said, "right_after": len(folder.get("full") or b"") == 1 << 20}

    def name_node_in_safe_mode(self) -> dict[str, object]:
        """Reading goes on, writing is refused."""
        work, folder = reader(self.cluster, self.place), open_folder(f"{self.cluster.addresses['hdfs']}/faults")
        self._safe_mode("enter")
        try:
            said, right = refusal(lambda: folder.put("part", b"1")), all(work() for _ in range(10))
        finally:
            self._safe_mode("leave")
        folder.put("part", b"1")
        return {**said, "right": right, "right_after": folder.get("part") == b"1"}

    def _safe_mode(self, word: str) -> None:
        paths = os.pathsep.join(map(str, (self.cluster.configuration, *class_path("hadoop"))))
        tool = ["org.apache.hadoop.hdfs.tools.DFSAdmin", "-safemode", word]
        subprocess.run(["java", "-cp", paths, *tool], check=True, capture_output=True)

    def thrift_down_at_the_start(self) -> dict[str, object]:
        """There is nobody to ask for HBase."""
        return self._down("thrift")

    def hbase_down_at_the_start(self) -> dict[str, object]:
        """The Thrift server is there, HBase behind it is not."""
        return self._down("regionserver-1", "master")

    def _down(self, *names: str) -> dict[str, object]:
        work, check = storing(self.cluster)
        work()
        for name in names:
            self.cluster.kill(name)
        address = f"{self.cluster.addresses['hbase']}/faults-{time.time_ns()}?shards=2"
        said = refusal(lambda: open_store(address, create=True))
        self.cluster.start(*reversed(names))
        open_store(address, create=True)
        return {**said, "right_after": work() and check()}

    def thrift_killed_writing(self) -> dict[str, object]:
        """HBase's Thrift server is started again."""
        return self._stored("thrift", partial(self.cluster.start, "thrift"))

    def region_server_killed_writing(self) -> dict[str, object]:
        """The only region server is lost, and started again."""
        return self._stored("regionserver-1", partial(self.cluster.start, "regionserver-1"))

    def one_of_two_region_servers_killed_writing(self) -> dict[str, object]:
        """A region server is lost, and another one takes its regions."""
        self.cluster.start("regionserver-2")
        time.sleep(10.0)
        return self._stored("regionserver-2", nothing)

    def thrift_killed_reading(self) -> dict[str, object]:
        """HBase's Thrift server is started again while a table is read."""
        work, check = storing(self.cluster)
        for _ in range(20):
            work()
        return longest(check, partial(self.cluster.kill, "thrift"), partial(self.cluster.start, "thrift"))

    def _stored(self, name: str, mend: Callable[[], None]) -> dict[str, object]:
        work, check = storing(self.cluster)
        return {**longest(work, partial(self.cluster.kill, name), mend), "right_after": check()}


def main() -> None:
    """Measure."""
    cluster, names = Cluster(Path(sys.argv[1]).absolute()), sys.argv[2:]
    os.environ["HADOOP_CONF_DIR"] = str(cluster.configuration)
    with tempfile.TemporaryDirectory() as place:
        faults = Faults(cluster, Path(place))
        measure("cluster-faults.json", faults, names or [name for name in vars(Faults) if name[0] != "_"])


if __name__ == "__main__":
    main()
