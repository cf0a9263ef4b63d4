"""A mended or added scene is another run, which need not look at the others again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.api import open_output
from swathe.detectors.protocol import DetectorSpec
from swathe.engine import succession
from swathe.engine.events import BatchFinished, ProgressEvent, RunSummary
from swathe.engine.local import SerialExecutor
from swathe.engine.plan import make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import StoreError
from swathe.query import Query
from swathe.raster.scene import Scene
from swathe.store.geoparquet import GeoParquetStore
from swathe.testing.fakes import BLANK_READER, BROKEN_READER, read_log, write_script
from swathe.testing.scenes import SyntheticScene, scene_without_file


@pytest.fixture
def store(tmp_path: Path) -> GeoParquetStore:
    """An empty store."""
    return GeoParquetStore.create(tmp_path / "store")


@pytest.fixture
def described(scenes: list[SyntheticScene]) -> list[Scene]:
    """North and south, as files would be described."""
    return [scene_without_file(scene) for scene in scenes]


class Runs:
    """Runs of one detector with one choice of settings."""

    def __init__(self, spec: DetectorSpec, settings: RunSettings, log: Path) -> None:
        self.spec, self._settings, self._log = spec, settings, log
        self.looked_at: list[str] = []  # scene of each window of the last run

    def __call__(
        self, store: GeoParquetStore, scenes: Sequence[Scene], *, reader: str = BLANK_READER, supersede: bool = True
    ) -> RunSummary:
        plan, before = make_plan(scenes, self._settings, self.spec), len(read_log(self._log))
        summary = run_plan(plan, store, reader=reader, supersede=supersede)
        self.looked_at = [line.split("\t")[0] for line in read_log(self._log)[before:]]
        return summary


@pytest.fixture
def detect(spec: DetectorSpec, settings: RunSettings, log: Path) -> Runs:
    """Runs over other scenes, but with the same detector and settings."""
    return Runs(spec, settings, log)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(scene: Scene) -> Scene:
    return replace(scene, fingerprint=(scene.fingerprint[0] + 1, scene.fingerprint[1]))


def test_an_added_scene_is_all_that_is_looked_at(
    tmp_path: Path, store: GeoParquetStore, described: list[Scene], detect: Runs
) -> None:
    detect(store, described[:1])
    summary = detect(store, described)
    assert set(detect.looked_at) == {"south"}
    fresh = GeoParquetStore.create(tmp_path / "fresh")
    expected = detect(fresh, described)
    assert summary.resumed_windows + len([name for name in detect.looked_at if name == "south"]) == summary.windows
    assert replace(summary, seconds=0, resumed_windows=0, files=()) == replace(expected, seconds=0, files=())
    assert content(store.path) == content(fresh.path), "as if all had been done at once, the earlier run is gone"


def test_a_mended_scene_is_all_that_is_looked_at(
    tmp_path: Path, store: GeoParquetStore, scenes: list[SyntheticScene], settings: RunSettings, log: Path
) -> None:
    scenes = [scenes[0], replace(scenes[1], id="broken-south")]
    described = [scene_without_file(scene) for scene in scenes]
    detect = Runs(write_script(scenes, tmp_path / "script.json", clip="own", log=log), settings, log)
    assert list(detect(store, described, reader=BROKEN_READER).failed) == ["broken-south"]
    assert len(store.unfinished_runs()) == 1
    mended = [described[0], changed(described[1])]
    assert detect(store, mended).failed == {}
    assert set(detect.looked_at) == {"broken-south"}
    fresh = GeoParquetStore.create(tmp_path / "fresh")
    detect(fresh, mended)
    assert content(store.path) == content(fresh.path), "nothing is left of the run that failed"


def test_a_scene_that_is_still_broken_does_not_double_the_others(
    tmp_path: Path, store: GeoParquetStore, scenes: list[SyntheticScene], settings: RunSettings, log: Path
) -> None:
    scenes = [scenes[0], replace(scenes[1], id="broken-south")]
    described = [scene_without_file(scene) for scene in scenes]
    detect = Runs(write_script(scenes, tmp_path / "script.json", clip="own", log=log), settings, log)
    detect(store, described, reader=BROKEN_READER)
    again = detect(store, [described[0], changed(described[1])], reader=BROKEN_READER)
    assert store.runs() == store.unfinished_runs() == (again.run,)
    assert detect.looked_at == []


def test_a_broken_scene_may_be_deleted(
    tmp_path: Path, store: GeoParquetStore, scenes: list[SyntheticScene], settings: RunSettings, log: Path
) -> None:
    scenes = [scenes[0], replace(scenes[1], id="broken-south")]
    described = [scene_without_file(scene) for scene in scenes]
    detect = Runs(write_script(scenes, tmp_path / "script.json", clip="own", log=log), settings, log)
    detect(store, described, reader=BROKEN_READER)
    rest = make_plan(described[:1], settings, detect.spec)
    assert open_output(store.path, rest).path == store.path, "nobody is asked for --append"
    assert detect(store, described[:1]).failed == {}
    assert detect.looked_at == []
    fresh = GeoParquetStore.create(tmp_path / "fresh")
    detect(fresh, described[:1])
    assert content(store.path) == content(fresh.path), "nothing is left of the run that failed"


@pytest.mark.parametrize("ended_in", ["north", "south"])
def test_work_of_a_run_that_was_ended_is_kept_unless_it_is_done_elsewhere(
    ended_in: str, store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    def end(event: ProgressEvent) -> None:
        if isinstance(event, BatchFinished) and event.scene == ended_in:
            raise KeyboardInterrupt

    both, north = (make_plan(some, settings, detect.spec) for some in (described, described[:1]))
    with pytest.raises(KeyboardInterrupt):
        run_plan(both, store, executor=SerialExecutor(), reader=BLANK_READER, progress=end)
    assert store.unfinished_runs() == (both.run,)
    if ended_in == "south":
        with pytest.raises(StoreError, match="--append"):
            open_output(store.path, north)
    else:
        open_output(store.path, north)
    detect(store, described[:1])
    left = {north.run, both.run} if ended_in == "south" else {north.run}
    assert {*store.runs(), *store.unfinished_runs()} == left


def test_a_run_whose_only_scene_fails_leaves_nothing(
    tmp_path: Path, store: GeoParquetStore, scenes: list[SyntheticScene], settings: RunSettings, log: Path
) -> None:
    scenes = [replace(scenes[0], id="broken")]
    empty = content(store.path)
    detect = Runs(write_script(scenes, tmp_path / "script.json", clip="own", log=log), settings, log)
    assert list(detect(store, [scene_without_file(scenes[0])], reader=BROKEN_READER).failed) == ["broken"]
    assert store.unfinished_runs() == ()
    assert content(store.path) == empty


def test_the_earlier_run_stays_if_that_is_wanted(store: GeoParquetStore, described: list[Scene], detect: Runs) -> None:
    first = detect(store, described[:1])
    second = detect(store, described, supersede=False)
    assert set(detect.looked_at) == {"south"}
    assert set(store.runs()) == {first.run, second.run}
    north = [store.scan(Query(runs=(run,), scenes=("north",))) for run in (first.run, second.run)]
    assert north[0].boxes.tolist() == north[1].boxes.tolist()


@pytest.mark.parametrize("other", ["changed", "fewer", "settings"])
def test_what_would_be_lost_is_kept(
    other: str, store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings, spec: DetectorSpec
) -> None:
    first = detect(store, described)
    if other == "settings":
        run_plan(make_plan(described, replace(settings, merge_iou=0.3), spec), store, reader=BLANK_READER)
    elif other == "changed":
        detect(store, [described[0], changed(described[1])])
        assert set(detect.looked_at) == {"south"}
    else:
        detect(store, described[:1])
        assert detect.looked_at == []
    assert len(store.runs()) == 2
    assert len(store.scan(Query(runs=(first.run,)))) == first.detections


def test_a_removal_that_was_killed_is_made_up_for(
    store: GeoParquetStore, described: list[Scene], detect: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = detect(store, described[:1])
    with monkeypatch.context() as patch:
        patch.setattr("swathe.engine.run.remove_succeeded", lambda _: None)
        second = detect(store, described)
    assert set(store.runs()) == {first.run, second.run}
    # As if it had got as far as the manifest.
    (store.path / "runs" / f"{first.run}.json").unlink()
    detect(store, described)
    assert store.runs() == (second.run,)
    assert store.unfinished_runs() == ()


def test_a_successor_that_lacks_scenes_removes_nothing(
    store: GeoParquetStore, described: list[Scene], detect: Runs
) -> None:
    first, second = detect(store, described), detect(store, described[:1], supersede=False)
    folder = store.work_folder(first.run)
    folder.mkdir(parents=True)
    (folder / succession.SUCCESSOR_NAME).write_text(json.dumps({"run": second.run}))
    succession.remove_succeeded(store)
    assert set(store.runs()) == {first.run, second.run}
