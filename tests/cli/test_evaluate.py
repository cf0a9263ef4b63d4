"""`swathe evaluate` on DOTA files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from command import Command

SQUARE = "10 10 30 10 30 30 10 30"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """One image with one ship."""
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "P0001.txt").write_text(f"{SQUARE} ship 0\n")
    return folder


@pytest.fixture
def found(tmp_path: Path) -> Path:
    """The ship, found where it is."""
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "Task1_ship.txt").write_text(f"P0001 0.9 {SQUARE}\n")
    return folder


def test_json_has_the_documented_keys(command: Command, labels: Path, found: Path) -> None:
    outcome = command("evaluate", "--truth", labels, "--found", found, "--json")
    assert outcome.code == 0
    (report,) = outcome.lines
    expected = {"map50_voc07": 1.0, "map50_area": 1.0, "map50_95_area": 1.0}
    assert {key: report[key] for key in expected} == pytest.approx(expected)
    assert {key: report["classes"]["ship"][key] for key in expected} == pytest.approx(expected)


def test_table_is_for_people(command: Command, labels: Path, found: Path) -> None:
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 0
    assert "ship" in outcome.out


@pytest.mark.parametrize("line", ["P0001 0.9 10 10 30 10", "P0001 high 10 10 30 10 30 30 10 30"])
def test_damaged_result_is_one_line(command: Command, labels: Path, found: Path, line: str) -> None:
    (found / "Task1_ship.txt").write_text(line)
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 3
    assert "Task1_ship.txt, line 1" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("line", ["10 10 30 10 ship 0", "10 10 30 10 30 30 10 thirty ship 0"])
def test_damaged_label_is_one_line(command: Command, labels: Path, found: Path, line: str) -> None:
    (labels / "P0001.txt").write_text(line)
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 3
    assert "P0001.txt" in outcome.err
    assert outcome.err.count("\n") == 1


def test_class_of_the_detections_that_no_label_has(command: Command, labels: Path, found: Path) -> None:
    (found / "Task1_plane.txt").write_text(f"P0001 0.9 {SQUARE}\n")
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 3
    assert "plane" in outcome.err
    assert command("evaluate", "--truth", labels, "--found", found, "--classes", "ship").code == 0


@pytest.mark.parametrize("missing", ["truth", "found"])
def test_missing_folder(command: Command, labels: Path, found: Path, missing: str, tmp_path: Path) -> None:
    places = {"truth": labels, "found": found} | {missing: tmp_path / "nowhere"}
    outcome = command("evaluate", "--truth", places["truth"], "--found", places["found"])
    assert outcome.code == 3
    assert "nowhere" in outcome.err
