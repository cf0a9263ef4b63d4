"""Messages about values name the option to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from red_cells import RedCells

if TYPE_CHECKING:
    from command import Command


@pytest.mark.parametrize(("option", "value"), [("--merge-iou", -1), ("--tile", 0)])
def test_a_bad_value_names_its_option(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path, option: str, value: int
) -> None:
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "found", option, value)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert option in outcome.err


def test_an_empty_model_is_called_empty(command: Command, scene: RedCells, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    outcome = command("detect", scene.path, "-m", tmp_path / "model.onnx", "-o", tmp_path / "found")
    assert (outcome.code, outcome.is_one_error) == (4, True)
    assert "is empty" in outcome.err
