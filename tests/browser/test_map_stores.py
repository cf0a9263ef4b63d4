"""The same page over a store in a bucket and over one in HDFS; tests/cluster has the one in HBase."""

from __future__ import annotations

from pathlib import Path

from hdfs_cluster import HdfsCluster
from map_checks import check_map
from requirements import need

need("playwright")


def test_over_a_bucket(bucket: str, tmp_path: Path) -> None:
    check_map(f"{bucket}/map", tmp_path)


def test_over_hdfs(hdfs: HdfsCluster, tmp_path: Path) -> None:
    check_map(f"{hdfs.address}/map", tmp_path)
