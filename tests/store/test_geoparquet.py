from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import geopandas
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.errors import StoreError, UsageError
from swathe.query import Query
from swathe.store.geoparquet import GeoParquetStore, is_store
from swathe.store.layout import file_name
from swathe.testing.suites.samples import MERCATOR, PIXELS, UTM, random_detections


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> GeoParquetStore:
    return GeoParquetStore.create(tmp_path / "store")


def test_the_layout_on_disk(store):
    path = store.publish_scene("run-a", random_detections(PIXELS, 3, 1), PIXELS)
    store.publish_scene("run-a", random_detections(MERCATOR, 3, 1), MERCATOR)
    store.commit("run-a", {"windows": 1})
    assert path == store.path / "detections" / "run%2Da-%2E.%2Fphoto%3F%2A%5C%201.parquet"
    assert set(everything_below(store.path)) == {
        "swathe-store.json",
        "runs/run%2Da.json",
        "index/run%2Da.json",
        f"detections/{path.name}",
        "detections/run%2Da-बनेपा%201.parquet",
    }
    assert json.loads((store.path / "swathe-store.json").read_text()) == {"kind": "geoparquet", "schema_version": 3}


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.tuples(names, names), st.tuples(names, names))
def test_file_names_are_safe_and_tell_all_ids_apart(one, other):
    first, second = file_name(*one), file_name(*other)
    assert (first == second) == (one == other)
    assert "/" not in first
    assert "\0" not in first
    assert not first.startswith(".")


def test_file_names_stay_within_what_file_systems_take():
    long = ["घर" * 300, "घर" * 300 + "a", "a" * 1000, "a" * 101, "/" * 90]
    found = [file_name("r" * 100, scene) for scene in long]
    assert len(set(found)) == len(long)
    assert all(len(name.encode()) <= 255 for name in found)
    for run in ("", "r" * 101):
        with pytest.raises(UsageError, match="1 to 100 bytes"):
            file_name(run, "a")


def test_a_scene_of_a_very_long_name_is_found_again(store):
    scene = replace(UTM, id="घर/" * 200)
    found = random_detections(scene, 4, 1)
    store.publish_scene("run-a", found, scene)
    assert store.scan(Query(scenes=[scene.id])).equals(found.sorted())


def test_work_folders_stay_inside_the_store(store):
    for run in ("..", ".", "a/b", "/etc"):
        assert store.work_folder(run).parent == store.path / ".work"
    store.work_folder("..").mkdir(parents=True)
    assert store.unfinished_runs() == ("..",)
    store.discard_work("..")
    assert store.unfinished_runs() == ()
    assert is_store(store.path)


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_crash_while_publishing_leaves_nothing_visible(store, monkeypatch, broken):
    before = everything_below(store.path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        with pytest.raises(StoreError, match="No space left"):
            store.publish_scene("run-a", random_detections(UTM, 30, 1), UTM)
        with pytest.raises(StoreError, match="No space left"):
            store.commit("run-a", {"windows": 1})
    assert everything_below(store.path) == before
    assert store.scenes() == store.runs() == ()


def test_a_failed_replacement_leaves_the_old_scene(store, monkeypatch):
    found = random_detections(UTM, 30, 1)
    store.publish_scene("run-a", found, UTM)
    with monkeypatch.context() as patch:
        patch.setattr("swathe.store.folder.write_detections", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.publish_scene("run-a", found.take([1]), UTM)
    assert store.scan().equals(found.sorted())


def test_what_a_killed_process_left_is_not_seen_and_swept_at_the_commit(store):
    leftover = store.path / "detections" / ".run%2Da-harbour.parquet.0123456789ab.tmp"
    leftover.write_bytes(b"half a file")
    of_another_run = store.path / "detections" / ".other-harbour.parquet.0123456789ab.tmp"
    of_another_run.write_bytes(b"half a file")
    assert store.scenes() == ()
    store.publish_scene("run-a", random_detections(UTM, 3, 1), UTM)
    assert len(store.scan()) == 3
    store.commit("run-a", {})
    assert not leftover.exists()
    assert of_another_run.exists()


def test_publishing_twice_gives_the_same_bytes(tmp_path):
    contents = []
    for name in ("one", "two"):
        store = GeoParquetStore.create(tmp_path / name)
        for scene in (UTM, PIXELS):
            store.publish_scene("run-a", random_detections(scene, 30, 1), scene)
        store.commit("run-a", {"b": 1, "a": {"z": 1, "y": 2}})
        contents.append(everything_below(store.path))
    assert contents[0] == contents[1]


def test_others_read_the_folder_of_detections(store):
    for scene in (UTM, MERCATOR):
        store.publish_scene("run-a", random_detections(scene, 30, 1), scene)
    (store.path / "detections" / ".run%2Da-x.parquet.0123456789ab.tmp").write_bytes(b"half a file")
    frame = geopandas.read_parquet(store.path / "detections")
    assert len(frame) == 60
    assert frame.crs.to_string() == "OGC:CRS84"
    assert set(frame["scene"]) == {UTM.id, MERCATOR.id}
    dataset = ds.dataset(store.path / "detections")
    assert dataset.count_rows(filter=ds.field("bbox", "xmin") > 90) == 0
    assert dataset.count_rows(filter=ds.field("scene") == UTM.id) == 30


def test_create_refuses_what_exists_and_replaces_stores_only(store, tmp_path):
    store.publish_scene("run-a", random_detections(UTM, 3, 1), UTM)
    with pytest.raises(StoreError, match="exists already"):
        GeoParquetStore.create(store.path)
    assert len(store.scan()) == 3
    assert len(GeoParquetStore.create(store.path, overwrite=True).scan()) == 0
    mine = tmp_path / "mine"
    mine.mkdir()
    assert is_store(GeoParquetStore.create(mine).path)  # an empty folder will do
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="exists already"):
            GeoParquetStore.create(precious, overwrite=overwrite)
        with pytest.raises(StoreError, match="exists already"):
            GeoParquetStore.create(precious / "thesis.tex", overwrite=overwrite)
    assert (precious / "thesis.tex").read_text() == "x"
    with pytest.raises(StoreError, match="cannot be written"):
        GeoParquetStore.create(tmp_path / "no" / "such" / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "precious", "store"]


def test_what_is_no_store_is_refused(store, tmp_path):
    with pytest.raises(StoreError, match="there is no store"):
        GeoParquetStore(tmp_path / "nothing")
    with pytest.raises(StoreError, match="is not a store"):
        GeoParquetStore(tmp_path)
    mark = store.path / "swathe-store.json"
    for content, message in (
        (b'{"kind":"geoparquet","schema_version":9}', "version 9"),
        (b'{"kind":"hbase","schema_version":1}', "'hbase'"),
        (b"{", "damaged"),
        (b"[]", "damaged"),
    ):
        mark.write_bytes(content)
        with pytest.raises(StoreError, match=message):
            GeoParquetStore(store.path)
    mark.write_bytes(b'{"kind":"geoparquet","schema_version":3}')
    (store.path / "runs").rmdir()
    with pytest.raises(StoreError, match="folder runs is missing"):
        GeoParquetStore(store.path)


def test_damaged_files_in_the_store_are_named(store):
    path = store.publish_scene("run-a", random_detections(UTM, 3, 1), UTM)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"run%2Da-harbour\.parquet is no whole Parquet file"):
        store.scan()
    with pytest.raises(StoreError, match=r"run%2Da-harbour\.parquet is no whole Parquet file"):
        store.commit("run-a", {})
    (store.path / "runs" / "run%2Da.json").write_text("{")
    with pytest.raises(StoreError, match=r"run%2Da\.json is damaged"):
        store.manifest("run-a")
