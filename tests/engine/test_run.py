"""Whole runs: what is stored, what is told, what resuming costs, what failures leave behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.events import (
    BatchFinished,
    ProgressEvent,
    RunFinished,
    RunPlanned,
    RunSummary,
    SceneFailed,
    SceneMerged,
)
from swathe.engine.job import Executor, Job, JobResult, Pool, Retry, SceneJob, StripJob, Work
from swathe.engine.local import SerialExecutor
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import ModelError, PartialError
from swathe.store import open_store
from swathe.store.protocol import Store
from swathe.testing.fakes import BLANK_READER, BROKEN_READER, Fault, read_log, write_script
from swathe.testing.scenes import SyntheticScene, scene_without_file
from swathe.testing.suites.executor import files_of


def planned(scenes: list[SyntheticScene], spec: DetectorSpec, settings: RunSettings) -> Plan:
    return make_plan([scene_without_file(scene) for scene in scenes], settings, spec)


def run(
    scenes: list[SyntheticScene],
    spec: DetectorSpec,
    store: Store,
    settings: RunSettings,
    *,
    executor: Executor | None = None,
    events: list[ProgressEvent] | None = None,
    reader: str = BLANK_READER,
) -> RunSummary:
    plan = planned(scenes, spec, settings)
    progress = None if events is None else events.append
    return run_plan(plan, store, progress=progress, executor=executor, reader=reader)


def test_the_store_holds_the_truth(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, settings: RunSettings
) -> None:
    events: list[ProgressEvent] = []
    summary = run(scenes, spec, store, settings, events=events)
    assert summary.detections == sum(len(scene.boxes) for scene in scenes)
    for name, count in summary.per_class.items():
        number = scenes[0].class_names.index(name)
        assert count == sum(int((scene.classes == number).sum()) for scene in scenes)
    assert summary.scenes == ("north", "south")
    assert summary.failed == {}
    assert store.workspace(summary.run).names() == frozenset()
    assert isinstance(events[0], RunPlanned)
    assert events[0].windows == summary.windows
    assert events[-1] == RunFinished(summary)
    batches = [event for event in events if isinstance(event, BatchFinished)]
    assert batches[-1].done_windows == batches[-1].total_windows == summary.windows
    assert {event.scene for event in events if isinstance(event, SceneMerged)} == {"north", "south"}


def test_what_is_done_is_not_done_again(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, settings: RunSettings, log: Path
) -> None:
    first = run(scenes, spec, store, settings)
    looked_at, before, runs = len(read_log(log)), files_of(store), store.runs()
    events: list[ProgressEvent] = []
    second = run(scenes, spec, store, settings, events=events)
    assert len(read_log(log)) == looked_at
    assert second == replace(first, seconds=second.seconds, resumed_windows=first.windows)
    assert events == [RunFinished(second)]
    assert (files_of(store), store.runs()) == (before, runs), "nothing is written"


def test_resuming_does_only_what_is_missing_and_gives_the_same_bytes(
    tmp_path: Path, scenes: list[SyntheticScene], settings: RunSettings, log: Path, store: Store
) -> None:
    whole = open_store(tmp_path / "whole", create=True)
    run(scenes, write_script(scenes, tmp_path / "script.json", clip="own"), whole, settings)
    spec = write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=[Fault("error", "south", 17)])
    with pytest.raises(ModelError):
        run(scenes, spec, store, settings)
    tried = len(read_log(log))
    write_script(scenes, tmp_path / "script.json", clip="own", log=log)
    summary = run(scenes, spec, store, settings)
    again = len(read_log(log)) - tried
    assert 0 < summary.resumed_windows < summary.windows
    assert again == summary.windows - summary.resumed_windows
    assert files_of(store) == files_of(whole)


class Forgetful:
    """A store whose driver is killed before the first commit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, *_: object) -> None:
        raise KeyboardInterrupt


def test_what_was_written_and_not_committed_is_not_looked_at_again(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, settings: RunSettings, log: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(scenes[:1], spec, Forgetful(store), settings)  # type: ignore[arg-type]
    assert store.runs()[0].pending == 1
    looked_at = len(read_log(log))
    summary = run(scenes[:1], spec, store, settings)
    assert len(read_log(log)) == looked_at
    assert summary.resumed_windows == summary.windows
    assert summary.detections == len(scenes[0].boxes)
    assert store.runs()[0].complete == 1
    assert store.workspace(summary.run).names() == frozenset()


def test_a_damaged_record_costs_a_merge_and_no_window(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, settings: RunSettings, log: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(scenes[:1], spec, Forgetful(store), settings)  # type: ignore[arg-type]
    plan = planned(scenes[:1], spec, settings)
    store.workspace(plan.run).put(plan.scenes[0].record, b'{"scene":')
    looked_at = len(read_log(log))
    assert run(scenes[:1], spec, store, settings).detections == len(scenes[0].boxes)
    assert len(read_log(log)) == looked_at


def test_failing_scenes_do_not_stop_the_others(
    tmp_path: Path, scenes: list[SyntheticScene], settings: RunSettings, store: Store, log: Path
) -> None:
    north, south = scenes
    scenes = [replace(north, id="broken-north"), replace(south, id="odd-south"), north]
    spec = write_script(scenes, tmp_path / "script.json", clip="own", log=log)
    events: list[ProgressEvent] = []
    summary = run(scenes, spec, store, settings, events=events, reader=BROKEN_READER)
    assert sorted(summary.failed) == ["broken-north", "odd-south"]
    assert summary.detections == len(north.boxes)
    assert summary.scenes == ("north",)
    assert [event.scene for event in events if isinstance(event, SceneFailed)] == ["broken-north", "odd-south"]
    last = [event for event in events if isinstance(event, BatchFinished)][-1]
    assert last.done_windows == last.total_windows
    with pytest.raises(PartialError, match=r"broken-north: synthetic:broken-north.*ends too early"):
        summary.raise_for_failures()
    stored = {scene.scene.id: scene for scene in store.scenes()}
    assert Counter(scene.state for scene in stored.values()) == {"failed": 2, "complete": 1}
    assert "nobody has foreseen this" in stored["odd-south"].reason
    # The sources are mended: only the failed scenes are looked at.
    looked_at = len(read_log(log))
    healed = run(scenes, spec, store, settings)
    assert healed.failed == {}
    assert {line.split("\t")[0] for line in read_log(log)[looked_at:]} == {"broken-north", "odd-south"}
    assert {scene.state for scene in store.scenes()} == {"complete"}


def test_a_run_over_the_scenes_of_another_call_goes_on_with_both(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, settings: RunSettings
) -> None:
    north, south = (run([scene], spec, store, settings) for scene in scenes)
    assert north.run == south.run
    assert store.runs()[0].complete == 2
    assert (north.detections, south.detections) == tuple(len(scene.boxes) for scene in scenes)


def test_a_scene_without_objects_is_stored_too(tmp_path: Path, settings: RunSettings, store: Store) -> None:
    nothing = SyntheticScene("empty", 500, 400, np.empty((0, 5)), np.empty(0, dtype=np.int64))
    spec = write_script([nothing], tmp_path / "script.json", clip="own")
    summary = run([nothing], spec, store, settings)
    assert (summary.detections, summary.scenes) == (0, ("empty",))
    assert store.scenes()[0].state == "complete"


class InStrips:
    """One job after the other, with few detections to a merge; ends at a certain strip."""

    slots, memory_per_slot = 0, None

    def __init__(self, last: int = 1000) -> None:
        self._left, self.done = last, list[Job]()

    def open(self, work: Work) -> Pool:
        self._pool = SerialExecutor().open(replace(work, merge_rows=30))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
        for job in jobs:
            self._left -= isinstance(job, StripJob)
            if self._left < 0:
                raise KeyboardInterrupt
            yield from self._pool.run([job])
            self.done.append(job)


def test_strips_that_are_merged_are_not_merged_again(
    tmp_path: Path, scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, settings: RunSettings
) -> None:
    whole = open_store(tmp_path / "whole", create=True)
    run(scenes, spec, whole, settings)
    first, second = InStrips(last=5), InStrips()
    with pytest.raises(KeyboardInterrupt):
        run(scenes, spec, store, settings, executor=first)
    summary = run(scenes, spec, store, settings, executor=second)
    assert files_of(store) == files_of(whole)
    assert store.workspace(summary.run).names() == frozenset()
    strips = [job.strip for job in (*first.done, *second.done) if isinstance(job, StripJob)]
    cuts = {job.scene.id: job.strips for job in second.done if isinstance(job, SceneJob) and job.strips}
    assert len(strips) == sum(len(cut.strips) for cut in cuts.values()) > 10
    assert Counter(type(job) for job in second.done)[SceneJob] == 4


def test_a_scene_fails_with_one_of_its_strips(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: Store, settings: RunSettings
) -> None:
    class Failing(InStrips):
        def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
            for job in jobs:
                if isinstance(job, StripJob) and job.scene.id == "north":
                    yield JobResult("north", error="nobody has foreseen this")
                else:
                    yield from super().run([job])

    summary = run(scenes, spec, store, settings, executor=Failing())
    assert (summary.scenes, summary.failed) == (("south",), {"north": "nobody has foreseen this"})
    assert run(scenes, spec, store, settings).scenes == ("north", "south")
