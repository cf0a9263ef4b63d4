"""Scenes in HDFS, detections in HBase, and what happens when a part of the cluster fails meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from command import Command
from red_cells import RedCells, write_red_cells
from requirements import need
from swathe.areas import Area, Areas
from swathe.query import Query
from swathe.raster.opening import open_reader, open_scene
from swathe.raster.pyramid import Level
from swathe.raster.window import Window
from swathe.store import open_store, read
from swathe_cluster import Cluster

need("hdfs_native")
need("thriftpy2")
GRID = ("--tile", "128", "--stride", "96", "--workers", "0")
SIDE = 2300  # pixels of noise: 15 MB, in four blocks of HDFS


@pytest.fixture(autouse=True)
def configured(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster.configuration))


@pytest.fixture
def address(cluster: Cluster) -> str:
    return f"{cluster.addresses['hbase']}/application-{uuid.uuid4().hex}"


@pytest.fixture
def folder(cluster: Cluster) -> str:
    return f"{cluster.addresses['hdfs']}/application/{uuid.uuid4().hex}"


@pytest.fixture
def scene(tmp_path: Path) -> RedCells:
    return write_red_cells(tmp_path / "harbour.tif")


def rows(address: object, query: Query | None = None) -> list[dict[str, object]]:
    return list(read(open_store(str(address)), query).table.to_pylist())


def test_from_hdfs_into_hbase(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path, address: str, folder: str
) -> None:
    assert command("put", scene.path, folder).code == 0
    assert command("slice", scene.path, f"{folder}/slices", *GRID[:4], "--quiet").code == 0
    for source, store in (
        (scene.path, tmp_path / "local"),
        (f"{folder}/*.tif", address),
        (f"{folder}/slices/", f"{address}-slices"),
    ):
        outcome = command("detect", source, "-m", tiny_model, "-o", store, *GRID)
        assert outcome.code == 0, outcome.err
    expected = rows(tmp_path / "local")
    assert len(expected) == len(scene.ships) + len(scene.planes)
    assert rows(address) == expected
    assert rows(f"{address}-slices") == expected
    footprint = read(open_store(address)).footprints()[0]
    areas = Areas((Area("Nepal/here", footprint.buffer(1e-4).envelope), Area("Nepal/there", shapely.box(0, 0, 1, 1))))
    for store in (tmp_path / "local", address):
        open_store(str(store)).keep_areas(areas)
        outcome = command("query", store, "--area", "Nepal/here", "--classes", "ship,plane", "--json")
        assert outcome.code == 0, outcome.err
        assert sum("score" in line for line in outcome.lines) == len(rows(store, Query(areas=(areas["Nepal/here"],))))


def test_a_driver_that_is_killed_resumes(
    scene: RedCells, tiny_model: Path, tmp_path: Path, address: str, command: Command
) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    for number in range(12):
        write_red_cells(sources / f"{number}.tif")
    words = ["detect", str(sources), "-m", str(tiny_model), "-o", address, "--exact", *GRID]
    program = [sys.executable, "-c", "from swathe.cli.main import run; run()"]
    with subprocess.Popen([*program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not _has_scene(address):
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert command(*words).code == 0
    assert command("detect", sources, "-m", tiny_model, "-o", tmp_path / "local", *GRID).code == 0
    assert rows(address) == rows(tmp_path / "local")


def _has_scene(address: str) -> bool:
    from swathe.errors import StoreError

    try:
        return any(scene.state == "complete" for scene in open_store(address).scenes())
    except StoreError:  # it is not made yet
        return False


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("noise") / "noise.tif"
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)
    profile = {"tiled": True, "blockxsize": 256, "blockysize": 256, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", width=SIDE, height=SIDE, **profile) as file:
        file.write(pixels)
    return path


def windows() -> Iterator[Window]:
    return (Window(col, row, 256, 256) for row in range(0, SIDE - 256, 512) for col in range(0, SIDE - 256, 512))


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_windows_are_right_while_a_data_node_is_gone(
    cluster: Cluster, command: Command, noise: Path, folder: str, fault: signal.Signals
) -> None:
    assert command("put", noise, folder, "--compress", "deflate").code == 0
    level, local = Level.of(SIDE, SIDE, 1.0), open_reader(open_scene(noise))
    remote = open_reader(open_scene(f"{folder}/noise.tif"))
    names = [name for name in cluster.daemons if name.startswith("datanode")]
    try:
        for number, window in enumerate(windows()):
            if number == 3:
                cluster.kill(names[0], fault)
            np.testing.assert_array_equal(remote.read(level, window).pixels, local.read(level, window).pixels)
    finally:
        if fault == signal.SIGSTOP:
            cluster.kill(names[0], signal.SIGCONT)
        cluster.start(names[0])


def test_a_name_node_in_safe_mode_takes_nothing(
    cluster: Cluster, command: Command, scene: RedCells, folder: str
) -> None:
    with safe_mode(cluster):
        refused = command("put", scene.path, folder)
    assert (refused.code, refused.is_one_error) == (5, True)
    assert "safe mode" in refused.err
    assert "java" not in refused.err
    assert command("put", scene.path, folder).code == 0


class safe_mode:  # noqa: N801 - read as a statement
    """Puts the NameNode into safe mode for a while."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __enter__(self) -> None:
        self._say("enter")

    def __exit__(self, *_: object) -> None:
        self._say("leave")

    def _say(self, word: str) -> None:
        from swathe_cluster.jars import class_path

        paths = os.pathsep.join(map(str, (self.cluster.configuration, *class_path("hadoop"))))
        tool = ["org.apache.hadoop.hdfs.tools.DFSAdmin", "-safemode", word]
        subprocess.run(["java", "-cp", paths, *tool], check=True, capture_output=True)
