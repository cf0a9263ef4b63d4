"""Stores grow: ten thousand scenes and one more, and two processes that add scenes to one store at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.detections import Detections
from swathe.query import Query
from swathe.store import open_store, read
from swathe.store.lake import MOST_ROWS
from swathe.testing.suites.samples import PIXELS, random_detections
from swathe.testing.suites.store import ABOUT, stored

SCENES = int(os.environ.get("SWATHE_MANY_SCENES", "2500"))  # 10000 for the full measure
TIMES = int(os.environ.get("SWATHE_BOTH_TIMES", "5"))  # 50 for the full measure
WRITER = """
import sys
from dataclasses import replace
from swathe.store import open_store
from swathe.testing.suites.samples import PIXELS, random_detections
from swathe.testing.suites.store import ABOUT, stored
store, name, times = open_store(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(times):
    scene = stored(replace(PIXELS, id=f"{name}-{number}"))
    store.begin("run-a", ABOUT, [scene])
    store.commit("run-a", [store.write(scene, random_detections(scene.scene, 5, number))])
"""


def test_one_more_scene_costs_what_one_scene_costs(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    scenes = [
        stored(replace(PIXELS, id=f"scene {number:05}", uri=f"/data/{number:05}.tif")) for number in range(SCENES)
    ]
    store.begin("run-a", ABOUT, scenes)
    one = store.write(scenes[0], Detections.empty(["ship"]))
    store.commit("run-a", [replace(one, scene=replace(one.scene, scene=scene.scene)) for scene in scenes])
    before = {path.name for path in tmp_path.glob("store/scenes/*.parquet")}
    more = stored(replace(PIXELS, id="one more"))
    again = open_store(tmp_path / "store")
    again.begin("run-a", ABOUT, [more])
    again.commit("run-a", [again.write(more, random_detections(more.scene, 5, 1))])
    fresh = [path for path in tmp_path.glob("store/scenes/*.parquet") if path.name not in before]
    assert sum(path.stat().st_size for path in fresh) < 100_000, "rows of other scenes are not written anew"
    assert [(run.complete, run.pending, run.detections) for run in again.runs()] == [(SCENES + 1, 0, 5)]
    assert len(read(again, Query(scenes=("one more",)))) == 5
    assert len(before) >= SCENES // MOST_ROWS


@pytest.mark.parametrize("place", ["disk", "s3"])
def test_two_processes_add_scenes_at_once(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = str(tmp_path / "store") if place == "disk" else f"{request.getfixturevalue('bucket')}/both"
    store = open_store(address, create=True)
    words = [sys.executable, "-c", WRITER, address]
    writers = [subprocess.Popen([*words, name, str(TIMES)]) for name in ("north", "south")]
    assert [writer.wait() for writer in writers] == [0, 0]
    expected = [f"{name}-{number}" for name in ("north", "south") for number in range(TIMES)]
    assert sorted(one.scene.id for one in store.scenes()) == sorted(expected)
    assert {one.state for one in store.scenes()} == {"complete"}
    found = read(store)
    assert len(found) == len(set(found.table.column("id").to_pylist())) == 5 * len(expected)
    assert [run.complete for run in store.runs()] == [len(expected)]
