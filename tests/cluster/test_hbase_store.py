"""The store in HBase does what every store must do."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from requirements import need
from swathe.store import open_store
from swathe.store.protocol import Store
from swathe.testing.suites.store import StoreSuite
from swathe_cluster import Cluster

need("thriftpy2")


class TestHBaseStore(StoreSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def new_store(cls, cluster: Cluster) -> Callable[[], Store]:
        return lambda: open_store(f"{cluster.addresses['hbase']}/suite-{uuid.uuid4().hex}?shards=2", create=True)

    @classmethod
    def again(cls, store: Store) -> Store:
        return open_store(store.address)
