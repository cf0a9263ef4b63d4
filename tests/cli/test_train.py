"""`swathe train --check`: what would be learned, and what cannot be, before the night."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from requirements import need

need("torch")
need("cv2")

if TYPE_CHECKING:
    from command import Command

CONFIG = """
model = {name = "m", classes = ["a"], input_size = 128}
run = {output = "run"}
schedule = {epochs = 1, views = 4, batch = 4, nominal_batch = 4}
train = [{KIND, labels = "LABELS", images = "IMAGES"}]
"""


def written(tmp_path: Path, text: str, kind: str = "dota") -> Path:
    (tmp_path / "labels").mkdir()
    (tmp_path / "images").mkdir()
    Image.new("RGB", (300, 300)).save(tmp_path / "images" / "P1.png")
    (tmp_path / "labels" / "P1.txt").write_text(text)
    config = CONFIG.replace("LABELS", str(tmp_path / "labels")).replace("IMAGES", str(tmp_path / "images"))
    (tmp_path / "c.toml").write_text(config.replace("KIND", f'kind = "{kind}"'))
    return tmp_path / "c.toml"


SHARES = "0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2 a 0\n0.5 0.5 0.6 0.5 0.6 0.6 0.5 0.6 a 0\n"


def test_shares_of_the_image_are_told_from_pixels(command: Command, tmp_path: Path) -> None:
    outcome = command("train", written(tmp_path, SHARES), "--check")
    assert (outcome.code, outcome.is_one_error) == (3, True)
    assert "none of its 2 objects is larger than a pixel" in outcome.err
    assert "yolo-obb" in outcome.err


def test_shares_are_read_as_such(command: Command, tmp_path: Path) -> None:
    config = written(tmp_path, "0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n", "yolo-obb")
    (tmp_path / "labels" / "classes.txt").write_text("a\n")
    (found,) = command("train", config, "--check", "--json").lines
    assert (found["objects"], found["flat"]) == ({"a": 1}, 0)


def test_images_without_labels_are_counted(command: Command, tmp_path: Path) -> None:
    config = written(tmp_path, "10 10 50 10 50 50 10 50 a 0\n")
    assert "without labels" not in command("train", config, "--check").out
    Image.new("RGB", (30, 30)).save(tmp_path / "images" / "P2.png")
    assert "1 image without labels: not used" in command("train", config, "--check").out


@pytest.mark.parametrize("square", [0, 1])
def test_points_and_lines_are_left_out(command: Command, tmp_path: Path, square: int) -> None:
    flat = "5 5 5 5 5 5 5 5 a 0\n10 10 50 50 10 10 50 50 a 0\n"
    outcome = command("train", written(tmp_path, flat + "10 10 50 10 50 50 10 50 a 0\n" * square), "--check")
    if square:
        assert "1 a" in outcome.out
        assert "2 objects without any area (a point or a line): left out" in outcome.out
    else:
        assert outcome.code == 2
        assert "2 objects without any area cannot be learned" in outcome.err
