"""`swathe runs`, `scenes`, `remove` and `compact` on stores with known content."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swathe.cli import remove as command_remove
from swathe.query import Query
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.lock import run_lock
from swathe.testing.suites.samples import ANTIMERIDIAN, PIXELS, UTM, random_detections

if TYPE_CHECKING:
    from command import Command

ABOUT = {"settings": {"tile": 1024, "scales": [0.5, 1.0]}, "detector": {"sha256": "0123456789abcdef", "keep": []}}


@pytest.fixture
def filled(tmp_path: Path) -> GeoParquetStore:
    """Two runs, one of them unfinished, and one that has not published anything."""
    store = GeoParquetStore.create(tmp_path / "store")
    for scene in (UTM, ANTIMERIDIAN, PIXELS):
        found = replace(random_detections(scene, 10, 1), runs={"run-a": ABOUT})
        store.publish_scene("run-a", found, scene)
    store.commit("run-a", {"scenes": [UTM.id, ANTIMERIDIAN.id, PIXELS.id], "detections": 30})
    store.publish_scene("run-b", random_detections(UTM, 5, 2, run="run-b"), UTM)
    store.work_folder("run-c").mkdir(parents=True)
    return store


def test_runs_are_listed(command: Command, filled: GeoParquetStore) -> None:
    outcome = command("runs", filled.path)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "run-a  finished, 3 scenes, 30 detections"
    assert lines[1].split() == ["detector", "sha256", "0123456789ab"]
    assert lines[2].split() == ["settings", "scales", "0.5", "1.0,", "tile", "1024"]
    assert "run-b  unfinished, 1 scene, 5 detections" in lines
    assert "run-c  unfinished, 0 scenes, 0 detections" in lines
    assert lines[-1].startswith("3 runs, 2 unfinished")
    (entries,) = (line["runs"] for line in command("runs", filled.path, "--json").lines)
    assert [(entry["run"], entry["finished"], entry["detections"]) for entry in entries] == [
        ("run-a", True, 30),
        ("run-b", False, 5),
        ("run-c", False, 0),
    ]
    assert entries[0]["about"] == ABOUT


def test_scenes_are_listed(command: Command, filled: GeoParquetStore) -> None:
    outcome = command("scenes", filled.path)
    rows = [re.split(r" {2,}", line) for line in outcome.out.splitlines()]
    assert ["harbour", "2,000 x 1,500", "0.5", "10", "–", "run-a"] in rows
    assert [PIXELS.id, "1,000 x 800", "–", "10", "–", "run-a"] in rows
    assert outcome.out.splitlines()[-1] == "3 scenes, 35 detections"
    (entries,) = (line["scenes"] for line in command("scenes", filled.path, "--json", "--run", "run-a").lines)
    assert [entry["scene"] for entry in entries] == sorted([UTM.id, ANTIMERIDIAN.id, PIXELS.id])
    by_id = {entry["scene"]: entry for entry in entries}
    assert by_id[ANTIMERIDIAN.id]["acquired"] == "2024-05-01T10:20:30Z"
    assert by_id[UTM.id]["metres_per_pixel"] == pytest.approx(0.5, abs=1e-3)
    assert by_id[PIXELS.id]["metres_per_pixel"] is None


def test_nothing_is_removed_unasked(command: Command, filled: GeoParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = command("remove", filled.path, "--run", "run-a")
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "30 detections; add --yes" in outcome.err
    monkeypatch.setattr(command_remove.sys, "stdin", Terminal())
    for answer, code in ((False, 2), (True, 0)):
        monkeypatch.setattr(command_remove.typer, "confirm", lambda *_, answer=answer, **__: answer)
        assert command("remove", filled.path, "--run", "run-b").code == code
        assert ("run-b" in filled.runs()) != answer


class Terminal:
    """A standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def test_runs_and_scenes_are_removed(command: Command, filled: GeoParquetStore) -> None:
    assert command("remove", filled.path, "--scene", UTM.id, "--run", "run-a", "--yes").code == 0
    assert [entry.run for entry in filled.published() if entry.scene.id == UTM.id] == ["run-b"]
    manifest = filled.manifest("run-a")
    assert manifest is not None
    assert manifest["detections"] == 20
    (told,) = command("remove", filled.path, "--unfinished", "--yes", "--json").lines
    assert told == {"event": "removed", "runs": ["run-b", "run-c"], "scene": None, "detections": 5}
    assert filled.unfinished_runs() == ()
    assert "nothing to remove" in command("remove", filled.path, "--unfinished", "-y").out
    assert command("remove", filled.path, "--run", "run-a", "-y").out.startswith("removed 1 run (run-a) with 20")
    assert filled.runs() == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say what to remove"),
        (("--unfinished", "--run", "run-a"), "say what to remove"),
        (("--run", "run-x", "-y"), "no such run, but run-a, run-b, run-c"),
        (("--scene", "nowhere", "-y"), "no such scene"),
    ],
)
def test_what_is_not_there_cannot_be_removed(
    command: Command, filled: GeoParquetStore, words: tuple[str, ...], message: str
) -> None:
    outcome = command("remove", filled.path, *words)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert message in outcome.err


def test_a_run_at_work_is_left_alone(command: Command, filled: GeoParquetStore) -> None:
    with run_lock(filled.work_folder("run-b")):
        outcome = command("remove", filled.path, "--run", "run-b", "--yes")
        assert command("runs", filled.path).out.count("at work, 1 scene, 5 detections") == 1
        (told,) = command("remove", filled.path, "--unfinished", "--yes", "--json").lines
        assert told["runs"] == ["run-c"]
    assert (outcome.code, outcome.is_one_error) == (5, True)
    assert "another process is working on this run" in outcome.err
    assert len(filled.scan(Query(runs=("run-b",)))) == 5


def test_files_are_merged(command: Command, filled: GeoParquetStore) -> None:
    before = filled.scan().table.to_pylist()
    (told,) = command("compact", filled.path, "--json").lines
    assert told == {"event": "compacted", "runs": ["run-a"], "files_before": 4, "files_after": 3}
    assert filled.scan().table.to_pylist() == before
    assert "3 files before, 3 now; 2 unfinished" in command("compact", filled.path).out
    outcome = command("compact", filled.path, "--run", "run-b")
    assert (outcome.code, outcome.is_one_error) == (2, True)


def test_a_finished_run_is_still_finished_after_a_merge(
    command: Command, store: Path, scene: object, tiny_model: Path, tmp_path: Path
) -> None:
    """The command that made a store, run again, finds nothing to do, whether its files are merged or not."""
    copy = shutil.copytree(store, tmp_path / "copy")
    assert command("compact", copy).code == 0
    words = ("-m", tiny_model, "-o", copy, "--tile", "128", "--stride", "96", "--workers", "0", "--json")
    outcome = command("detect", scene.path, *words)
    assert outcome.code == 0
    assert outcome.lines[-1]["resumed_windows"] == outcome.lines[-1]["windows"]
    assert all(Path(file).exists() for file in outcome.lines[-1]["files"])


@pytest.mark.parametrize("words", [("runs",), ("scenes",), ("areas",), ("stats",), ("query", "--count")])
def test_the_last_line_of_json_is_the_summary(
    command: Command, filled: GeoParquetStore, words: tuple[str, ...]
) -> None:
    assert command(words[0], filled.path, *words[1:], "--json").lines[-1]["event"] == "summary"
    assert command("models", "--json").lines[-1]["event"] == "summary"
