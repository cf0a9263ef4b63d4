"""How a scene is shown to the model can be chosen, belongs to the run, and what is wrong with a scene is said."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from command import Command
from swathe.store import open_store

SMALL = ("--tile", "64", "--workers", "0")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Values from 0 to 4095 with a transform, but no reference system."""
    values = np.linspace(0, 4095, 3 * 80 * 90).reshape(3, 80, 90).astype(np.uint16)
    path = tmp_path / "scene.tif"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        transform = rasterio.Affine(2, 0, 5, 0, -2, 7)
        size = {"width": 90, "height": 80, "count": 3, "dtype": "uint16"}
        with rasterio.open(path, "w", driver="GTiff", transform=transform, **size) as file:
            file.write(values)
    return path


def test_the_range_of_values_is_planned(command: Command, scene: Path) -> None:
    def planned(*words: str) -> list[float] | None:
        (plan,) = command("plan", scene, "--json", *words).lines
        return plan["scenes"][0]["value_range"]

    assert planned() == planned("--value-range", "percentile") == pytest.approx([82, 4013], abs=2)
    assert planned("--value-range", "-5,1000.5") == [-5.0, 1000.5]


def test_a_run_is_that_of_its_range(command: Command, scene: Path, tiny_model: Path, tmp_path: Path) -> None:
    store, runs = tmp_path / "store", {}
    for limits in ((), ("--value-range", "0,4095"), ("--value-range", "0,9000")):
        outcome = command("detect", scene, "-m", tiny_model, "-o", store, "--json", *SMALL, *limits)
        assert outcome.code == 0, outcome.err
        runs[outcome.lines[-1]["run"]] = limits[1:]
    assert len(runs) == 3
    for run in open_store(store).runs():
        limits = runs[run.id]
        assert run.about["settings"]["value_range"] == (list(map(float, limits[0].split(","))) if limits else None)


@pytest.mark.parametrize("limits", ["5", "1,2,3", "7,7", "9,2", "nan,5", "low,high", "percent"])
def test_ranges_that_are_none(command: Command, scene: Path, limits: str) -> None:
    outcome = command("plan", scene, "--value-range", limits)
    assert outcome.code == 2
    assert f"--value-range {limits}" in outcome.err


def test_people_see_why_a_scene_has_no_place(command: Command, scene: Path, tiny_model: Path, tmp_path: Path) -> None:
    copy = scene.with_name("copy.tif")
    copy.write_bytes(scene.read_bytes())
    note = "Note     copy and 1 more: not georeferenced: it names no reference system; detections stay in pixels; name"
    for words in (("plan", tmp_path), ("detect", tmp_path, "-m", tiny_model, "-o", tmp_path / "store", *SMALL)):
        assert note in command(*words).out
    (plan,) = command("plan", scene, "--json").lines
    assert plan["scenes"][0]["notes"][0].startswith("not georeferenced")


def test_a_picture_in_another_range(command: Command, scene: Path, tiny_model: Path, tmp_path: Path) -> None:
    from PIL import Image

    assert command("detect", scene, "-m", tiny_model, "-o", tmp_path / "store", *SMALL).code == 0
    assert command("draw", tmp_path / "store", "-o", tmp_path / "dark.png", "--value-range", "0,65535").code == 0
    assert command("draw", tmp_path / "store", "-o", tmp_path / "bright.png").code == 0
    dark, bright = (np.asarray(Image.open(tmp_path / name).convert("L")).mean() for name in ("dark.png", "bright.png"))
    assert dark < 20 < bright
