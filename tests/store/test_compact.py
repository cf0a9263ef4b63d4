from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere import killed_at
from swathe.detections import Detections
from swathe.errors import StoreError, UsageError
from swathe.query import Query
from swathe.store import folder, swap
from swathe.store.compact import plan_merges
from swathe.store.geoparquet import MARK, GeoParquetStore
from swathe.store.index import FileEntry
from swathe.store.old_file import DetectionsFile
from swathe.store.schema import FileHead
from swathe.store.seal import Seal
from swathe.testing.suites.samples import PIXELS, UTM, keyed, random_detections

SCENES = [replace(scene, id=f"{scene.id}{number}") for scene in (UTM, PIXELS) for number in range(2)]
PARTS = [random_detections(scene, 5 + number, number) for number, scene in enumerate(SCENES)]
EVERYTHING = Detections.concat(PARTS)
COUNTS = {part.table["scene"][0].as_py(): len(part) for part in PARTS}


def fill(path: Path) -> GeoParquetStore:
    store = GeoParquetStore.create(path)
    for part, scene in zip(PARTS, SCENES, strict=True):
        store.publish_scene("run-a", part, scene)
    store.commit("run-a", {"scenes": [scene.id for scene in SCENES], "detections": len(EVERYTHING)})
    store.publish_scene("run-b", random_detections(UTM, 4, 9, run="run-b"), UTM)
    return store


@pytest.fixture
def store(tmp_path: Path) -> GeoParquetStore:
    return fill(tmp_path / "store")


def rows(store: GeoParquetStore, **conditions: object) -> list[dict[str, object]]:
    return store.scan(Query(runs=("run-a",), **conditions)).table.to_pylist()


def files(store: GeoParquetStore) -> list[str]:
    return sorted(path.name for path in (store.path / "detections").iterdir())


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_merged_files_hold_the_same(store):
    before = store.scan(Query(runs=("run-a",))), store.published(), store.runs(), store.scenes("run-a")
    assert store.compact("run-a") == 2  # one file on the ground, one of pixels
    assert len(files(store)) == 3
    after = store.scan(Query(runs=("run-a",))), store.published(), store.runs(), store.scenes("run-a")
    assert after[1:] == before[1:]
    assert after[0].table.to_pylist() == before[0].table.to_pylist()
    assert dict(after[0].scenes) == dict(before[0].scenes)
    for scene in SCENES:
        assert store.scene_path("run-a", scene.id).name in files(store)
        assert len(rows(store, scenes=[scene.id])) == COUNTS[scene.id]
    assert store.unfinished_runs() == ("run-b",)
    assert store.compact("run-a") == 0
    assert [path.name for path in store.path.iterdir() if path.name.endswith(".tmp")] == []
    with pytest.raises(UsageError, match="not finished"):
        store.compact("run-b")


def test_merging_gives_the_same_bytes_whatever_was_merged_before(tmp_path):
    one, other = fill(tmp_path / "one"), fill(tmp_path / "other")
    for store in (one, other):
        store.compact("run-a")
    assert everything_below(one.path) == everything_below(other.path)


def test_a_scene_of_a_merged_file_is_published_again_and_removed(store):
    store.compact("run-a")
    again = random_detections(SCENES[0], 11, 77)
    path = store.publish_scene("run-a", again, SCENES[0])
    assert path == store.scene_path("run-a", SCENES[0].id)
    assert store.scan(Query(runs=["run-a"], scenes=[SCENES[0].id])).equals(again.sorted())
    assert len(rows(store)) == len(EVERYTHING) - len(PARTS[0]) + 11
    for scene in SCENES[:3]:
        store.remove_scene("run-a", scene.id)
        assert rows(store, scenes=[scene.id]) == []
    assert rows(store) == PARTS[3].sorted().table.to_pylist()
    manifest = store.manifest("run-a")
    assert manifest["scenes"] == [SCENES[3].id]
    assert manifest["removed"] == sorted(scene.id for scene in SCENES[:3])
    store.remove_scene("run-a", SCENES[3].id)
    assert store.runs() == ("run-b",)
    with pytest.raises(UsageError, match="has no scene"):
        store.remove_scene("run-a", SCENES[3].id)


def kill_everywhere(store: GeoParquetStore, deed: Callable[[Any], object]) -> Iterator[int]:
    """Kill something at each of its steps, each time on a fresh copy, and hand what is left to a check."""
    fresh, number = store.path.with_name("fresh"), 0
    shutil.copytree(store.path, fresh)
    while True:
        number += 1
        shutil.rmtree(store.path)
        shutil.copytree(fresh, store.path)
        if not killed_at(number, deed, store):
            return
        yield number


def test_a_merge_killed_at_any_step_leaves_a_store_that_reads_the_same(store):
    expected, whole, steps = rows(store), None, 0
    for steps in kill_everywhere(store, methodcaller("compact", "run-a")):
        assert rows(store) == expected, steps
        assert store.manifest("run-a") is not None
        visible = [name for name in files(store) if not name.startswith(".")]
        assert len(visible) in (5, 4, 3)  # before, after the first group, after the second
        store.compact("run-a")
        assert rows(store) == expected
        whole = whole or everything_below(store.path)
        assert everything_below(store.path) == whole
    assert steps > 15


def test_a_removal_killed_at_any_step_shows_all_scenes_or_none(store):
    expected = rows(store)
    seen, whole, steps = set(), None, 0
    for steps in kill_everywhere(store, methodcaller("remove_run", "run-a")):
        found = rows(store)
        assert found in (expected, []), steps
        seen.add(len(found))
        assert found or store.manifest("run-a") is None  # nothing counts as finished that has lost scenes
        store.remove_run("run-a")
        assert rows(store) == []
        whole = whole or everything_below(store.path)
        assert everything_below(store.path) == whole
    assert seen == {0, len(expected)}
    assert steps > 5


def test_a_scene_removed_from_a_merged_file_goes_alone_even_if_killed(store):
    store.compact("run-a")
    gone = SCENES[1].id
    rest = [row for row in rows(store) if row["scene"] != gone]
    for _ in kill_everywhere(store, methodcaller("remove_scene", "run-a", gone)):
        found = rows(store)
        assert [row for row in found if row["scene"] != gone] == rest
        assert len(found) in (len(rest), len(EVERYTHING))
        if found != rest:
            store.remove_scene("run-a", gone)
        assert rows(store) == rest
        assert gone not in store.manifest("run-a")["scenes"]


def test_readers_always_find_everything_while_files_are_merged_and_split(store):
    expected, wrong, ended = rows(store), [], threading.Event()

    def read() -> None:
        while not ended.is_set():
            wrong.extend(["other rows"] * (rows(store) != expected))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(4):
            store.compact("run-a")
            store.publish_scene("run-a", PARTS[number], SCENES[number])
    finally:
        ended.set()
        reader.join()
    assert wrong == []


def test_a_listing_that_began_before_files_were_merged_begins_anew(store, monkeypatch):
    expected, listings = rows(store), []

    def late(handle: int) -> list[str]:
        listings.append(handle)
        if len(listings) == 1:
            store.compact("run-a")  # the folder that `handle` stands for is emptied before it is read
        return listdir(handle)

    listdir = os.listdir
    monkeypatch.setattr(swap.os, "listdir", late)
    assert rows(store) == expected
    assert len(listings) > 1


def test_a_reader_that_others_overtake_again_and_again_makes_them_wait(store, monkeypatch):
    waiting = []

    def overtaken(path: Path) -> DetectionsFile:
        with (store.path / MARK).open("rb") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting.append(True)
                return DetectionsFile(path)
        waiting.append(False)
        return DetectionsFile(path.with_name("gone.parquet"))

    expected = rows(store)
    monkeypatch.setattr(folder, "DetectionsFile", overtaken)
    assert rows(store) == expected
    assert waiting == sorted(waiting)
    assert waiting.count(True) == len(SCENES)
    assert waiting.count(False) > 1


def test_where_folders_cannot_be_exchanged_nothing_is_merged_and_runs_are_still_removed(store, monkeypatch):
    def unable(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(swap, "exchange", unable)
    before = everything_below(store.path / "detections")
    with pytest.raises(StoreError, match="cannot exchange two folders"):
        store.compact("run-a")
    assert everything_below(store.path / "detections") == before
    store.remove_run("run-a")
    assert store.runs() == ("run-b",)


@given(st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=30))
def test_the_plan_of_merges_is_stable(files):
    entries = [
        FileEntry(
            f"f{number:02d}",
            Seal(1, 1, "00"),
            count,
            (number % 7, number % 5, number % 7 + 1, number % 5 + 1) if count else None,
            0.5 if count else None,
            FileHead(keyed(UTM if on_ground else PIXELS), (), {}, ()),
        )
        for number, (count, on_ground) in enumerate(files)
    ]
    groups = plan_merges(entries, 100)
    assert plan_merges(entries[::-1], 100) == groups
    for group in groups:
        assert len(group) > 1
        assert sum(entry.rows for entry in group) <= 100
        assert len({entry.head.georeferenced for entry in group}) == 1
    merged = {entry.name for group in groups for entry in group}
    rest = [entry for entry in entries if entry.name not in merged]
    sums = [replace(group[0], rows=sum(entry.rows for entry in group)) for group in groups]
    assert plan_merges(rest + sums, 100) == []
