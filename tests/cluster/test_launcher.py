"""The launcher of clusters: what it starts it ends, whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hdfs_cluster import need_java
from swathe_cluster import Cluster, ClusterError, running
from swathe_cluster.jars import CACHE

LAUNCHER = Path(__file__).parents[2] / "cluster" / "swathe-cluster"
LONGEST_WAIT = 240  # seconds


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    need_java()
    yield tmp_path / "cluster"
    Cluster(tmp_path / "cluster").stop()


def launcher(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, LAUNCHER, "--folder", folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment())


def environment() -> dict[str, str]:
    """Archives are taken from where they are: the cache of other things is a new one for the tests."""
    return os.environ | {"XDG_CACHE_HOME": str(CACHE.parents[1])}


def processes(folder: Path) -> list[int]:
    """Return the processes whose command lines name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and bytes(folder) in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended
    return [pid for pid in found if pid != os.getpid()]


def wait_until_none_is_left(folder: Path) -> None:
    end = time.monotonic() + LONGEST_WAIT
    while left := processes(folder):
        assert time.monotonic() < end, f"these stay: {left}"
        time.sleep(0.1)


def test_up_status_kill_start_down(folder: Path) -> None:
    up = launcher(folder, "up", "hdfs", "--datanodes", "1")
    assert up.returncode == 0, up.stderr
    addresses = dict(line.split() for line in up.stdout.splitlines() if "://" in line)
    assert (
        Path(up.stdout.split("HADOOP_CONF_DIR")[1].strip(), "core-site.xml").read_text().count(addresses["hdfs"]) == 1
    )
    assert len(processes(folder)) == 3  # they outlive the command: NameNode, DataNode, keeper
    assert launcher(folder, "kill", "datanode-1").returncode == 0
    assert "datanode-1       -" in launcher(folder, "status").stdout
    assert launcher(folder, "start", "datanode-1").returncode == 0
    assert "datanode-1       -" not in launcher(folder, "status").stdout
    assert launcher(folder, "up", "hdfs").stdout.count(addresses["hdfs"]) == 1  # it runs already
    assert launcher(folder, "down").returncode == 0
    wait_until_none_is_left(folder)  # the keeper has let go of its folder and may be on its way out
    assert launcher(folder, "status").returncode == 3


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    pytest.importorskip("hdfs_native")
    from hdfs_native import Client

    for _ in range(2):
        with running(folder, "hdfs", data_nodes=1) as cluster:
            client = Client(cluster.addresses["hdfs"])
            client.mkdirs("/kept", create_parent=True)
            assert [Path(entry.path).name for entry in client.list_status("/")] == ["kept"]


def test_nothing_stays_when_the_caller_is_killed(folder: Path) -> None:
    command = [sys.executable, LAUNCHER, "--folder", folder, "up", "hdfs", "--datanodes", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment()) as caller:
        while not (folder / "logs" / "datanode-1.log").exists():
            assert caller.poll() is None, (folder / "keeper.log").read_text()
            time.sleep(0.1)
        caller.send_signal(signal.SIGKILL)
    wait_until_none_is_left(folder)


def test_nothing_stays_when_the_keeper_is_killed(folder: Path) -> None:
    assert launcher(folder, "up", "hdfs", "--datanodes", "1").returncode == 0
    os.kill(json.loads((folder / "state.json").read_text())["keeper"], signal.SIGKILL)
    wait_until_none_is_left(folder)


def test_nothing_stays_when_the_start_fails(folder: Path) -> None:
    with running(folder, "hdfs", data_nodes=1):
        pass
    (folder / "data" / "namenode" / "current" / "VERSION").write_text("damaged")
    with pytest.raises(ClusterError, match="namenode has ended"), running(folder, "hdfs"):
        pass
    assert processes(folder) == []


def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with running(folder, "hdfs", data_nodes=1) as cluster:
        port = cluster.layout.ports["namenode"]
    with socket.create_server(("127.0.0.1", port)):
        failed = launcher(folder, "up", "hdfs")
    assert failed.returncode == 1
    assert f"port {port}" in failed.stderr


@pytest.mark.parametrize("arguments", [("up", "spark"), ("kill", "spark"), ("start", "spark"), ("kill", "namenode")])
def test_what_there_is_not_is_refused(folder: Path, arguments: tuple[str, ...]) -> None:
    refused = launcher(folder, *arguments)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert "Traceback" not in refused.stderr
