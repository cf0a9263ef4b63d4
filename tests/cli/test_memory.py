"""`--memory`, and what `swathe plan` says about memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from command import Command
    from red_cells import RedCells

GRID = ("--tile", "128", "--stride", "96")


def test_the_parts_of_a_plan_add_up_to_its_memory(command: Command, scene: RedCells, tiny_model: Path) -> None:
    outcome = command("plan", scene.path, "-m", tiny_model, *GRID, "--workers", "3", "--memory", "4GiB")
    assert outcome.code == 0
    lines = [line for line in outcome.out.splitlines() if "MiB" in line]
    total, *parts = (int(re.findall(r"([\d,]+) MiB", line)[0].replace(",", "")) for line in lines)
    assert total == pytest.approx(sum(parts[:-1]) + 3 * parts[-1], abs=5)
    each = [int(size) for size in re.findall(r"(\d+) MiB", lines[-1])]
    assert each[0] == pytest.approx(sum(each[1:]), abs=4)


def test_a_plan_that_does_not_fit_is_told_and_refused(command: Command, scene: RedCells, tiny_model: Path) -> None:
    words = ("plan", scene.path, "-m", tiny_model, *GRID, "--workers", "8", "--memory", "600MiB")
    outcome = command(*words)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "Memory   about" in outcome.out
    proposed = int(re.findall(r"--workers (\d+)", outcome.err)[0])
    assert 0 < proposed < 8
    assert command(*words, "--workers", str(proposed)).code == 0
    outcome = command(*words, "--json")
    assert outcome.code == 2
    assert outcome.lines[0]["memory_bytes"] > outcome.lines[0]["memory_limit_bytes"] == 600 << 20


def test_a_detection_that_does_not_fit_replaces_nothing(
    command: Command, scene: RedCells, tiny_model: Path, store: Path
) -> None:
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    words = ("-o", store, *GRID, "--scales", "1", "--overwrite", "--memory", "1MB")
    outcome = command("detect", scene.path, "-m", tiny_model, *words)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "--memory" in outcome.err
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_an_amount_that_is_none_is_refused(command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", "--memory", "plenty")
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "1.5GB" in outcome.err
