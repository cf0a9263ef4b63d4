"""What is printed never steers a terminal, whatever names files, scenes and classes have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import Command
from requirements import need
from swathe.cli.output import printable
from swathe.detections import Detections, SceneInfo
from swathe.errors import ModelError, UsageError
from swathe.model.info import ModelInfo

ESCAPES = "\x1b[2Jgone\x1b]0;taken\x07"


def store_of(folder: Path, class_name: str, scene: str) -> Path:
    info = SceneInfo(id=scene, uri="scene.tif", width=200, height=200)
    found = Detections.from_arrays([[90.0, 80.0, 30.0, 12.0, 0.4]], [0.9], [0], [class_name], info, "run")
    return found.save(folder / "store")


def test_what_is_no_text_is_written_out() -> None:
    assert printable("Käse 漁船 €\n") == "Käse 漁船 €\\n"
    assert printable(f"{ESCAPES}\u202e\udcff") == r"\x1b[2Jgone\x1b]0;taken\x07\u202e\udcff"


@pytest.mark.parametrize("words", ["query", "scenes", "stats", "runs"])
def test_names_of_scenes_are_written_out(command: Command, tmp_path: Path, words: str) -> None:
    outcome = command(words, store_of(tmp_path, "\u202eship", f"{ESCAPES}\nsecond line"))
    assert outcome.code == 0
    assert all(letter.isprintable() or letter == "\n" for letter in outcome.out + outcome.err)
    assert "\nsecond" not in outcome.out


def test_in_json_names_are_as_they_are(command: Command, tmp_path: Path) -> None:
    outcome = command("scenes", store_of(tmp_path, "ship", ESCAPES), "--json")
    assert json.loads(outcome.out)["scenes"][0]["scene"] == ESCAPES
    assert outcome.out.replace("\n", "").isprintable()


def test_a_class_may_have_a_name_that_looks_like_a_formula(command: Command, tmp_path: Path) -> None:
    need("matplotlib")
    assert command("stats", store_of(tmp_path, "$\\frac{$ _", "scene"), "-o", tmp_path / "a.svg").code == 0
    assert "<!-- $\\frac{$ _" in (tmp_path / "a.svg").read_text("utf-8")


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31mred", "nul\0", "\ud800"])
def test_classes_are_named_in_text(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="must be different from each other, not empty, and without line feeds"):
        store_of(tmp_path, name, "scene")
    with pytest.raises(ModelError, match="a class name that is empty or has line feeds"):
        ModelInfo(name="m", size="n", classes=("ship", name), input_size=128)
