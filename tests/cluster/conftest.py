"""One cluster for all tests in this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hdfs_cluster import need_java
from swathe_cluster import Cluster, running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """HDFS and HBase; what a test breaks it mends."""
    if "SWATHE_CLUSTER" in os.environ:  # one that runs: saves half a minute
        yield Cluster(Path(os.environ["SWATHE_CLUSTER"]).absolute())
        return
    need_java()
    with running(tmp_path_factory.mktemp("cluster"), "hdfs", "hbase") as cluster:
        yield cluster
