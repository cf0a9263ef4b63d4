"""Messages about values name the option to change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import swathe
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


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--near", "1,2,-3"), "--near 1,2,-3: the radius"),
        (("--length", ".."), "--length ..: both ends are open"),
        (("--length", "9..5"), "--length 9..5: must be"),
        (("--box", 5, 2, 3, 1), "--box 5 2 3 1: must be"),
        (("--min-score", "nan"), "--min-score nan: must be a number from 0 to 1"),
        (("--classes", "ship, ,"), "--classes 'ship, ,': must be names"),
        (("--acquired", "May.."), "--acquired May..: must be a time"),
    ],
)
def test_errors_show_what_was_typed(command: Command, tmp_path: Path, words: tuple[object, ...], told: str) -> None:
    outcome = command("query", tmp_path, *words)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert outcome.err.startswith(f"error: {told}")


def test_the_library_names_no_option_of_the_command() -> None:
    """Options are the command's: a library that names them sends callers of Python looking for what is not there."""
    source = Path(swathe.__file__).parent
    named = [
        f"{path.relative_to(source)}: {line.strip()}"
        for path in sorted(source.rglob("*.py"))
        if path.relative_to(source).parts[0] != "cli"
        for line in path.read_text().splitlines()
        if re.search(r"(?<![\w-])--[a-z]", line) and not re.search(r"pip install|ogr2ogr", line)
    ]
    assert not named


def test_an_empty_model_is_called_empty(command: Command, scene: RedCells, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    outcome = command("detect", scene.path, "-m", tmp_path / "model.onnx", "-o", tmp_path / "found")
    assert (outcome.code, outcome.is_one_error) == (4, True)
    assert "is empty" in outcome.err
