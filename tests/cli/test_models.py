"""The commands around models: list, train, export, figures. What they do is tested in their rooms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from requirements import need

if TYPE_CHECKING:
    from command import Command


def test_models_are_listed_for_people_and_machines(command: Command) -> None:
    from swathe.detectors.registry import list_models

    listed = command("models", "--json").lines[0]["models"]
    assert [entry["name"] for entry in listed] == [model.name for model in list_models()]
    shown = command("models")
    assert shown.code == 0
    assert all(entry["name"] in shown.out for entry in listed)


@pytest.mark.parametrize("text", [None, "no = [toml", "[model]\nsize = 'n'\ncolour = 'blue'\n"])
def test_bad_configuration_is_one_line(command: Command, tmp_path: Path, text: str | None) -> None:
    need("torch")
    path = tmp_path / "recipe.toml"
    if text is not None:
        path.write_text(text)
    outcome = command("train", path)
    assert outcome.code in (2, 3)
    assert outcome.is_one_error
    assert "recipe.toml" in outcome.err


def test_training_library_that_is_missing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for words in (("train", tmp_path / "recipe.toml"), ("figures", "alpha")):
        outcome = command(*words)
        assert (outcome.code, outcome.is_one_error) == (7, True)
        assert "swathe[train]" in outcome.err


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_checkpoint_that_is_none(command: Command, tmp_path: Path, content: bytes | None) -> None:
    need("torch")
    path = tmp_path / "best.safetensors"
    if content is not None:
        path.write_bytes(content)
    outcome = command("export", path)
    assert (outcome.code, outcome.is_one_error) == (4, True)
    assert "best.safetensors" in outcome.err
    assert not path.with_suffix(".onnx").exists()


def test_figure_is_drawn_once(command: Command, tmp_path: Path) -> None:
    need("torch")
    need("matplotlib")
    words = ("figures", "alpha", "-o", tmp_path / "alpha.png")
    assert command(*words).code == 0
    with Image.open(tmp_path / "alpha.png") as picture:
        assert min(picture.size) > 300
    assert command(*words).code == 5
    assert command(*words, "--overwrite").code == 0


def test_training_events_are_lines_of_json(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need("torch")
    from swathe.training import check, config, loop

    def two_steps(path: Path, watch: loop.Watch) -> loop.TrainingResult:
        for step in (1, 2):
            watch(loop.TrainingEvent(step, 2, 1, 1, {"total": 1.0 / step}))
        return loop.TrainingResult(path, path / "best", path / "last", {"map50_area": 0.5}, 1.5, 0.25)

    monkeypatch.setattr(config, "load_config", lambda path: path)
    monkeypatch.setattr(check, "unlabelled_images", lambda _: 0)
    monkeypatch.setattr(loop, "train", two_steps)
    lines = command("train", tmp_path, "--json").lines
    assert [line["event"] for line in lines] == ["training", "training", "summary"]
    assert lines[-1]["scores"] == {"map50_area": 0.5}
    shown = command("train", tmp_path)
    assert "map50_area 0.5000" in shown.out
