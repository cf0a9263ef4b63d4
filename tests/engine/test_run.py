"""Whole runs: what is stored, what is told, what resuming costs, what failures leave behind."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import replace
from pathlib import Path

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
from swathe.engine.executor import Executor
from swathe.engine.ledger import Ledger
from swathe.engine.plan import make_plan
from swathe.engine.run import run_detection
from swathe.engine.settings import RunSettings
from swathe.errors import ModelError, PartialError, StoreError
from swathe.store.geoparquet import GeoParquetStore
from swathe.testing.fakes import BLANK_READER, BROKEN_READER, Fault, read_log, write_script
from swathe.testing.scenes import SyntheticScene, scene_without_file


@pytest.fixture
def store(tmp_path: Path) -> GeoParquetStore:
    """An empty store."""
    return GeoParquetStore.create(tmp_path / "store")


def run(
    scenes: list[SyntheticScene],
    spec: DetectorSpec,
    store: GeoParquetStore,
    settings: RunSettings,
    *,
    executor: Executor | None = None,
    events: list[ProgressEvent] | None = None,
    reader: str = BLANK_READER,
) -> RunSummary:
    described = [scene_without_file(scene) for scene in scenes]
    tell = None if events is None else events.append
    return run_detection(described, spec, store, settings, progress=tell, executor=executor, reader=reader)


def published(folder: Path) -> dict[str, bytes]:
    """Everything readers of a store can see."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".work" not in path.parts
    }


def test_the_store_holds_the_truth(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: GeoParquetStore, settings: RunSettings
) -> None:
    events: list[ProgressEvent] = []
    summary = run(scenes, spec, store, settings, events=events)
    assert summary.detections == sum(len(scene.boxes) for scene in scenes)
    for name, count in summary.per_class.items():
        number = scenes[0].class_names.index(name)
        assert count == sum(int((scene.classes == number).sum()) for scene in scenes)
    assert [path.is_file() for path in summary.files] == [True, True]
    assert summary.failed == {}
    assert not store.work_folder(summary.run).exists()
    assert isinstance(events[0], RunPlanned)
    assert events[0].windows == summary.windows
    assert events[-1] == RunFinished(summary)
    batches = [event for event in events if isinstance(event, BatchFinished)]
    assert batches[-1].done_windows == batches[-1].total_windows == summary.windows
    assert [event.scene for event in events if isinstance(event, SceneMerged)] == ["north", "south"]


def test_a_finished_run_is_not_done_again(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: GeoParquetStore, settings: RunSettings, log: Path
) -> None:
    first = run(scenes, spec, store, settings)
    looked_at, before = len(read_log(log)), published(store.path)
    second = run(scenes, spec, store, settings)
    assert len(read_log(log)) == looked_at
    assert second == replace(first, seconds=second.seconds, resumed_windows=first.windows)
    assert published(store.path) == before


def test_resuming_does_only_what_is_missing_and_gives_the_same_bytes(
    tmp_path: Path, scenes: list[SyntheticScene], settings: RunSettings, log: Path
) -> None:
    whole = GeoParquetStore.create(tmp_path / "whole")
    run(scenes, write_script(scenes, tmp_path / "script.json", clip="own"), whole, settings)
    store = GeoParquetStore.create(tmp_path / "store")
    spec = write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=[Fault("error", "south", 17)])
    with pytest.raises(ModelError):
        run(scenes, spec, store, settings)
    tried = len(read_log(log))
    write_script(scenes, tmp_path / "script.json", clip="own", log=log)
    summary = run(scenes, spec, store, settings)
    again = len(read_log(log)) - tried
    assert 0 < summary.resumed_windows < summary.windows
    assert again == summary.windows - summary.resumed_windows
    assert published(store.path) == published(whole.path)


def test_damaged_parts_are_done_again(
    tmp_path: Path, scenes: list[SyntheticScene], settings: RunSettings, log: Path, store: GeoParquetStore
) -> None:
    whole = GeoParquetStore.create(tmp_path / "whole")
    spec = write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=[Fault("error", "north", 40)])
    run(scenes, write_script(scenes, tmp_path / "calm.json", clip="own"), whole, settings)
    with pytest.raises(ModelError):
        run(scenes, spec, store, settings)
    parts = sorted(store.path.glob(".work/*/part-*"))
    assert len(parts) >= 3
    parts[0].write_bytes(parts[0].read_bytes()[:-7])
    parts[1].write_bytes(b"")
    content = bytearray(parts[2].read_bytes())
    content[len(content) // 2] ^= 1
    parts[2].write_bytes(content)
    summary = run(scenes, write_script(scenes, tmp_path / "script.json", clip="own"), store, settings)
    assert summary.detections == sum(len(scene.boxes) for scene in scenes)
    assert published(store.path) == published(whole.path)


def test_parts_of_another_layout_are_not_used(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: GeoParquetStore, settings: RunSettings
) -> None:
    plan = make_plan([scene_without_file(scene) for scene in scenes], settings, spec)
    folder = store.work_folder(plan.run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text("{}")
    (folder / "part-000000000.npz").write_bytes(b"from another version")
    (folder / ".part-000000001.npz.0123456789ab.tmp").write_bytes(b"left by a crash")
    with Ledger(folder, plan):
        assert sorted(path.name for path in folder.iterdir()) == ["lock", "plan.json"]


def test_a_failing_scene_does_not_stop_the_others(
    tmp_path: Path, scenes: list[SyntheticScene], settings: RunSettings, store: GeoParquetStore, log: Path
) -> None:
    scenes = [scenes[0], replace(scenes[1], id="broken-south")]
    spec = write_script(scenes, tmp_path / "script.json", clip="own", log=log)
    events: list[ProgressEvent] = []
    summary = run(scenes, spec, store, settings, events=events, reader=BROKEN_READER)
    assert list(summary.failed) == ["broken-south"]
    assert summary.detections == len(scenes[0].boxes)
    assert len(summary.files) == 1
    assert [event.scene for event in events if isinstance(event, SceneFailed)] == ["broken-south"]
    with pytest.raises(PartialError, match=r"broken-south: synthetic:broken-south.*ends too early"):
        summary.raise_for_failures()
    # The source is mended: only the failed scene is looked at.
    looked_at = len(read_log(log))
    healed = run(scenes, spec, store, settings)
    assert healed.failed == {}
    assert healed.detections == sum(len(scene.boxes) for scene in scenes)
    assert {line.split("\t")[0] for line in read_log(log)[looked_at:]} == {"broken-south"}


def test_two_processes_cannot_write_one_run(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: GeoParquetStore, settings: RunSettings
) -> None:
    plan = make_plan([scene_without_file(scene) for scene in scenes], settings, spec)
    with (
        Ledger(store.work_folder(plan.run), plan),
        pytest.raises(StoreError, match="another process is working on this run"),
    ):
        run(scenes, spec, store, settings)
    assert run(scenes, spec, store, settings).failed == {}


def test_a_scene_without_objects_is_stored_too(tmp_path: Path, settings: RunSettings, store: GeoParquetStore) -> None:
    nothing = SyntheticScene("empty", 500, 400, np.empty((0, 5)), np.empty(0, dtype=np.int64))
    spec = write_script([nothing], tmp_path / "script.json", clip="own")
    summary = run([nothing], spec, store, settings)
    assert summary.detections == 0
    assert [path.is_file() for path in summary.files] == [True]


def test_the_lock_names_its_owner(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: GeoParquetStore, settings: RunSettings
) -> None:
    plan = make_plan([scene_without_file(scene) for scene in scenes], settings, spec)
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    with Ledger(store.work_folder(plan.run), plan), pytest.raises(StoreError, match=re.escape(owner)):
        run(scenes, spec, store, settings)


def test_what_a_killed_process_wrote_into_the_lock_is_no_lock(
    scenes: list[SyntheticScene], spec: DetectorSpec, store: GeoParquetStore, settings: RunSettings
) -> None:
    plan = make_plan([scene_without_file(scene) for scene in scenes], settings, spec)
    folder = store.work_folder(plan.run)
    folder.mkdir(parents=True)
    (folder / "lock").write_text("process 1 on another-host\n")
    assert run(scenes, spec, store, settings).failed == {}


def test_a_ledger_left_after_the_commit_is_cleared_away(
    scenes: list[SyntheticScene],
    spec: DetectorSpec,
    store: GeoParquetStore,
    settings: RunSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(GeoParquetStore, "discard_work", lambda *_: None)
        first = run(scenes, spec, store, settings)
    assert store.work_folder(first.run).exists()
    assert run(scenes, spec, store, settings).detections == first.detections
    assert not store.work_folder(first.run).exists()
