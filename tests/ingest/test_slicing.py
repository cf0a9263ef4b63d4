"""`swathe slice`: what is found in slices is what is found in the windows of their scene."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from command import Command
from hdfs_cluster import HdfsCluster
from red_cells import RedCells, write_red_cells
from swathe.errors import SourceError, UsageError
from swathe.raster.manifest import read_manifest
from swathe.raster.opening import open_reader, open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.sources import find_sources, scene_ids
from swathe.raster.window import Window

GRID = ("--tile", "128", "--stride", "96")


@pytest.fixture
def scene(tmp_path: Path) -> RedCells:
    return write_red_cells(tmp_path / "harbour.tif")


def found_in(command: Command, source: object, model: Path, store: Path, scales: str) -> list[str]:
    """Detect, and return what was found, sorted."""
    table = store.with_suffix(".geojson")
    words = ("-m", model, "-o", store, *GRID, "--scales", scales, "--workers", "0", "--geojson", table)
    outcome = command("detect", source, *words)
    assert outcome.code == 0, outcome.err
    features = json.loads(table.read_text())["features"]
    own = ("id", "run", "scene")
    properties = [{key: one["properties"][key] for key in one["properties"] if key not in own} for one in features]
    return sorted(json.dumps([one["geometry"], facts]) for one, facts in zip(features, properties, strict=True))


@pytest.mark.parametrize("scales", ["1", "0.5,1"])
def test_slices_give_what_windows_give(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path, scales: str
) -> None:
    folder = tmp_path / "slices"
    assert command("slice", scene.path, folder, *GRID, "--scales", scales).code == 0
    expected = found_in(command, scene.path, tiny_model, tmp_path / "windows", scales)
    assert len(expected) >= len(scene.ships) + len(scene.planes)
    assert found_in(command, folder, tiny_model, tmp_path / "sliced", scales) == expected


def test_a_folder_of_slices_is_one_scene(command: Command, scene: RedCells, tmp_path: Path) -> None:
    command("slice", scene.path, tmp_path / "slices", *GRID, "--quiet")
    (manifest,) = find_sources([tmp_path / "slices"])
    assert manifest == str(tmp_path / "slices" / "harbour" / "slices.json")
    assert scene_ids([manifest]) == ["harbour"]
    opened, original = open_scene(manifest), open_scene(scene.path)
    assert (opened.width, opened.height, opened.crs, opened.transform) == (
        original.width,
        original.height,
        original.crs,
        original.transform,
    )


def test_pixels_are_those_of_the_windows(command: Command, scene: RedCells, tmp_path: Path) -> None:
    command("slice", scene.path, tmp_path / "slices", *GRID, "--scales", "0.5,1.5", "--quiet")
    manifest = read_manifest(str(tmp_path / "slices" / "harbour" / "slices.json"))
    windows, slices = open_reader(open_scene(scene.path)), open_reader(manifest.scene)
    for one in manifest.slices:
        level = Level.of(manifest.scene.width, manifest.scene.height, one.scale)
        expected, read = windows.read(level, one.window), slices.read(level, one.window)
        np.testing.assert_array_equal(read.pixels, expected.pixels)
        assert read.valid == expected.valid
    with pytest.raises(SourceError, match=r"cut with tile 128, stride 96 and scales 0\.5, 1\.5"):
        slices.read(Level.of(448, 320, 1.0), Window(0, 0, 128, 128))


@pytest.mark.parametrize("place", [Window(7, 13, 301, 222), Window(0, 0, 448, 320)])
def test_other_windows_are_put_together_from_slices(
    command: Command, scene: RedCells, tmp_path: Path, place: Window
) -> None:
    command("slice", scene.path, tmp_path / "slices", *GRID, "--quiet")
    level = Level.of(448, 320, 1.0)
    with (
        RasterReader(open_scene(scene.path)) as windows,
        RasterReader(open_scene(tmp_path / "slices" / "harbour" / "slices.json")) as slices,
    ):
        np.testing.assert_array_equal(slices.read(level, place).pixels, windows.read(level, place).pixels)


def test_what_was_found_in_slices_can_be_drawn(
    command: Command, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    command("slice", scene.path, tmp_path / "slices", *GRID, "--quiet")
    words = ("-m", tiny_model, *GRID, "--workers", "0", "--quiet")
    for source, store in ((tmp_path / "slices", "sliced"), (scene.path, "whole")):
        assert command("detect", source, *words, "-o", tmp_path / store).code == 0
        assert command("draw", tmp_path / store, "-o", tmp_path / f"{store}.png").code == 0
    assert (tmp_path / "sliced.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def test_a_manifest_names_slices_alone(command: Command, scene: RedCells, tmp_path: Path) -> None:
    command("slice", scene.path, tmp_path / "slices", *GRID, "--quiet")
    manifest = tmp_path / "slices" / "harbour" / "slices.json"
    manifest.write_text(manifest.read_text().replace("1/000000.png", "/vsicurl/http://elsewhere/a.png"))
    with pytest.raises(SourceError, match="which is no slice"):
        RasterReader(open_scene(manifest)).read(Level.of(448, 320, 1.0), Window(0, 0, 9, 9))


def test_damage_is_told(command: Command, scene: RedCells, tmp_path: Path) -> None:
    command("slice", scene.path, tmp_path / "slices", *GRID, "--quiet")
    manifest = tmp_path / "slices" / "harbour" / "slices.json"
    opened = open_scene(manifest)
    (manifest.parent / "1" / "000000.png").unlink()
    with pytest.raises(SourceError, match=r"000000\.png"):
        open_reader(opened).read(Level.of(448, 320, 1.0), Window(0, 0, 128, 128))
    with pytest.raises(UsageError, match="shown as they were cut"):
        open_scene(manifest, value_range=(0, 1))
    manifest.write_text("{}")
    with pytest.raises(SourceError, match=r"slices\.json: is damaged"):
        open_scene(manifest)


def test_slices_lie_in_a_cluster(
    command: Command, hdfs: HdfsCluster, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    place = f"{hdfs.address}/slices"
    assert command("slice", scene.path, place, *GRID, "--quiet").code == 0
    expected = found_in(command, scene.path, tiny_model, tmp_path / "windows", "1")
    assert found_in(command, f"{place}/", tiny_model, tmp_path / "sliced", "1") == expected
