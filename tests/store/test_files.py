from __future__ import annotations

from dataclasses import replace

import pytest

from swathe.detections import Detections
from swathe.errors import StoreError, UsageError
from swathe.query import Query
from swathe.store import open_store, read
from swathe.testing.suites.samples import MERCATOR, PIXELS, UTM, keyed, random_detections


@pytest.fixture
def found() -> Detections:
    empty = Detections.from_arrays([], [], [], ["other"], MERCATOR, "run-b")
    return Detections.concat([random_detections(UTM, 30, 1), random_detections(UTM, 10, 2, run="run-b"), empty])


@pytest.mark.parametrize("name", ["found.parquet", "found.geoparquet", "found"])
def test_what_is_saved_is_opened_again(found, tmp_path, name):
    path = found.save(tmp_path / name)
    assert path == tmp_path / name
    assert Detections.open(str(path)).equals(found.sorted())
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_saved_store_can_be_queried_by_scene_and_run(found, tmp_path):
    mixed = Detections.concat([found, random_detections(PIXELS, 5, 3)])
    store = open_store(mixed.save(tmp_path / "store"))
    assert {run.id for run in store.runs()} == {"run-a", "run-b"}
    assert len(read(store, Query(runs=["run-b"], scenes=[UTM.id]))) == 10
    assert read(store).table.to_pylist() == mixed.sorted().table.to_pylist()


def test_one_file_cannot_hold_both_kinds_of_coordinates(found, tmp_path):
    mixed = Detections.concat([found, random_detections(PIXELS, 5, 3)])
    for name in ("a.parquet", "a.geojson"):
        with pytest.raises(UsageError, match="choose scenes of one kind"):
            mixed.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["found.parquet", "found.geojson", "found"])
def test_nothing_is_overwritten_unasked(found, tmp_path, name):
    path = found.save(tmp_path / name)
    with pytest.raises(StoreError, match="exists already"):
        found.save(path)
    less = found.filter(Query(runs=["run-b"]))
    less.save(path, overwrite=True)
    if name != "found.geojson":
        assert len(Detections.open(path)) == 10


def test_a_folder_that_is_no_store_is_never_replaced(found, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("x")
    with pytest.raises(StoreError, match="not a store of Swathe"):
        found.save(tmp_path / "mine", overwrite=True)
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        found.save(tmp_path / "a.parquet", overwrite=True)
    assert (tmp_path / "mine" / "a.txt").read_text() == "x"


def test_opening_what_is_not_there_or_not_ours(tmp_path):
    with pytest.raises(StoreError, match="there is no store at"):
        Detections.open(tmp_path / "nothing")
    with pytest.raises(StoreError, match="does not exist"):
        Detections.open(tmp_path / "nothing.parquet")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(StoreError, match="not a store"):
        Detections.open(tmp_path)
    with pytest.raises(StoreError, match=r"a\.txt cannot be read"):
        Detections.open(tmp_path / "a.txt")


def test_no_detections_at_all(tmp_path):
    Detections.empty().save(tmp_path / "store")
    assert Detections.open(tmp_path / "store").equals(Detections.empty())
    nothing = Detections.empty(["a"], keyed(UTM))
    assert Detections.open(nothing.save(tmp_path / "a.parquet")).equals(nothing)


def test_a_store_whose_description_is_not_json_stays_empty(found, tmp_path):
    unwritable = replace(found, runs={"run-a": {"model": {1, 2}}, "run-b": {}})
    with pytest.raises(UsageError, match="JSON"):
        unwritable.save(tmp_path / "store")
    assert len(Detections.open(tmp_path / "store")) == 0
