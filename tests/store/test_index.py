from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detection_samples import MERCATOR, PIXELS, UTM, random_detections
from swathe.detections import Detections
from swathe.query import Query, reference_filter
from swathe.store import folder
from swathe.store.detections_file import DetectionsFile
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.index import FileEntry, read_index, write_index

PARTS = [random_detections(UTM, 30, 1), random_detections(MERCATOR, 20, 2), random_detections(PIXELS, 10, 3)]
NEAR_UTM = Query(
    box=(*UTM.place(np.array([[900.0, 900.0]]), "lonlat")[0], *UTM.place(np.array([[1500.0, 100.0]]), "lonlat")[0])
)


@pytest.fixture
def store(tmp_path: Path) -> GeoParquetStore:
    store = GeoParquetStore.create(tmp_path / "store")
    for part in PARTS:
        (scene,) = part.scenes.values()
        store.publish_scene("run-a", part, scene)
    store.commit("run-a", {"detections": 60})
    return store


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that a store opens."""
    names: list[str] = []

    def opening(path: Path) -> DetectionsFile:
        names.append(path.name)
        return DetectionsFile(path)

    monkeypatch.setattr(folder, "DetectionsFile", opening)
    return names


def index_of(store: GeoParquetStore) -> Path:
    return store.path / "index" / "run%2Da.json"


def test_a_query_opens_only_files_that_may_hold_a_match(store, opened):
    found = store.scan(NEAR_UTM)
    assert opened == ["run%2Da-harbour.parquet"]
    assert len(found) > 0
    assert set(found.scenes) == {UTM.id, MERCATOR.id, PIXELS.id}  # those that were skipped are described too
    opened.clear()
    for query in (Query(min_score=2), Query(classes=["nowhere"]), Query(acquired=("2024-01-01", None))):
        assert len(store.scan(query)) == 0
    assert [published.detections for published in store.published()] == [10, 30, 20]
    assert opened == []


def test_a_file_is_opened_only_if_a_class_reaches_the_score(store, opened):
    scores = {entry.name: entry.class_scores for entry in store.files.entries()}
    for part in PARTS:
        (name,) = [store.scene_path("run-a", scene).name for scene in part.scenes]
        table = part.table.group_by("class").aggregate([("score", "max")])
        assert scores[name] == dict(zip(table["class"].to_pylist(), table["score_max"].to_pylist(), strict=True))
    for classes in (["ship"], ["plane"], ["ship", "plane"], ["nowhere"]):
        for least in (None, 0.5, 0.9, 0.97, 0.999):
            opened.clear()
            query = Query(classes=classes, min_score=least)
            assert store.scan(query).equals(reference_filter(Detections.concat(PARTS), query))
            reached = [
                name
                for name, own in scores.items()
                if any(score >= (least or 0) for key, score in own.items() if key in classes)
            ]
            assert opened == sorted(reached)


def test_an_index_without_scores_of_classes_is_believed_and_made_whole_by_the_next_write(store, opened):
    entries = [replace(entry, class_scores=None) for entry in store.files.entries()]
    write_index(index_of(store), entries)
    assert b"class_scores" not in index_of(store).read_bytes()
    query = Query(classes=["ship"], min_score=0.9)
    assert store.scan(query).equals(reference_filter(Detections.concat(PARTS), query))
    store.files.refresh_index("run-a")
    assert all(entry.class_scores is not None for entry in store.files.entries())


def test_the_answer_is_the_same_without_an_index(store, opened):
    expected = store.scan(NEAR_UTM)
    index_of(store).unlink()
    opened.clear()
    assert store.scan(NEAR_UTM).equals(expected)
    assert len(opened) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind":"index"}', b'{"kind":"index","schema_version":3}'])
def test_an_index_that_makes_no_sense_is_not_used(store, content):
    expected = store.scan(NEAR_UTM)
    index_of(store).write_bytes(content)
    assert store.scan(NEAR_UTM).equals(expected)
    index_of(store).write_bytes(b'{"kind":"index","schema_version":2,"files":[{"name":"run%2Da-harbour.parquet"}]}')
    assert store.scan(NEAR_UTM).equals(expected)


def test_an_index_whose_hulls_are_no_hulls_is_not_used(store):
    expected = store.scan(NEAR_UTM)
    text = index_of(store).read_text()
    assert '"bounds":[' in text
    index_of(store).write_text(text.replace('"bounds":[', '"bounds":[[],'))
    assert store.scan(NEAR_UTM).equals(expected)


def test_an_index_of_other_files_is_not_believed(store, tmp_path):
    expected = store.scan()
    other = GeoParquetStore.create(tmp_path / "other")
    for part in PARTS:
        (scene,) = part.scenes.values()
        other.publish_scene("run-a", part.take([]), scene)
    other.commit("run-a", {})
    os.replace(index_of(other), index_of(store))  # says that all files are empty
    assert store.scan().equals(expected)


def test_a_file_replaced_by_another_of_the_same_size_is_noticed(store):
    path = store.scene_path("run-a", UTM.id)
    size = path.stat().st_size
    other = replace(PARTS[0], runs={"run-a": {"model": "x", "n": [1]}})
    store.publish_scene("run-a", other, UTM)
    assert path.stat().st_size == size
    assert not read_index(index_of(store))[path.name].seal.is_on(path)
    assert store.scan(Query(scenes=[UTM.id])).equals(other.sorted())


def test_an_index_comes_back_as_it_was_written(store, tmp_path):
    paths = sorted((store.path / "detections").iterdir())
    entries = [FileEntry.of(DetectionsFile(path), by_class=True) for path in paths]
    write_index(tmp_path / "a.json", entries)
    write_index(tmp_path / "b.json", entries[::-1])
    assert read_index(tmp_path / "a.json") == {entry.name: entry for entry in entries}
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes() == index_of(store).read_bytes()
    assert json.loads(index_of(store).read_text())["files"][1]["rows"] == 30
    for entry, path in zip(entries, paths, strict=True):
        assert entry.seal.is_on(path)
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole + b"x", b"", whole[: entry.seal.size - entry.seal.footer - 1] + b"x" * 100):
            path.write_bytes(damaged)
            assert not entry.seal.is_on(path)
        path.unlink()
        assert not entry.seal.is_on(path)
