"""`swathe detect` and `swathe plan`: what they print, and what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from red_cells import RedCells, write_red_cells
from swathe.detections import Detections
from swathe.stages import STAGES
from swathe.store import open_store

if TYPE_CHECKING:
    from command import Command

GRID = ("--tile", "128", "--stride", "96", "--workers", "0")


def counts(outcome_lines: list[dict[str, object]]) -> tuple[object, object]:
    """Return windows and detections of the summary."""
    return outcome_lines[-1]["windows"], outcome_lines[-1]["detections"]


def test_json_events_end_in_a_summary(command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "store", *GRID, "--json")
    assert outcome.code == 0
    events = [line["event"] for line in outcome.lines]
    assert events[0] == "run_planned"
    assert events[-2:] == ["scene_merged", "summary"]
    assert set(events[1:-2]) == {"batch_finished"}
    summary = outcome.lines[-1]
    assert summary["windows"] == outcome.lines[0]["windows"] == 5 * 3
    assert summary["detections"] == len(scene.ships) + len(scene.planes)
    assert summary["per_class"] == {"ship": len(scene.ships), "plane": len(scene.planes)}
    assert summary["seconds"] > 0
    assert [Path(name).exists() for name in summary["files"]] == [True]


def test_people_see_plan_progress_and_summary(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    geojson = tmp_path / "found.geojson"
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", *GRID, "--geojson", geojson)
    assert outcome.code == 0
    for part in (
        "15 windows of 128 px every 96 px at scale 1",
        "windows per second",
        f"{len(scene.ships)} ship",
        str(geojson),
    ):
        assert part in outcome.out
    assert "Memory   about" in outcome.err
    assert len(json.loads(geojson.read_text())["features"]) == len(scene.ships) + len(scene.planes)


def test_profile_says_where_the_time_went(command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    words = ("detect", scene.path, "-m", tiny_model, *GRID)
    outcome = command(*words, "-o", tmp_path / "people", "--profile")
    table = outcome.out[outcome.out.index("Profile") :].splitlines()
    assert [line.split()[0] for line in table[1:10]] == [*STAGES, "idle"]
    summary = command(*words, "-o", tmp_path / "machines", "--json").lines[-1]
    stages = summary["stages"]
    assert isinstance(stages, dict)
    assert set(stages) == set(STAGES)
    assert all(stages[name] > 0 for name in ("start", "read", "infer", "decode", "merge", "write"))


def test_defaults_follow_from_model_and_tile(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", "--tile", "256", "--workers", "0")
    assert "of 256 px every 192 px at scale 1" in outcome.out
    assert "from score 0.25" in outcome.out


def test_options_reach_the_run(command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    options = ("--classes", "plane", "--scales", "1,2", "--min-score", "0.5", "--bands", "1,2,3", "--merge-iou", "0.3")
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", *GRID, *options, "--json")
    assert outcome.code == 0
    assert set(Detections.open(tmp_path / "s").classes.tolist()) == {"plane"}
    assert outcome.lines[0]["windows"] == 15 + 9 * 7


def test_second_call_has_nothing_to_do(command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    words = ("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", *GRID, "--json")
    first, second = command(*words), command(*words)
    assert second.code == 0
    assert [line["event"] for line in second.lines] == ["summary"]
    assert counts(second.lines) == counts(first.lines)
    assert second.lines[-1]["files"] == first.lines[-1]["files"]


def test_other_settings_are_another_run_beside_the_first(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s"
    words = ("detect", scene.path, "-m", tiny_model, "-o", store, *GRID, "--json")
    first = command(*words).lines[-1]["run"]
    second = command(*words, "--min-score", "0.6", "--name", "strict").lines[-1]["run"]
    assert [(run.id, run.name) for run in open_store(store).runs()] == [(first, None), (second, "strict")]
    assert command(*words, "--min-score", "0.7", "--overwrite").code == 0
    assert len(open_store(store).runs()) == 1


def test_another_file_of_the_same_name_is_refused_until_it_has_another_name(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / scene.path.name
    other.parent.mkdir()
    write_red_cells(other, width=256, height=256)
    words = ("-m", tiny_model, "-o", tmp_path / "s", *GRID, "--json")
    assert command("detect", scene.path, *words).code == 0
    refused = command("detect", other, *words)
    assert (refused.code, refused.is_one_error) == (2, True)
    for part in (str(other), str(scene.path), "--scene-prefix"):
        assert part in refused.err
    renamed = command("detect", other, *words, "--scene-prefix", "other-")
    assert renamed.lines[-1]["scenes"] == ["other-harbour"]
    assert {stored.scene.id for stored in open_store(tmp_path / "s").scenes()} == {"harbour", "other-harbour"}


def make_text(path: Path) -> None:
    """Text where an image should be."""
    path.write_text("this is no image")


def make_empty(path: Path) -> None:
    """A file without a byte."""
    path.write_bytes(b"")


def make_truncated(path: Path) -> None:
    """The first half of an image."""
    whole = path.with_name("whole.tif")
    write_red_cells(whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()


@pytest.mark.parametrize("make", [None, make_text, make_empty, make_truncated])
def test_bad_scene_is_one_line_with_its_name(command: Command, tiny_model: Path, tmp_path: Path, make: object) -> None:
    path = tmp_path / "bad.tif"
    if callable(make):
        make(path)
    outcome = command("detect", path, "-m", tiny_model, "-o", tmp_path / "s", *GRID, "--json")
    assert outcome.code == 3
    assert outcome.is_one_error
    assert "bad.tif" in outcome.err
    if (tmp_path / "s").exists():
        assert len(Detections.open(tmp_path / "s")) == 0


def test_scene_that_breaks_does_not_take_the_others_along(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    shutil.copy(scene.path, folder / "good.tif")
    make_truncated(folder / "broken.tif")
    words = ("detect", folder, "-m", tiny_model, "-o", tmp_path / "s", *GRID, "--json")
    outcome = command(*words)
    assert outcome.code == 6
    assert "broken" in outcome.err
    assert set(Detections.open(tmp_path / "s").scene_ids.tolist()) == {"good"}
    assert outcome.lines[-1]["failed"].keys() == {"broken"}
    shutil.copy(scene.path, folder / "broken.tif")
    mended = command("detect", folder / "broken.tif", *words[2:])
    assert mended.code == 0
    assert set(Detections.open(tmp_path / "s").scene_ids.tolist()) == {"broken", "good"}


def test_scenes_that_cannot_be_opened_do_not_take_the_others_along(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    shutil.copy(scene.path, folder / "good.tif")
    make_text(folder / "text.tif")
    make_empty(folder / "empty.tif")
    words = ("detect", folder, "-m", tiny_model, "-o", tmp_path / "s", *GRID, "--json")
    for _ in range(2):  # also when the good one is done
        outcome = command(*words)
        assert outcome.code == 6
        assert outcome.lines[0]["event"] == "scene_failed"
        assert outcome.lines[-1]["failed"].keys() == {"empty", "text"}
        assert outcome.lines[-1]["detections"] == len(scene.ships) + len(scene.planes)
    (folder / "good.tif").unlink()
    outcome = command("detect", folder, "-m", tiny_model, "-o", tmp_path / "other", *GRID)
    assert (outcome.code, outcome.is_one_error) == (3, True)
    assert "1 more" in outcome.err
    assert not (tmp_path / "other").exists()


def test_geojson_of_two_kinds_is_refused_before_the_work(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    plain = write_red_cells(tmp_path / "plain.tif", georeferenced=False).path
    words = ("detect", scene.path, plain, "-m", tiny_model, "-o", tmp_path / "s", *GRID)
    outcome = command(*words, "--geojson", tmp_path / "all.geojson")
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "'plain'" in outcome.err
    assert not (tmp_path / "s").exists()
    assert command(*words).code == 0
    table = command("query", tmp_path / "s")
    assert table.code == 0
    assert "lon or x" in table.out
    assert {line.split()[0] for line in table.out.splitlines()[1:-1]} == {"harbour", "plain"}


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (("--tile", "0"), 2, "--tile 0"),
        (("--stride", "200"), 2, "--stride 200"),
        (("--scales", "0"), 2, "--scales 0"),
        (("--scales", "1,1"), 2, "--scales 1,1: "),
        (("--min-score", "2"), 2, "--min-score 2"),
        (("--merge-iou", "-1"), 2, "-1"),
        (("--workers", "-3"), 2, "--workers -3"),
        (("--classes", "boat"), 2, "boat"),
        (("--bands", "1,2,9"), 2, "no band 9"),
        (("--memory", "300"), 2, "--memory 300: is less than the"),
        (("--backend", "abacus"), 2, "abacus"),
        (("-m", "no-such-model"), 4, "no-such-model"),
        (("--geojson", "/nowhere/at/all.geojson"), 5, "/nowhere/at"),
    ],
)
def test_bad_values_are_one_line(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path, options: tuple[str, ...], code: int, part: str
) -> None:
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", *GRID, *options)
    assert (outcome.code, outcome.is_one_error) == (code, True), outcome.err
    assert part in outcome.err
    assert not (tmp_path / "s").exists()


def test_corrupt_weights(command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    content = bytearray(tiny_model.read_bytes())
    content[len(content) // 3] ^= 0xFF
    model.write_bytes(content)
    outcome = command("detect", scene.path, "-m", model, "-o", tmp_path / "s", *GRID)
    assert (outcome.code, outcome.is_one_error) == (4, True)
    assert "model.onnx" in outcome.err
    assert not (tmp_path / "s").exists()


def test_output_that_is_no_store(command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    for extra in ((), ("--overwrite",)):
        outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "notes", *GRID, *extra)
        assert (outcome.code, outcome.is_one_error) == (5, True)
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"


def test_plan_counts_without_a_model(command: Command, tmp_path: Path) -> None:
    write_red_cells(tmp_path / "a.tif", width=500, height=400)
    outcome = command("plan", tmp_path, "--tile", "128", "--stride", "64", "--scales", "0.5,1,1.5", "--json")
    assert outcome.code == 0
    (plan,) = outcome.lines
    assert plan["levels"] == [
        {"scale": 0.5, "windows": 3 * 3},
        {"scale": 1.0, "windows": 7 * 6},
        {"scale": 1.5, "windows": 11 * 9},
    ]
    assert plan["windows"] == 9 + 42 + 99
    each = sum(plan["memory"][f"{part}_bytes"] for part in ("worker", "reading", "windows", "model"))
    shared = sum(plan["memory"][f"{part}_bytes"] for part in ("libraries", "driver", "merge"))
    assert plan["memory_bytes"] == shared + plan["workers"] * each > 0
    assert (
        "150 windows of 128 px"
        in command("plan", tmp_path, "--tile", "128", "--stride", "64", "--scales", "0.5,1,1.5").out
    )


def test_plan_with_a_model_is_the_plan_of_the_detection(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    (plan,) = command("plan", scene.path, "-m", tiny_model, *GRID, "--json").lines
    (bare,) = command("plan", scene.path, *GRID, "--json").lines
    summary = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", *GRID, "--json").lines[-1]
    assert (plan["run"], plan["windows"]) == (summary["run"], summary["windows"])
    assert plan["memory"]["model_bytes"] > bare["memory"]["model_bytes"] == 0
    assert command("plan", scene.path, "-m", "nothing").code == 4


def test_plan_of_nothing(command: Command, tmp_path: Path) -> None:
    outcome = command("plan", tmp_path / "*.tif")
    assert (outcome.code, outcome.is_one_error) == (3, True)


@pytest.mark.parametrize("name", ["found.geojson", "found.GPKG", "found.coco.json"])
def test_a_store_is_not_named_like_a_file(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path, name: str
) -> None:
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / name, *GRID)
    assert outcome.code == 2
    assert "a store is a folder" in outcome.err
    assert "--export" in outcome.err
    assert not (tmp_path / name).exists()
