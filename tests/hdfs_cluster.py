"""A real HDFS on loopback for tests: one NameNode and one DataNode, empty but for what tests write."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from requirements import need, need_program
from swathe_cluster import Cluster, ClusterError, running


@dataclass(frozen=True)
class HdfsCluster:
    """A running HDFS."""

    address: str  # hdfs://127.0.0.1:port
    web_address: str  # webhdfs://127.0.0.1:port
    configuration: Path  # folder with core-site.xml and hdfs-site.xml, for HADOOP_CONF_DIR

    def put(self, path: str, data: bytes) -> str:
        """Write a file, and the folders above it, and return its address."""
        from hdfs_native import Client, WriteOptions

        with Client(self.address).create(path, WriteOptions(overwrite=True, create_parent=True)) as file:
            file.write(data)
        return self.address + path


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HdfsCluster]:
    """An HDFS for all tests of a process; each test uses a folder of its own."""
    need("hdfs_native")
    need_java()
    with started(tmp_path_factory, "hdfs", data_nodes=1) as cluster:
        yield HdfsCluster(cluster.addresses["hdfs"], cluster.addresses["webhdfs"], cluster.configuration)


@contextmanager
def started(folders: pytest.TempPathFactory, *parts: str, data_nodes: int | None = None) -> Iterator[Cluster]:
    """Run a cluster for many tests, in a new folder.

    If it does not come up it is started once more, in another folder: its ports are chosen before they are bound, and
    then they are other ones.
    """
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(running(folders.mktemp("cluster"), *parts, data_nodes=data_nodes))
        except ClusterError as error:
            warnings.warn(f"the cluster is started a second time: {error}", stacklevel=1)
            cluster = stack.enter_context(running(folders.mktemp("cluster"), *parts, data_nodes=data_nodes))
        yield cluster


def need_java() -> None:
    """Skip the calling test, or fail it, if Java or Maven, which fetches Hadoop once, is not installed."""
    need_program("java", "openjdk-17-jre-headless")
    need_program("mvn", "maven")
