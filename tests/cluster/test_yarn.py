"""Spark on YARN: what every executor must do, where tasks run, and containers that are lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
import rasterio

from command import Command
from red_cells import write_red_cells
from requirements import need, need_java
from swathe.engine.events import BatchRetried
from swathe.engine.job import BatchJob, Executor
from swathe.engine.local import SerialExecutor
from swathe.engine.plan import make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.engine.spark import SparkExecutor
from swathe.engine.spark_blocks import BlockHosts
from swathe.engine.spark_session import spark_session
from swathe.errors import UsageError
from swathe.raster.opening import open_reader, open_scene
from swathe.raster.origins import hdfs
from swathe.raster.window import Window
from swathe.store import open_store, read
from swathe.testing.fakes import BLANK_READER, Fault, write_script
from swathe.testing.suites.executor import Example, ExecutorSuite, files_of
from swathe_cluster import Cluster

need("pyspark")
need("hdfs_native")
need("thriftpy2")
GRID = ("--tile", "128", "--stride", "96")
WORKER_BYTES = 600 << 20


def settings() -> dict[str, str]:
    import pyspark

    # Archives and Python are on this machine: nothing need be sent.
    return {
        "spark.yarn.jars": f"local:{Path(pyspark.__file__).parent / 'jars'}/*",
        "spark.executor.memory": "512m",
        "spark.yarn.am.memory": "384m",
        "spark.ui.enabled": "false",
    }


def variables(cluster: Cluster) -> dict[str, str]:
    place = str(cluster.configuration)
    return {"HADOOP_CONF_DIR": place, "SPARK_CONF_DIR": place, "SPARK_LOCAL_IP": "127.0.0.1"}


@pytest.fixture(scope="module")
def yarn(cluster: Cluster) -> Iterator[Any]:
    """One application of two executors for all tests of this module."""
    need_java()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables(cluster).items():
            patch.setenv(name, value)
        with spark_session("yarn", settings(), WORKER_BYTES) as session:
            yield session


@pytest.fixture
def executor(yarn: Any) -> SparkExecutor:
    return SparkExecutor(yarn)


class TestSparkOnYarn(ExecutorSuite):
    @pytest.fixture
    def executor(self, yarn: Any) -> Executor:
        return SparkExecutor(yarn)


@pytest.fixture
def folder(cluster: Cluster) -> str:
    return f"{cluster.addresses['hdfs']}/yarn/{uuid.uuid4().hex}"


def rows(address: object) -> list[dict[str, object]]:
    return list(read(open_store(str(address))).table.to_pylist())


def test_from_hdfs_through_yarn_into_hbase(
    cluster: Cluster, executor: SparkExecutor, command: Command, tiny_model: Path, tmp_path: Path, folder: str
) -> None:
    from swathe.api import detect

    scene = write_red_cells(tmp_path / "harbour.tif")
    assert command("put", scene.path, folder).code == 0
    address = f"{cluster.addresses['hbase']}/yarn-{uuid.uuid4().hex}"
    detect(f"{folder}/*.tif", model=tiny_model, tile=128, stride=96, output=address, engine=executor)
    detect(str(scene.path), model=tiny_model, tile=128, stride=96, output=tmp_path / "local", workers=0)
    assert rows(address) == rows(tmp_path / "local")
    assert len(rows(address)) == len(scene.ships) + len(scene.planes)
    assert executor.placed > 0


def test_a_batch_prefers_the_hosts_that_have_its_pixels(
    cluster: Cluster, yarn: Any, command: Command, tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, side = tmp_path / "noise.tif", 2304
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side), dtype=np.uint8)
    profile = {"tiled": True, "blockxsize": 256, "blockysize": 256, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", width=side, height=side, **profile) as file:
        file.write(pixels)
    assert command("put", path, folder, "--compress", "deflate").code == 0
    address, hosts = f"{folder}/noise.tif", BlockHosts(yarn.sparkContext)
    web = cluster.addresses["webhdfs"].replace("webhdfs", "http")
    place = address.removeprefix(cluster.addresses["hdfs"])
    with urlopen(f"{web}/webhdfs/v1{place}?op=GETFILEBLOCKLOCATIONS") as answer:
        blocks = json.load(answer)["BlockLocations"]["BlockLocation"]
    assert len(blocks) > 2
    scene = open_scene(address)
    (planned,) = make_plan([scene], RunSettings(tile=256, stride=256)).scenes
    ranges = list[tuple[int, int]]()
    plain = hdfs._File.read_range

    def noted(file: hdfs._File, offset: int, len: int) -> bytes:  # noqa: A002
        ranges.append((offset, offset + len))
        return plain(file, offset, len)

    monkeypatch.setattr(hdfs._File, "read_range", noted)
    batches = list(planned.batches())
    for batch in (batches[0], batches[len(batches) // 2], batches[-1]):
        with open_reader(scene) as reader:
            reader.read(batch.level.level, Window(0, 0, 1, 1))
            ranges.clear()
            for task in batch.tasks(scene.id):
                reader.read(task.level, task.window)
        held = Counter[str]()
        for block in blocks:
            first, end = block["offset"], block["offset"] + block["length"]
            bytes_read = sum(max(0, min(end, stop) - max(first, start)) for start, stop in ranges)
            held.update(dict.fromkeys(block["hosts"], bytes_read))
        found = hosts(BatchJob(planned, batch))
        assert held[found[0]] >= 0.9 * max(held.values()), (held, found)


def run(example: Example, executor: Executor, *faults: Fault, lose: Any = None) -> list[str]:
    """Run a plan with faults, compare with an undisturbed run, and return what was said of retries."""
    other = example.empty_store("other")
    run_plan(example.plan_of(example.truth), other, executor=SerialExecutor(), reader=BLANK_READER)
    example.log.unlink()
    delay = 0.2 if lose else 0.0
    write_script(example.truth, example.folder / "script.json", clip="own", log=example.log, faults=faults, delay=delay)

    ended = threading.Event()

    def wait_and_lose() -> None:
        while not (example.log.exists() or ended.wait(0.1)):
            pass
        if not ended.is_set():
            lose()

    thread = threading.Thread(target=wait_and_lose if lose else lambda: None)
    thread.start()
    retries: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, BatchRetried):
            retries.append(event.reason)

    try:
        run_plan(example.plan, example.store, executor=executor, reader=BLANK_READER, progress=note)
    finally:
        ended.set()
        thread.join()
    assert files_of(example.store) == files_of(other)
    assert example.store.workspace(example.plan.run).names() == frozenset()
    return retries


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)


def test_a_container_that_takes_too_much_says_so(executor: SparkExecutor, example: Example) -> None:
    retries = run(example, executor, Fault("grow", "north", 9))
    assert any("memory" in reason for reason in retries), retries


def test_a_node_that_is_lost_with_its_containers_changes_nothing(
    cluster: Cluster, executor: SparkExecutor, example: Example
) -> None:
    def lose() -> None:
        cluster.kill("nodemanager-2", containers=True)
        cluster.start("nodemanager-2")

    run(example, executor, lose=lose)


def test_a_worker_that_does_not_fit_is_refused_before_work(
    executor: SparkExecutor, tiny_model: Path, tmp_path: Path
) -> None:
    from swathe.api import detect

    scene = write_red_cells(tmp_path / "harbour.tif")
    with pytest.raises(UsageError, match="give the executors more memory"):
        detect(str(scene.path), model=tiny_model, tile=8192, stride=8192, output=tmp_path / "store", engine=executor)


def test_the_driver_may_run_in_the_cluster_too(
    cluster: Cluster, command: Command, tiny_model: Path, tmp_path: Path, folder: str
) -> None:
    import pyspark

    import swathe

    scene = write_red_cells(tmp_path / "harbour.tif")
    assert command("put", scene.path, folder).code == 0
    address = f"{cluster.addresses['hbase']}/yarn-{uuid.uuid4().hex}"
    pairs = {**settings(), "spark.executor.instances": "1"}
    pairs |= {
        "spark.yarn.appMasterEnv.PYSPARK_PYTHON": sys.executable,
        "spark.executorEnv.PYSPARK_PYTHON": sys.executable,
    }
    words = [
        str(Path(pyspark.__file__).parent / "bin" / "spark-submit"),
        "--master",
        "yarn",
        "--deploy-mode",
        "cluster",
    ]
    words += [word for name, value in pairs.items() for word in ("--conf", f"{name}={value}")]
    words += [str(Path(swathe.__file__).parent / "__main__.py"), "detect", f"{folder}/*.tif", "-m", str(tiny_model)]
    words += ["-o", address, "--engine", "spark", *GRID]
    done = subprocess.run(
        words, env={**os.environ, **variables(cluster)}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "local", *GRID, "--workers", "0").code == 0
    assert rows(address) == rows(tmp_path / "local")
