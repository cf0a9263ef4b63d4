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
from swathe.engine.ledger import Ledger
from swathe.engine.local import SerialExecutor
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import StoreError
from swathe.query import Query
from swathe.raster.scene import Scene
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.lock import run_lock
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


@pytest.fixture
def half_broken(
    tmp_path: Path, scenes: list[SyntheticScene], settings: RunSettings, log: Path
) -> tuple[list[Scene], Runs]:
    """North and a south that `BROKEN_READER` fails at, and runs of a detector that knows both."""
    scenes = [scenes[0], replace(scenes[1], id="broken-south")]
    spec = write_script(scenes, tmp_path / "script.json", clip="own", log=log)
    return [scene_without_file(scene) for scene in scenes], Runs(spec, settings, log)


def interrupted(store: GeoParquetStore, plan: Plan, scene: str) -> None:
    """Carry out a plan until the first batch of a scene is finished."""

    def end(event: ProgressEvent) -> None:
        if isinstance(event, BatchFinished) and event.scene == scene:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, store, executor=SerialExecutor(), reader=BLANK_READER, progress=end)


def all_runs(store: GeoParquetStore) -> set[str]:
    return {*store.runs(), *store.unfinished_runs()}


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
    tmp_path: Path, store: GeoParquetStore, half_broken: tuple[list[Scene], Runs]
) -> None:
    described, detect = half_broken
    assert list(detect(store, described, reader=BROKEN_READER).failed) == ["broken-south"]
    assert len(store.unfinished_runs()) == 1
    mended = [described[0], changed(described[1])]
    assert detect(store, mended).failed == {}
    assert set(detect.looked_at) == {"broken-south"}
    fresh = GeoParquetStore.create(tmp_path / "fresh")
    detect(fresh, mended)
    assert content(store.path) == content(fresh.path), "nothing is left of the run that failed"


def test_a_scene_that_is_still_broken_does_not_double_the_others(
    store: GeoParquetStore, half_broken: tuple[list[Scene], Runs]
) -> None:
    described, detect = half_broken
    detect(store, described, reader=BROKEN_READER)
    again = detect(store, [described[0], changed(described[1])], reader=BROKEN_READER)
    assert store.runs() == store.unfinished_runs() == (again.run,)
    assert detect.looked_at == []


def test_a_broken_scene_may_be_deleted(
    tmp_path: Path, store: GeoParquetStore, half_broken: tuple[list[Scene], Runs], settings: RunSettings
) -> None:
    described, detect = half_broken
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
    both, north = (make_plan(some, settings, detect.spec) for some in (described, described[:1]))
    interrupted(store, both, ended_in)
    assert store.unfinished_runs() == (both.run,)
    if ended_in == "south":
        with pytest.raises(StoreError, match="--append"):
            open_output(store.path, north)
    else:
        open_output(store.path, north)
    detect(store, described[:1])
    left = {north.run, both.run} if ended_in == "south" else {north.run}
    assert all_runs(store) == left


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


def test_replacing_a_store_goes_on_with_its_unfinished_work(
    store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    plan = make_plan(described, settings, detect.spec)
    interrupted(store, plan, "south")
    assert open_output(store.path, plan, overwrite=True).unfinished_runs() == (plan.run,)
    detect(store, described)
    assert set(detect.looked_at) == {"south"}
    assert open_output(store.path, plan, overwrite=True).runs() == (), "what is finished is done again"


def test_replacing_a_store_drops_unfinished_work_that_is_not_all_of_it(
    store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    detect(store, described[1:], supersede=False)
    plan = make_plan(described[:1], settings, detect.spec)
    interrupted(store, plan, "north")
    assert all_runs(open_output(store.path, plan, overwrite=True)) == set()


def test_a_store_that_is_worked_in_is_not_replaced(
    tmp_path: Path, store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    north, both = (make_plan(some, settings, detect.spec) for some in (described[:1], described))
    interrupted(store, both, "south")
    before = content(store.path)
    with run_lock(store.work_folder(both.run)):
        busy = content(store.path)
        for replace_it in (
            lambda: open_output(store.path, north, overwrite=True),
            lambda: GeoParquetStore.create(store.path, overwrite=True),
            lambda: store.scan().save(store.path, overwrite=True),
        ):
            with pytest.raises(StoreError, match=f"working on run {both.run}"):
                replace_it()
        assert content(store.path) == busy
    assert before.keys() == content(store.path).keys()
    assert [path.name for path in tmp_path.glob(".store*")] == [], "nothing of the new one is left"


def test_an_earlier_run_at_work_is_left_alone(
    store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    north, both = (make_plan(some, settings, detect.spec) for some in (described[:1], described))
    interrupted(store, north, "north")
    with run_lock(store.work_folder(north.run)):
        with pytest.raises(StoreError, match="--append"):
            open_output(store.path, both)
        detect(store, described)
        assert all_runs(store) == {north.run, both.run}
    open_output(store.path, both)
    detect(store, described)
    assert all_runs(store) == {both.run}, "the next call removes what the one before had to leave"


def test_what_is_left_of_a_run_that_never_got_anywhere_goes(
    store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    plans = [make_plan(described, replace(settings, merge_iou=iou), detect.spec) for iou in (0.3, 0.4)]
    for plan in plans:
        with Ledger(store.work_folder(plan.run), plan):
            pass
    with run_lock(store.work_folder(plans[1].run)):
        assert succession.empty_runs(store) == (plans[0].run,)
        finished = detect(store, described).run
        assert all_runs(store) == {finished, plans[1].run}
    detect(store, described[:1])
    assert plans[1].run not in all_runs(store)


def test_a_run_that_is_worked_on_again_is_no_longer_to_go(
    store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    north, both = (make_plan(some, settings, detect.spec) for some in (described[:1], described))
    interrupted(store, both, "south")
    detect(store, described[:1])
    # As if a run that had all that `both` has so far had been about to replace it.
    succession.name_successor(store, both.run, north.run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("swathe.engine.run.remove_succeeded", lambda _: None)  # it was not got to
        interrupted(store, both, "south")
    succession.remove_succeeded(store)
    assert both.run in all_runs(store)


def test_a_scene_that_is_removed_before_it_is_taken_over_is_not_taken_for_an_empty_one(
    store: GeoParquetStore, described: list[Scene], detect: Runs, settings: RunSettings
) -> None:
    first = detect(store, described[:1])
    plan = make_plan(described, settings, detect.spec)

    def remove(event: ProgressEvent) -> None:
        if isinstance(event, BatchFinished):
            store.remove_run(first.run)

    with pytest.raises(StoreError, match=f"run {first.run} was to be taken over"):
        run_plan(plan, store, executor=SerialExecutor(), reader=BLANK_READER, progress=remove)
    assert detect(store, described).failed == {}
    assert set(detect.looked_at) == {"north"}
    assert len(store.scan(Query(scenes=("north",)))) == first.detections
