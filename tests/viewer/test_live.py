from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from memory_store import MemoryStore
from swathe.detections import Detections, SceneInfo
from swathe.engine.plan import make_plan
from swathe.engine.settings import RunSettings
from swathe.raster.opening import open_scene
from swathe.viewer import live, snapshot
from swathe.viewer.library import Library
from viewer_samples import write_scene


def found(name: str, count: int) -> Detections:
    boxes = [[10.0 * number + 10, 10.0, 8.0, 4.0, 0.0] for number in range(count)]
    return Detections.from_arrays(boxes, [0.5] * count, [0] * count, ("ship",), SceneInfo(name, name, 900, 900), "run")


def test_runs_are_described_the_latest_first(client: TestClient) -> None:
    answer = client.get("/api/runs").json()
    assert [run["id"] for run in answer["runs"]] == ["bbbb2222", "aaaa1111"]
    assert set(answer["colours"]) == {"ship", "<b>harbour</b>"}
    first = answer["runs"][1]
    assert first["scenes"] == {"complete": 3, "pending": 0, "failed": 0}
    assert first["windows"] == {"done": 12, "all": 12}
    assert sum(first["classes"].values()) == first["detections"] == 150


def test_windows_of_a_scene_in_work_are_counted_by_its_parts(tmp_path: Path) -> None:
    """The parts are called as the engine calls those of its own plans."""
    path = write_scene(tmp_path / "one.tif", placed=True)
    plan = make_plan([open_scene(path)], RunSettings(tile=128, stride=100))
    (scene,) = plan.scenes
    store = MemoryStore()
    store.add("run", found("one", 0), state="pending", windows=plan.windows)
    stored, rows = store.found[0]
    store.found = [(replace(stored, fingerprint=scene.fingerprint), rows)]
    batches = list(scene.batches())
    store.parts = {scene.part(batch) for batch in batches[:2]} | {f"{scene.key}/written", "other/part-0-0-7"}
    (run,) = json.loads(live._now(Library(store)))["runs"]
    assert run["windows"] == {"done": sum(batch.count for batch in batches[:2]), "all": plan.windows}


def test_a_stream_tells_of_each_scene_that_becomes_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STEP", 0.0)
    monkeypatch.setattr(snapshot, "FRESH_FOR", 0.0)
    store, streams = MemoryStore(), set()
    for name in ("one", "two"):
        store.add("run", found(name, 0), state="pending")

    async def follow() -> list[dict[str, Any]]:
        events = live._watch(Library(store), streams)
        seen = []
        for name in ("one", "two", None):
            text = (await anext(events)).decode()
            assert text.startswith("event: runs\ndata: ")
            seen.append(json.loads(text.partition("data: ")[2])["runs"][0])
            assert len(streams) == 1
            if name is not None:
                store.add("run", found(name, 3))
        await events.aclose()
        return seen

    states = asyncio.run(follow())
    assert [run["scenes"]["pending"] for run in states] == [2, 1, 0]
    assert [run["windows"]["done"] for run in states] == [0, 4, 8]
    assert [run["detections"] for run in states] == [0, 3, 6]
    assert not streams
