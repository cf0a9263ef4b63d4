"""Amounts of memory, what the system has free, and plans that do not fit."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.events import ProgressEvent, SceneFailed
from swathe.engine.limits import (
    available_memory,
    check_memory,
    check_slot,
    merge_limit,
    parse_bytes,
    too_many_objects,
)
from swathe.engine.memory import merge_memory
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import UsageError
from swathe.store.protocol import Store
from swathe.testing.fakes import BLANK_READER
from swathe.testing.scenes import SyntheticScene, scene_without_file, synthetic_scene

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1.5GB", 1_500_000_000),
        ("800MiB", 800 << 20),
        ("2 GiB", 2 << 30),
        ("1gib", 1 << 30),
        ("0.5T", 500_000_000_000),
        ("64k", 64_000),
        ("64K", 64_000),
        ("123456", 123_456),
        ("123456 B", 123_456),
    ],
)
def test_amounts(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "much",
        "-1GB",
        "1,5GB",
        "GB",
        "1.GB",
        "0",
        "0.1B",
        "1GBB",
        "1e9",
        "nan",
        "1 G B",
        "9" * 400,
        "1" + "0" * 308 + "GB",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^memory .*1\.5GB") as error:
        parse_bytes(text)
    assert error.value.value == text


@given(st.integers(1, 1 << 50))
def test_whole_bytes_come_back(size: int) -> None:
    assert parse_bytes(str(size)) == size


def system(folder: Path, *, free_kib: int, cgroup: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Write what the kernel would tell; returns the folders of processes and of control groups."""
    proc, groups = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable:   {free_kib} kB\n")
    (proc / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = groups / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return proc, groups


def test_free_memory_of_a_machine_without_groups(tmp_path: Path) -> None:
    assert available_memory(*system(tmp_path, free_kib=4096, cgroup="", files={})) == 4 * MIB


def test_free_memory_within_nested_groups(tmp_path: Path) -> None:
    """The outer group has 100 MiB left, of which files can be dropped: the least of all counts."""
    files = {
        "pod/memory.max": f"{300 * MIB}\n",
        "pod/memory.current": f"{250 * MIB}\n",
        "pod/memory.stat": f"anon 1\ninactive_file {50 * MIB}\n",
        "pod/box/memory.max": "max\n",
        "pod/box/memory.current": f"{100 * MIB}\n",
    }
    told = system(tmp_path, free_kib=1 << 20, cgroup="0::/pod/box\n", files=files)
    assert available_memory(*told) == 100 * MIB


def test_free_memory_of_the_first_version_of_groups(tmp_path: Path) -> None:
    files = {
        "memory/job/memory.limit_in_bytes": f"{64 * MIB}\n",
        "memory/job/memory.usage_in_bytes": f"{4 * MIB}\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/memory.usage_in_bytes": "0\n",
    }
    told = system(tmp_path, free_kib=1 << 20, cgroup="8:cpu:/job\n4:memory:/job\n", files=files)
    assert available_memory(*told) == 60 * MIB


def test_a_full_group_leaves_nothing(tmp_path: Path) -> None:
    files = {"memory.max": "1000", "memory.current": "5000"}
    assert available_memory(*system(tmp_path, free_kib=1, cgroup="0::/\n", files=files)) == 0


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert available_memory(tmp_path / "none", tmp_path / "none") is None


def large_plan(limit: int | None, *, tile: int = 1024, scenes: int = 1) -> Plan:
    bare = scene_without_file(synthetic_scene(8, 8, seed=0))
    pictures = [replace(bare, id=f"scene-{number}", width=30_000, height=30_000) for number in range(scenes)]
    return make_plan(pictures, RunSettings(tile=tile, stride=tile, memory_limit=limit))


def refusal(plan: Plan, workers: int) -> str:
    with pytest.raises(UsageError) as caught:
        check_memory(plan, workers)
    return str(caught.value)


def test_a_plan_that_fits_exactly_is_allowed() -> None:
    total = large_plan(None).memory(2).total
    check_memory(large_plan(total), 2)
    refusal(large_plan(total - 1), 2)


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_the_way_out_fits_and_one_more_does_not(workers: int) -> None:
    limit = large_plan(None).memory(workers).total - MIB
    plan = large_plan(limit)
    message = refusal(plan, workers)
    assert "allowed by memory" in message
    proposed = int(re.findall(r"use workers (\d+)", message)[0])
    assert plan.memory(proposed).total <= limit < plan.memory(proposed + 1).total
    tile = int(re.findall(r"tile (\d+)", message)[0])
    assert tile % 128 == 0
    assert (
        large_plan(None, tile=tile).memory(workers).total
        <= limit
        < large_plan(None, tile=tile + 128).memory(workers).total
    )


def test_a_smaller_tile_alone_may_not_be_enough() -> None:
    """Where one worker with this tile is too much, and so are all of them with any tile, both are proposed."""
    limit = large_plan(None, tile=2048).memory(1).total
    assert large_plan(None, tile=4096).memory(0).total > limit
    assert "use tile 2048 workers 1, or a higher memory" in refusal(large_plan(limit, tile=4096), 8)


def test_where_nothing_helps_it_is_said() -> None:
    assert "not even one worker" in refusal(large_plan(50 * MIB), 2)


def test_what_is_free_is_the_limit_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swathe.engine.limits.available_memory", lambda: 300 * MIB)
    assert "300 MiB are free" in refusal(large_plan(None), 2)
    check_memory(large_plan(1 << 40), 2)
    monkeypatch.setattr("swathe.engine.limits.available_memory", lambda: None)
    check_memory(large_plan(None), 2)


@pytest.mark.parametrize(("rows", "passes"), [(16_384, True), (16_385, False)])
def test_enormous_blocks_need_a_word(monkeypatch: pytest.MonkeyPatch, rows: int, *, passes: bool) -> None:
    """32,768 grey pixels in 16,384 rows are 512 MiB."""
    monkeypatch.setattr("swathe.engine.limits.available_memory", lambda: None)
    bare = scene_without_file(synthetic_scene(8, 8, seed=0))
    scene = replace(bare, id="strip", width=32_768, height=rows, bands=(1,), block_shape=(rows, 32_768))
    plan = make_plan([scene], RunSettings(tile=256, stride=256))
    if passes:
        check_memory(plan, 0)
        return
    message = refusal(plan, 0)
    assert f"strip: any window of it takes a block of 32768 x {rows} pixels" in message
    amount = re.findall(r"memory (\d+MiB)", message)[0]
    check_memory(make_plan([scene], replace(plan.settings, memory_limit=parse_bytes(amount))), 0)


def test_more_objects_than_planned_are_noticed_after_the_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = merge_limit(large_plan(large_plan(None).memory(2).total), 2, None)
    assert limit == merge_memory(90_000)
    assert too_many_objects("town", 90_000, limit) is None
    message = too_many_objects("town", 10_000_000, limit)
    assert message is not None
    assert "town" in message
    assert "memory" in message
    assert too_many_objects("town", 10_000_000, merge_limit(large_plan(1 << 40), 2, None)) is None
    monkeypatch.setattr("swathe.engine.limits.available_memory", lambda: merge_memory(1_000_000))
    assert merge_limit(large_plan(None), 2, None) is None
    assert too_many_objects("town", 1_000_000, None) is None
    assert too_many_objects("town", 1_000_001, None) is not None


def test_a_worker_with_memory_of_its_own_must_fit_into_it() -> None:
    plan = large_plan(None, scenes=3)
    slot = plan.memory(1).slot
    check_slot(plan, slot)
    with pytest.raises(UsageError, match="give the executors more memory"):
        check_slot(plan, slot - 1)
    assert merge_limit(plan, 64, slot) == merge_memory(90_000)


def test_a_run_that_does_not_fit_leaves_nothing(
    scenes: list[SyntheticScene], spec: DetectorSpec, settings: RunSettings, store: Store
) -> None:
    plan = make_plan([scene_without_file(scene) for scene in scenes], replace(settings, memory_limit=MIB), spec)
    with pytest.raises(UsageError, match="not even one worker"):
        run_plan(plan, store, reader=BLANK_READER)
    assert store.runs() == ()


def test_a_scene_with_too_many_objects_fails_alone_and_is_done_by_the_next_run(
    scenes: list[SyntheticScene],
    spec: DetectorSpec,
    settings: RunSettings,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    log: Path,
) -> None:
    plan = make_plan([scene_without_file(scene) for scene in scenes], settings, spec)
    events = list[ProgressEvent]()

    def crowded(scene: str, objects: int, limit: int | None) -> str | None:
        return "north: too many objects" if scene == "north" and objects == len(scenes[0].boxes) else None

    monkeypatch.setattr("swathe.engine.worker.too_many_objects", crowded)
    summary = run_plan(plan, store, progress=events.append, reader=BLANK_READER)
    assert dict(summary.failed) == {"north": "north: too many objects"}
    assert [event.scene for event in events if isinstance(event, SceneFailed)] == ["north"]
    assert {scene.scene.id: scene.state for scene in store.scenes()} == {"north": "failed", "south": "complete"}
    looked_at = log.read_text()
    monkeypatch.undo()
    again = run_plan(plan, store, reader=BLANK_READER)
    assert not again.failed
    assert log.read_text() == looked_at, "no window is looked at twice"
    assert again.scenes == ("north", "south")
