"""The lake store on a disk, on S3 and in HDFS does what every store must do."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from hdfs_cluster import HdfsCluster
from swathe.store import open_store
from swathe.store.protocol import Store
from swathe.testing.suites.store import StoreSuite


class LakeSuite(StoreSuite):
    @classmethod
    def again(cls, store: Store) -> Store:
        return open_store(store.address)


class TestOnDisk(LakeSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def new_store(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
        return lambda: open_store(tmp_path_factory.mktemp("place") / "store", create=True)


class TestOnS3(LakeSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def new_store(cls, bucket: str) -> Callable[[], Store]:
        numbers = itertools.count()
        return lambda: open_store(f"{bucket}/place {next(numbers)}/store", create=True)


class TestOnHdfs(LakeSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def new_store(cls, hdfs: HdfsCluster) -> Callable[[], Store]:
        numbers = itertools.count()
        return lambda: open_store(f"{hdfs.address}/stores/place-{next(numbers)}", create=True)
