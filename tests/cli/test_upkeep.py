"""`swathe runs`, `scenes`, `remove` and `compact` on stores with known content."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swathe.cli import remove as command_remove
from swathe.query import Query
from swathe.store import open_store, read
from swathe.store.protocol import Store
from swathe.testing.suites.samples import ANTIMERIDIAN, MERCATOR, PIXELS, UTM, random_detections
from swathe.testing.suites.store import stored

if TYPE_CHECKING:
    from command import Command

ABOUT = {"settings": {"tile": 1024, "scales": [0.5, 1.0]}, "detector": {"sha256": "0123456789abcdef", "keep": []}}


@pytest.fixture
def filled(tmp_path: Path) -> Store:
    """Three runs: one is complete, one has a name and is not, and one has not found anything yet."""
    store = open_store(tmp_path / "store", create=True)
    first = [stored(scene) for scene in (UTM, ANTIMERIDIAN, PIXELS)]
    store.begin("run-a", ABOUT, first)
    store.commit("run-a", [store.write(one, random_detections(one.scene, 10, 1)) for one in first])
    second = stored(UTM, "run-b")
    store.begin("run-b", {}, [second, stored(PIXELS, "run-b"), stored(MERCATOR, "run-b")], name="harbours")
    found = random_detections(UTM, 5, 2, run="run-b")
    store.commit("run-b", [store.write(second, found)], [stored(MERCATOR, "run-b", reason="is damaged")])
    store.begin("c-run", {}, [stored(UTM, "c-run")])
    return store


def test_runs_are_listed(command: Command, filled: Store) -> None:
    outcome = command("runs", filled.address)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].startswith("run-a  3 scenes, 30 detections, 20")
    assert lines[1].split() == ["detector", "sha256", "0123456789ab"]
    assert lines[2].split() == ["settings", "scales", "0.5", "1.0,", "tile", "1024"]
    assert lines[3].startswith("run-b (harbours)  1 of 3 scenes so far, 1 failed, 5 detections")
    assert lines[4].startswith("c-run  0 of 1 scene so far, 0 detections")
    assert lines[-1].startswith("3 runs, 2 not complete")
    (entries,) = (line["runs"] for line in command("runs", filled.address, "--json").lines)
    assert [(entry["run"], entry["name"], entry["complete"], entry["pending"]) for entry in entries] == [
        ("run-a", None, 3, 0),
        ("run-b", "harbours", 1, 1),
        ("c-run", None, 0, 1),
    ]
    assert entries[0]["about"] == ABOUT


def test_scenes_are_listed(command: Command, filled: Store) -> None:
    outcome = command("scenes", filled.address)
    rows = [re.split(r" {2,}", line) for line in outcome.out.splitlines()]
    assert ["harbour", "2,000 x 1,500", "0.5", "10", "–", "run-a", "complete"] in rows
    assert [PIXELS.id, "1,000 x 800", "–", "10", "–", "run-a", "complete"] in rows
    assert [PIXELS.id, "1,000 x 800", "–", "0", "–", "run-b", "pending"] in rows
    assert rows[-2][-1] == "failed: is damaged" or ["failed: is damaged"] in [row[-1:] for row in rows]
    assert outcome.out.splitlines()[-1] == "3 scenes, 2 pending, 1 failed, 35 detections"
    (entries,) = (line["scenes"] for line in command("scenes", filled.address, "--json", "--run", "run-a").lines)
    assert [entry["scene"] for entry in entries] == sorted([UTM.id, ANTIMERIDIAN.id, PIXELS.id])
    by_id = {entry["scene"]: entry for entry in entries}
    assert by_id[ANTIMERIDIAN.id]["acquired"] == "2024-05-01T10:20:30Z"
    assert by_id[UTM.id]["metres_per_pixel"] == pytest.approx(0.5, abs=1e-3)
    assert by_id[PIXELS.id]["metres_per_pixel"] is None


@pytest.mark.parametrize("words", [("scenes",), ("query", "--count"), ("stats",), ("remove", "-y")])
@pytest.mark.parametrize(
    ("given", "run"), [("run-a", "run-a"), ("harbours", "run-b"), ("c", "c-run"), ("latest", "c-run")]
)
def test_a_run_is_named_by_prefix_name_or_latest(
    command: Command, filled: Store, words: tuple[str, ...], given: str, run: str
) -> None:
    outcome = command(words[0], filled.address, *words[1:], "--run", given, "--json")
    assert outcome.code == 0
    expected = len(read(filled, Query(runs=(run,))))
    if words[0] == "scenes":
        assert {entry["run"] for entry in outcome.lines[-1]["scenes"]} == {run}
    elif words[0] == "remove":
        assert run not in {entry.id for entry in filled.runs()}
    else:
        assert outcome.lines[-1]["detections"] == expected


@pytest.mark.parametrize("words", [("scenes",), ("query",), ("stats",), ("draw", "-o", "a.png"), ("remove", "-y")])
@pytest.mark.parametrize("given", ["run", "nothing"])
def test_an_unknown_run_is_an_error(command: Command, filled: Store, words: tuple[str, ...], given: str) -> None:
    outcome = command(words[0], filled.address, *words[1:], "--run", given)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "run-a, run-b (harbours)" in outcome.err


def test_what_is_not_complete_says_so_in_every_answer(command: Command, filled: Store) -> None:
    for words in (("query",), ("query", "--count", "--json"), ("stats",), ("areas",)):
        err = command(words[0], filled.address, *words[1:]).err
        assert ("run run-b (harbours) is not complete: 1 of 3 scenes so far, 1 failed" in err) == (words != ("x",))
    assert "so far" not in command("query", filled.address, "--run", "run-a").err


def test_an_object_of_several_runs_is_told_of_or_counted_once(command: Command, filled: Store) -> None:
    outcome = command("query", filled.address, "--count", "--json")
    assert outcome.lines[-1]["detections"] == 35
    assert "1 scene has detections of several runs, and an object counts once in each" in outcome.err
    outcome = command("stats", filled.address, "--json")
    assert outcome.lines[-1]["detections"] == 5
    assert "this is of the latest run alone, run-b (harbours)" in outcome.err
    assert command("stats", filled.address, "--scene", PIXELS.id, "--json").lines[-1]["detections"] == 10


def test_nothing_is_removed_unasked(command: Command, filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = command("remove", filled.address, "--run", "run-a")
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "30 detections; add --yes" in outcome.err
    monkeypatch.setattr(command_remove.sys, "stdin", Terminal())
    for answer, code in ((False, 2), (True, 0)):
        monkeypatch.setattr(command_remove.typer, "confirm", lambda *_, answer=answer, **__: answer)
        assert command("remove", filled.address, "--run", "run-b").code == code
        assert ("run-b" in {run.id for run in filled.runs()}) != answer


class Terminal:
    """A standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def test_runs_and_scenes_are_removed(command: Command, filled: Store) -> None:
    assert command("remove", filled.address, "--scene", UTM.id, "--run", "run-a", "--yes").code == 0
    assert [entry.run for entry in filled.scenes() if entry.scene.id == UTM.id] == ["c-run", "run-b"]
    assert [run.detections for run in filled.runs() if run.id == "run-a"] == [20]
    filled.workspace("c-run").put("a/part", b"")
    (told,) = command("remove", filled.address, "--unfinished", "--yes", "--json").lines
    assert told == {"event": "summary", "runs": ["run-b", "c-run"], "scene": None, "detections": 0}
    assert [(run.id, run.complete, run.pending) for run in filled.runs()] == [("run-a", 2, 0), ("run-b", 1, 0)]
    assert not filled.workspace("c-run").names()
    assert "nothing to remove" in command("remove", filled.address, "--unfinished", "-y").out
    assert command("remove", filled.address, "--run", "run-a", "-y").out.startswith("removed 1 run (run-a) with 20")
    assert [run.id for run in filled.runs()] == ["run-b"]


def test_old_runs_are_removed(command: Command, filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing to remove" in command("remove", filled.address, "--older", "1d", "-y").out

    class Later(datetime):
        @classmethod
        def now(cls, _: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(hours=25)

    monkeypatch.setattr(command_remove, "datetime", Later)
    assert "removed 3 runs" in command("remove", filled.address, "--older", "1d", "-y").out
    assert not filled.runs()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say what to remove"),
        (("--unfinished", "--run", "run-a"), "say what to remove"),
        (("--scene", "nowhere", "-y"), "no such scene"),
        (("--older", "soon", "-y"), "--older soon"),
    ],
)
def test_what_is_not_there_cannot_be_removed(
    command: Command, filled: Store, words: tuple[str, ...], message: str
) -> None:
    outcome = command("remove", filled.address, *words)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert message in outcome.err


def test_files_are_merged(command: Command, filled: Store) -> None:
    before = read(filled).table.to_pylist()
    (told,) = command("compact", filled.address, "--json").lines
    assert (told["event"], told["files_before"], told["files_after"]) == ("summary", 4, 3)
    assert read(filled).table.to_pylist() == before
    left = len(list(Path(filled.address).glob("detections/run-*/*.parquet")))
    assert "3 files before, 3 now" in command("compact", filled.address, "--older", "0h").out
    assert len(list(Path(filled.address).glob("detections/run-*/*.parquet"))) == 3 < left
    assert read(filled).table.to_pylist() == before


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


@pytest.mark.parametrize("words", [("runs",), ("scenes",), ("areas",), ("stats",), ("query", "--count")])
def test_the_last_line_of_json_is_the_summary(command: Command, filled: Store, words: tuple[str, ...]) -> None:
    assert command(words[0], filled.address, *words[1:], "--json").lines[-1]["event"] == "summary"
    assert command("models", "--json").lines[-1]["event"] == "summary"
