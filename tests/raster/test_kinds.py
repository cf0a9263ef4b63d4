"""Rasters of every kind give the picture that they hold, whatever windows it is read in."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swathe.raster.grid import Grid
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.scene import Scene
from swathe.raster.window import Window

from .kinds import KINDS, Built

EXACT = {1.0, 0.5, 1 / 3}  # whole source pixels under each of the level's: windows agree to the last bit


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Built]:
    """Build a raster of a kind, each kind once."""
    return functools.cache(lambda kind: KINDS[kind](tmp_path_factory.mktemp("kind")))


def whole(scene: Scene, scale: float = 1.0) -> tuple[np.ndarray, float]:
    level = Level.of(scene.width, scene.height, scale)
    with RasterReader(scene) as reader:
        read = reader.read(level, Window(0, 0, level.width, level.height))
    return read.pixels.astype(int), read.valid


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_what_was_written(build: Callable[[str], Built], kind: str) -> None:
    built = build(kind)
    scene = open_scene(built.path)
    pixels, valid = whole(scene)
    assert np.abs(pixels - built.pixels).max() <= built.tolerance
    assert valid == built.valid.mean()
    assert scene.has_mask or valid == 1.0
    assert not scene.notes


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_crops_of_the_picture(build: Callable[[str], Built], kind: str) -> None:
    built = build(kind)
    scene = Scene.from_json(json.loads(json.dumps(open_scene(built.path).to_json(), allow_nan=False)))
    pixels, _ = whole(scene)
    level = Level(1.0, scene.width, scene.height)
    with RasterReader(pickle.loads(pickle.dumps(scene))) as reader:
        for window in Grid(scene.width, scene.height, 24, 17):
            read = reader.read(level, window)
            place = np.s_[window.row_off :, window.col_off :]
            size = np.s_[: window.height, : window.width]
            np.testing.assert_array_equal(read.pixels, pixels[place][size])
            assert read.valid == built.valid[place][size].mean()


@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)), scale=st.sampled_from([1, 1 / 2, 1 / 3, 0.37, 0.8, 1.5, 2]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_window_of_any_level_is_a_crop(
    build: Callable[[str], Built], data: st.DataObject, kind: str, scale: float
) -> None:
    scene = open_scene(build(kind).path)
    level, (pixels, _) = Level.of(scene.width, scene.height, scale), whole(scene, scale)
    left, top = data.draw(st.integers(0, level.width - 1)), data.draw(st.integers(0, level.height - 1))
    width, height = data.draw(st.integers(1, level.width - left)), data.draw(st.integers(1, level.height - top))
    with RasterReader(scene) as reader:
        found = reader.read(level, Window(left, top, width, height)).pixels
    expected = pixels[top : top + height, left : left + width]
    differ = np.where((found > 0) & (expected > 0), np.abs(found - expected), 0)
    assert differ.max() <= (0 if scale in EXACT else 2)
    assert np.count_nonzero((found > 0) != (expected > 0)) <= (0 if scale in EXACT else 0.02 * found.size + 3)


def test_the_page_names_what_is_tried() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "rasters.md").read_text()
    _, _, tried = page.partition("compared with what was written or with another decoder:\n\n")
    assert " ".join(tried.split("\n\n")[0].split()) == "; ".join(KINDS) + "."
