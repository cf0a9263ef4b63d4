"""One cluster for all tests in this folder."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from hdfs_cluster import need_java, started
from swathe_cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """HDFS, YARN and HBase; what a test breaks it mends."""
    if "SWATHE_CLUSTER" in os.environ:  # one that runs: saves half a minute
        yield Cluster(Path(os.environ["SWATHE_CLUSTER"]).absolute())
        return
    need_java()
    with started(tmp_path_factory) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def mended(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start again what has ended by itself: region servers do where the machine stands still for long.

    And wait for HBase as long as a busy machine may take to mend it.
    """
    if "cluster" not in request.fixturenames:
        return
    from swathe.store.hbase import client

    monkeypatch.setattr(client, "PATIENCE", 600.0)
    monkeypatch.setattr(client, "FIRST_PATIENCE", 60.0)
    cluster: Cluster = request.getfixturevalue("cluster")
    for name in cluster.missing("hdfs", "yarn", "hbase"):
        log = (cluster.folder / "logs" / f"{name}.log").read_text(errors="replace")
        warnings.warn(f"{name} had ended:\n{log[-2000:]}", stacklevel=1)
        cluster.start(name)
