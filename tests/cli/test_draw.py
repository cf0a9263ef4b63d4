"""`swathe draw`: parts of scenes, single detections, pages, and scenes that are not where they were."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from red_cells import RedCells

if TYPE_CHECKING:
    from command import Command


def test_a_detection_is_drawn_with_what_is_around_it(command: Command, store: Path, tmp_path: Path) -> None:
    first = command("query", store, "--json").lines[0]
    words = ("draw", store, "--id", first["id"], "--margin", "10px", "--size", 400, "-o")
    assert command(*words, tmp_path / "one.png").code == 0
    assert command(*words, tmp_path / "north.png", "--north-up", "--scores").code == 0
    with Image.open(tmp_path / "one.png") as picture:
        assert max(picture.size) <= 400
    assert command(*words, tmp_path / "page.html").code == 0
    data = re.search(r'type="application/json">(.*?)</script>', (tmp_path / "page.html").read_text("utf-8"), re.DOTALL)
    assert data is not None
    shown = json.loads(data[1])
    assert shown["boxes"][shown["chosen"]][1] == round(first["score"], 3)


def test_a_box_in_degrees(command: Command, store: Path, tmp_path: Path) -> None:
    corners = command("query", store, "--json").lines[0]["polygon"]
    (west, east), (south, north) = ((min(side), max(side)) for side in zip(*corners, strict=True))
    outcome = command("draw", store, "--box", west, south, east, north, "-o", tmp_path / "part.png", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.lines[-1]["detections"] >= 1


def test_a_page(command: Command, store: Path, tmp_path: Path) -> None:
    assert command("draw", store, "-o", tmp_path / "page.html", "--classes", "ship").code == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "Content-Security-Policy" in text


@pytest.mark.parametrize(
    "words",
    [
        ("--id", "nonsense"),
        ("--id", "run/scene/7"),
        ("--margin", "3m"),
        ("--pixels", 0, 0, 9, 9, "--box", 0, 0, 9, 9),
        ("--box", 0, 0, 1, 1),
        ("--box", 0, 5, 1, 4),
    ],
)
def test_views_that_make_no_sense_are_one_line(
    command: Command, store: Path, tmp_path: Path, words: tuple[object, ...]
) -> None:
    outcome = command("draw", store, "-o", tmp_path / "a.png", *words)
    assert (outcome.code, outcome.is_one_error) == (2, True), outcome.err
    assert not (tmp_path / "a.png").exists()


def test_a_scene_that_is_gone_says_where_to_name_it(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    image = tmp_path / "moved.tif"
    shutil.copy(scene.path, image)
    words = ("detect", image, "-m", tiny_model, "-o", tmp_path / "found", "--tile", 128, "--workers", 0, "--quiet")
    outcome = command(*words)
    assert (outcome.code, outcome.out) == (0, "")
    image.unlink()
    outcome = command("draw", tmp_path / "found", "-o", tmp_path / "a.png")
    assert (outcome.code, outcome.is_one_error) == (3, True)
    assert "--image" in outcome.err
    assert command("draw", tmp_path / "found", "-o", tmp_path / "a.png", "--image", scene.path).code == 0
