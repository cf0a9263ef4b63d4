"""What happens to HBase changes how long something takes, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest

from requirements import need
from swathe.detections import Detections
from swathe.errors import StoreError, UsageError
from swathe.query import Query
from swathe.store import open_store, read
from swathe.store.hbase import client, open_hbase
from swathe.store.protocol import Store
from swathe.testing.suites.samples import CLASSES, PIXELS, UTM, random_detections
from swathe.testing.suites.store import ABOUT, add, stored
from swathe_cluster import Cluster

need("thriftpy2")


def name() -> str:
    return f"faults-{uuid.uuid4().hex}"


@pytest.fixture
def store(cluster: Cluster) -> Store:
    return open_store(f"{cluster.addresses['hbase']}/{name()}?shards=2", create=True)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_ROWS", 2)


def while_running(work: Callable[[], None], *happens: Callable[[], None]) -> None:
    """Let things happen while something is done."""
    with ThreadPool(1) as pool:
        done = pool.apply_async(work)
        for one in happens:
            one()
        done.get()


def many(count: int) -> Iterator[Detections]:
    return (random_detections(replace(PIXELS, id=f"scene {number:03}"), 300, number) for number in range(count))


@pytest.mark.parametrize("daemon", ["thrift", "regionserver-1"])
def test_writing_goes_on_after_a_kill(cluster: Cluster, store: Store, daemon: str) -> None:
    parts = list(many(20))
    while_running(lambda: add(store, *parts), lambda: cluster.kill(daemon), lambda: cluster.start(daemon))
    expected = Detections.concat(parts).sorted()
    assert read(store).table.to_pylist() == expected.table.to_pylist()


def test_writing_goes_on_where_a_second_region_server_is(cluster: Cluster, store: Store) -> None:
    cluster.start("regionserver-2")
    try:
        parts = list(many(10))
        while_running(lambda: add(store, *parts), lambda: cluster.kill("regionserver-2"))
        assert read(store).table.to_pylist() == Detections.concat(parts).sorted().table.to_pylist()
    finally:
        cluster.start("regionserver-2")


@pytest.mark.usefixtures("small_pages")
def test_a_scan_goes_on_after_a_kill(cluster: Cluster, store: Store) -> None:
    parts = list(many(5))
    add(store, *parts)
    expected = Detections.concat(parts).sorted().table.to_pylist()

    def work() -> None:
        for _ in range(5):
            assert read(store).table.to_pylist() == expected

    while_running(work, lambda: cluster.kill("thrift"), lambda: cluster.start("thrift"))


def test_rows_of_a_run_that_was_left_are_swept(store: Store) -> None:
    found = random_detections(UTM, 30, 1)
    store.begin("run-a", ABOUT, [stored(UTM)])
    store.write(stored(UTM), found)
    assert store.compact(timedelta(0)).deleted == 0  # the run may go on
    store.remove("run-a")
    assert store.compact(timedelta(days=1)).deleted == 0
    assert store.compact(timedelta(0)).deleted > 0
    add(store, found)  # what was deleted does not hide what comes later
    assert read(store).table.to_pylist() == found.sorted().table.to_pylist()


def test_what_was_replaced_is_swept(store: Store) -> None:
    add(store, random_detections(UTM, 30, 1))
    other, changed = random_detections(UTM, 20, 2), stored(UTM, fingerprint="2")
    store.begin("run-a", ABOUT, [changed])
    store.commit("run-a", [store.write(changed, other)])
    assert store.compact(timedelta(0)).deleted > 0
    assert read(store).table.to_pylist() == other.sorted().table.to_pylist()


def test_wide_objects_and_such_outside_of_the_grid_are_found(store: Store) -> None:
    boxes = np.array([[500, 400, 9000, 10, 0.3], [-9e6, 400, 30, 10, 0.0], [500, 300, 20, 10, 0.0]])
    found = Detections.from_arrays(boxes, [0.9, 0.8, 0.7], [0, 1, 2], CLASSES, PIXELS, "run-a", run_info=ABOUT)
    add(store, found)
    for box in ((490, 290, 510, 310), (3000, 1000, 4000, 1300), (-1e7, 0, -1e6, 1e3)):
        query = Query(box=box)
        assert read(store, query).table.to_pylist() == found.filter(query).table.to_pylist()


def test_ids_of_others_stay(store: Store) -> None:
    found = random_detections(UTM, 5, 1)
    named = replace(found, table=found.table.set_column(0, found.table.schema.field(0), [[*"abcd", "run-a/x/ü"]]))
    add(store, named)
    assert read(store).table.to_pylist() == named.sorted().table.to_pylist()


def test_detections_come_to_their_age(cluster: Cluster) -> None:
    store = open_store(f"{cluster.addresses['hbase']}/{name()}?shards=1&ttl=1&compression=GZ", create=True)
    add(store, random_detections(UTM, 5, 1))
    while store.scenes():
        assert len(read(store)) in (0, 5)
    assert len(read(store)) == 0
    assert dict(store.count()) == {}


def test_a_large_part_comes_back(store: Store) -> None:
    work, data = store.workspace("run-a"), bytes(range(256)) * (40 << 10)
    work.put("part", data)
    assert work.get("part") == data
    work.put("part", b"")
    assert work.get("part") == b""
    with pytest.raises(StoreError, match="work=hdfs"):
        work.put("part", bytes(65 << 20))


def test_the_workspace_may_lie_in_hdfs(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    need("hdfs_native")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster.configuration))
    work = f"{cluster.addresses['hdfs']}/{name()}"
    address = f"{cluster.addresses['hbase']}/{name()}"
    open_store(f"{address}?shards=1&work={work}", create=True)
    part = open_store(address).workspace("run-a")
    part.put("a/part", b"1")
    assert (part.get("a/part"), part.names()) == (b"1", {"a/part"})


def test_hbase_that_is_down_is_told_in_a_line() -> None:
    with pytest.raises(StoreError, match=r"HBase at 127\.0\.0\.1:1 does not answer .*; check"):
        open_store("hbase://127.0.0.1:1/table")


def test_a_store_that_is_not_there_is_told(cluster: Cluster) -> None:
    with pytest.raises(StoreError, match="there is no store at"):
        open_store(f"{cluster.addresses['hbase']}/nothing")


@pytest.mark.parametrize(
    "wrong",
    ["hbase://h", "hbase:///t", "hbase://h/a/b", "hbase://h/t?shards=0", "hbase://h/t?ttl=x", "hbase://h/t?a=b"],
)
def test_wrong_addresses_are_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="hbase://"):
        open_hbase(wrong)
