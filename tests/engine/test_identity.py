"""How a run grows: the table of rules of `swathe.engine.identity`, row by row, and what lies around it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import swathe
from red_cells import write_red_cells
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.events import RunSummary
from swathe.engine.identity import take_stock
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import UsageError
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene
from swathe.store import open_store
from swathe.store.protocol import Store
from swathe.testing.fakes import BLANK_READER, read_log
from swathe.testing.scenes import SyntheticScene, scene_without_file


class Grower:
    """Runs over some of two scenes, and counts the windows looked at."""

    def __init__(self, truth: list[SyntheticScene], spec: DetectorSpec, store: Store, log: Path) -> None:
        self.north, self.south = (scene_without_file(scene) for scene in truth)
        self.spec, self.store, self.log = spec, store, log
        self.settings = RunSettings(tile=256, stride=192, workers=0)

    def plan(self, *scenes: Scene) -> Plan:
        return make_plan(scenes, self.settings, self.spec)

    def run(self, *scenes: Scene, name: str | None = None) -> tuple[RunSummary, set[str]]:
        """Return the summary, and the scenes that were looked at."""
        before = len(read_log(self.log))
        summary = run_plan(self.plan(*scenes), self.store, reader=BLANK_READER, name=name)
        return summary, {line.split("\t")[0] for line in read_log(self.log)[before:]}


@pytest.fixture
def grower(scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, log: Path) -> Grower:
    return Grower(scenes, spec, store, log)


def states(store: Store) -> dict[str, tuple[str, str]]:
    """State and address of each scene."""
    return {stored.scene.id: (stored.state, stored.scene.uri) for stored in store.scenes()}


def test_a_new_scene_is_looked_at(grower: Grower) -> None:
    first, looked_at = grower.run(grower.north)
    assert looked_at == {"north"}
    second, looked_at = grower.run(grower.north, grower.south)
    assert looked_at == {"south"}
    assert first.run == second.run
    assert second.scenes == ("north", "south")
    assert second.resumed_windows == first.windows
    (run,) = grower.store.runs()
    assert (run.complete, run.pending, run.failed) == (2, 0, 0)
    assert run.detections == second.detections


def test_a_scene_of_the_same_content_is_skipped(grower: Grower) -> None:
    first, _ = grower.run(grower.north, grower.south)
    again, looked_at = grower.run(grower.north)
    assert looked_at == set()
    assert again.scenes == ("north",)
    assert again.detections < first.detections
    assert again.resumed_windows == again.windows < first.windows


def test_a_file_that_was_moved_only_gets_its_new_address(grower: Grower) -> None:
    grower.run(grower.north)
    _, looked_at = grower.run(replace(grower.north, uri="/elsewhere/north.tif"))
    assert looked_at == set()
    assert states(grower.store) == {"north": ("complete", "/elsewhere/north.tif")}
    assert grower.store.runs()[0].detections > 0


def test_a_file_that_was_changed_is_looked_at_again_and_replaced(grower: Grower) -> None:
    first, _ = grower.run(grower.north, grower.south)
    changed = replace(grower.north, fingerprint=(1, 2))
    again, looked_at = grower.run(changed, grower.south)
    assert looked_at == {"north"}
    assert again.detections == first.detections
    assert grower.store.runs()[0].detections == first.detections, "nothing is there twice"


def test_another_file_of_the_same_name_is_refused_before_any_work(grower: Grower) -> None:
    grower.run(grower.north)
    before = states(grower.store), grower.store.runs()
    other = replace(grower.north, uri="/elsewhere/north.tif", fingerprint=(1, 2))
    with pytest.raises(UsageError) as caught:
        grower.run(other, grower.south)
    for part in (grower.north.uri, "/elsewhere/north.tif", "scene_prefix"):
        assert part in str(caught.value)
    assert (states(grower.store), grower.store.runs()) == before
    _, looked_at = grower.run(replace(other, id="new-north"), grower.south)
    assert looked_at >= {"south"}


@pytest.mark.parametrize(
    "change",
    [
        {"bands": (1,)},
        {"value_range": (0.0, 9.0)},
        {"crs": "EPSG:32645"},
        {"transform": (1.0, 0.0, 7.0, 0.0, -1.0, 9.0)},
        {"acquired": "2024-05-01T10:20:30Z"},
        {"fingerprint": (5, 5)},
    ],
)
def test_all_that_detections_depend_on_is_content(grower: Grower, change: dict[str, object]) -> None:
    plain, other = (grower.plan(scene).scenes[0] for scene in (grower.north, replace(grower.north, **change)))
    assert plain.fingerprint != other.fingerprint
    assert plain.key != other.key


def test_names_and_places_are_no_content(grower: Grower) -> None:
    plain, other = (grower.plan(scene).scenes[0] for scene in (grower.north, replace(grower.north, uri="/x", id="x")))
    assert plain.fingerprint == other.fingerprint
    assert plain.key != other.key


def test_a_file_keeps_its_name_when_another_of_this_name_is_added_elsewhere(grower: Grower) -> None:
    """Of a/scene.tif alone the name is "scene"; beside b/scene.tif it would be "a-scene"."""
    grower.run(grower.north)
    renamed = replace(grower.north, id="folder-north")
    summary, looked_at = grower.run(renamed, grower.south)
    assert looked_at == {"south"}
    assert summary.scenes == ("north", "south")


def test_what_nobody_needs_any_more_is_cleared_away(grower: Grower) -> None:
    plan = grower.plan(grower.north)
    workspace = grower.store.workspace(plan.run)
    old, new = plan.scenes[0], grower.plan(replace(grower.north, fingerprint=(1, 2))).scenes[0]
    for scene in (old, new):
        workspace.put(scene.part(next(scene.batches())), b"of this state of the file, and of one that is gone")
    assert {name.partition("/")[0] for name in take_stock(plan, grower.store).orphans} == {new.key}
    south = take_stock(grower.plan(grower.south), grower.store)
    grower.store.begin(plan.run, plan.about(), south.news)
    assert take_stock(plan, grower.store).orphans == (), "another process is at work"
    grower.run(grower.north, grower.south)
    grower.run(grower.north)
    assert workspace.names() == frozenset()


def test_a_run_can_be_named_at_any_time(grower: Grower) -> None:
    grower.run(grower.north)
    assert grower.store.runs()[0].name is None
    _, looked_at = grower.run(grower.north, name="spring")
    assert (looked_at, grower.store.runs()[0].name) == (set(), "spring")
    grower.run(grower.south)
    assert grower.store.runs()[0].name == "spring"


def test_files_that_a_run_knows_are_not_opened_to_add_one(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, output = tmp_path / "images", tmp_path / "found"
    folder.mkdir()
    for name in ("a", "b"):
        write_red_cells(folder / f"{name}.tif", width=128, height=128)
    opened: list[str] = []

    def noticed(path: str, **options: Any) -> Scene:
        opened.append(Path(path).stem)
        return open_scene(path, **options)

    def detect(**options: Any) -> int:
        opened.clear()
        return len(swathe.detect(folder, tiny_model, tile=128, workers=0, output=output, **options))

    monkeypatch.setattr("swathe.raster.opening.open_scene", noticed)
    first = detect()
    assert opened == ["a", "b"]
    write_red_cells(folder / "c.tif", width=128, height=128)
    assert detect() == first * 3 // 2
    assert opened == ["c"]
    (folder / "a.tif.aux.xml").write_text("<PAMDataset/>")
    os.utime(folder / "b.tif", ns=(0, 0))
    assert detect() == first * 3 // 2
    assert opened == ["a", "b"], "the georeference of one may have changed, the pixels of the other"
    detect(acquired="2024-05-01")
    assert opened == ["a", "b", "c"]
    assert open_store(output).runs()[0].complete == 3
