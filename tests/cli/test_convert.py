"""`swathe convert`: names of targets, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

from command import Command
from red_cells import RedCells


def test_one_source_becomes_one_file(command: Command, scene: RedCells, tmp_path: Path) -> None:
    target = tmp_path / "cog.tif"
    outcome = command("convert", scene.path, "-o", target)
    assert outcome.code == 0
    assert outcome.out.startswith(f"{target}  ")
    assert target.stat().st_size > 0
    refused = command("convert", scene.path, "-o", target)
    assert refused.code == 5
    assert "--overwrite" in refused.err
    assert refused.is_one_error


def test_several_become_a_folder_and_a_bad_one_does_not_stop_the_others(
    command: Command, scene: RedCells, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(scene.path, tmp_path / "in" / "good.tif")
    (tmp_path / "in" / "bad.png").write_text("no picture")
    outcome = command("convert", tmp_path / "in", "-o", tmp_path / "out", "--json")
    assert outcome.code == 6
    assert "bad.png" in outcome.err
    assert [line["file"] for line in outcome.lines[:-1]] == [str(tmp_path / "out" / "good.tif")]
    assert (outcome.lines[-1]["event"], outcome.lines[-1]["images"]) == ("summary", 1)
    assert "bad.png" in outcome.lines[-1]["failed"][0]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.tif"]
    shutil.copy(scene.path, tmp_path / "in" / "bad.png")
    again = command("convert", tmp_path / "in", "-o", tmp_path / "out", "--json", "--skip-existing")
    assert [line["file"] for line in again.lines[:-1]] == [str(tmp_path / "out" / "bad.tif")]


def test_wrong_use_is_one_line(command: Command, scene: RedCells, tmp_path: Path) -> None:
    other = shutil.copy(scene.path, tmp_path / "other.tif")
    for words, code in (
        ((scene.path, other, "-o", tmp_path / "cog.tif"), 2),
        ((scene.path, "-o", tmp_path / "cog.tif", "--compress", "lzma"), 2),
        ((scene.path, "-o", tmp_path / "cog.tif", "--overwrite", "--skip-existing"), 2),
        ((scene.path, "-o", other / "below"), 5),
        ((tmp_path / "absent.tif", "-o", tmp_path / "cog.tif"), 3),
    ):
        outcome = command("convert", *words)
        assert outcome.code == code
        assert outcome.is_one_error
