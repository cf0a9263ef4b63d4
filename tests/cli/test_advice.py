"""`swathe plan` and `swathe detect` say once what converting would gain, and where it would not they say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio

from command import Command
from red_cells import RedCells, write_red_cells

HALF = ("--scales", "0.5", "--tile", "128", "--stride", "96", "--workers", "0")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A scene without overviews that takes no place on the disk."""
    path = tmp_path / "large.tif"
    size = {"width": 2800, "height": 1800, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, sparse_ok=True, nodata=0, **size):
        return path


def test_plan_says_what_converting_would_gain(command: Command, large: Path) -> None:
    outcome = command("plan", large, *HALF)
    assert outcome.code == 0
    hints = [line for line in outcome.err.splitlines() if line.startswith("Hint")]
    assert len(hints) == 1
    assert "times less decoding" in hints[0]
    assert "no overview for scale 0.5" in hints[0]
    assert "swathe convert" in hints[0]
    [advice] = command("plan", large, *HALF, "--json").lines[0]["advice"]
    assert (advice["scene"], advice["reason"]) == ("large", "it has no overview for scale 0.5")
    assert f"about {advice['gain']:.2g} times" in hints[0]


def test_detect_says_it_and_keeps_it_out_of_the_results(
    command: Command, large: Path, tiny_model: Path, tmp_path: Path
) -> None:
    outcome = command("detect", large, "-m", tiny_model, "-o", tmp_path / "s", *HALF, "--json")
    assert outcome.code == 0
    assert outcome.err.count("Hint") == 1
    assert outcome.lines[-1]["event"] == "summary"


def test_nothing_is_said_where_nothing_is_gained(command: Command, scene: RedCells, large: Path) -> None:
    assert "Hint" not in command("plan", scene.path, *HALF).err
    outcome = command("plan", large, *HALF[2:], "--scales", "1", "--json")
    assert "Hint" not in outcome.err
    assert outcome.lines[0]["advice"] == []


def test_a_converted_scene_needs_no_advice(command: Command, large: Path, tmp_path: Path) -> None:
    assert command("convert", large, "-o", tmp_path / "cog.tif").code == 0
    assert "Hint" not in command("plan", tmp_path / "cog.tif", *HALF).err


def test_a_plan_names_the_scenes_that_cannot_be_opened(command: Command, tmp_path: Path) -> None:
    write_red_cells(tmp_path / "good.tif")
    (tmp_path / "bad.tif").write_bytes(b"")
    outcome = command("plan", tmp_path, "--json")
    assert outcome.code == 6
    assert "failed bad: " in outcome.err
    assert list(outcome.lines[-1]["failed"]) == ["bad"]
    assert [scene["id"] for scene in outcome.lines[-1]["scenes"]] == ["good"]
