"""The page over a store in HBase."""

from __future__ import annotations

import uuid
from pathlib import Path

from map_checks import check_map
from requirements import need
from swathe_cluster import Cluster

need("thriftpy2")
need("playwright")


def test_over_hbase(cluster: Cluster, tmp_path: Path) -> None:
    check_map(f"{cluster.addresses['hbase']}/map-{uuid.uuid4().hex}?shards=2", tmp_path)
