"""Tests of the HDFS that other tests use."""

from __future__ import annotations

import pytest

from hdfs_cluster import HdfsCluster


def test_bytes_come_back_and_a_file_is_created_once(hdfs: HdfsCluster) -> None:
    from hdfs_native import Client, WriteOptions

    data = bytes(range(256)) * (5 << 12)  # more than a block
    assert hdfs.put("/cluster/a/b.bin", data) == f"{hdfs.address}/cluster/a/b.bin"
    client = Client(hdfs.address)
    with client.read("/cluster/a/b.bin") as file:
        assert file.read_range(0, len(data)) == data
    with pytest.raises(FileExistsError):
        client.create("/cluster/a/b.bin", WriteOptions(overwrite=False))
