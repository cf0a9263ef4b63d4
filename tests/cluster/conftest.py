"""One cluster for all tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from swathe_cluster import Cluster, running

from hdfs_cluster import need_java


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """HDFS and HBase; what a test breaks it mends."""
    need_java()
    with running(tmp_path_factory.mktemp("cluster"), "hdfs", "hbase") as cluster:
        yield cluster
