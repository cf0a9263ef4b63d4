"""Scenes that are large, or say so: nothing takes longer or more memory than the pixels that are looked at."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from swathe.raster import pixels
from swathe.raster.gdal import open_dataset
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.window import Window

from . import kinds
from .conftest import TILED, Write

Picture = Callable[..., np.ndarray]
SIDE = 60_000  # pixels


def write_sparse(path: Path, dtype: str, row: int, col: int, values: np.ndarray) -> Path:
    """A BigTIFF of 60,000 x 60,000 pixels of which only some tiles are in the file."""
    size = {"width": SIDE, "height": SIDE, "count": 3, "dtype": dtype, "nodata": 0}
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path, "w", driver="GTiff", bigtiff="YES", sparse_ok=True, **size, **layout)
    with file:
        file.write(values, window=RasterioWindow(col, row, values.shape[2], values.shape[1]))
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_sparse_bigtiff_of_3600_megapixels(tmp_path: Path, picture: Picture, dtype: str) -> None:
    values = np.maximum(picture(300, 200, 3, dtype), 1)
    path = write_sparse(tmp_path / "scene.tif", dtype, SIDE - 200, SIDE - 300, values)
    assert path.read_bytes()[2] == 43, "BigTIFF"
    scene = open_scene(path)
    assert (scene.width, scene.height, scene.tiled) == (SIDE, SIDE, True)
    low, high = scene.value_range or (0.0, 255.0)
    with RasterReader(scene) as reader:
        level = Level.of(SIDE, SIDE, 1.0)
        assert reader.read(level, Window(31_000, 17_000, 1024, 1024)).valid == 0.0
        found = reader.read(level, Window(SIDE - 400, SIDE - 200, 400, 200))
        half = reader.read(Level.of(SIDE, SIDE, 0.5), Window(SIDE // 2 - 150, SIDE // 2 - 100, 150, 100))
    shown = np.rint(np.clip((np.clip(values.astype(float), low, high) - low) * 255 / (high - low), 0, 255))
    np.testing.assert_array_equal(found.pixels[:, 100:], np.moveaxis(shown, 0, 2))
    assert found.valid == 0.75
    assert half.valid == 1.0


def test_the_value_range_of_a_large_scene_is_measured_on_pieces(
    write: Write, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = picture(2600, 1900, 1, "uint16")
    expected = np.percentile(values, (2, 98))
    scene = open_scene(write(values, **TILED))
    monkeypatch.setattr(pixels, "READ_WHOLE", 1 << 20)
    in_pieces = open_scene(write(values, "other.tif", **TILED))
    assert in_pieces.value_range != scene.value_range
    assert in_pieces == open_scene(in_pieces.uri), "always the same pieces"
    for found in (scene, in_pieces):
        np.testing.assert_allclose(found.value_range or (0, 0), expected, rtol=0.03)


def test_the_pieces_of_scenes_of_any_size_lie_inside(
    write: Write, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "READ_WHOLE", 0)
    for width, height in ((1, 1), (3, 500), (70, 63), (64, 64), (2000, 1)):
        values = picture(width, height, 1, "uint16")
        low, high = open_scene(write(values, f"{width}.tif")).value_range or (0, 0)
        assert values.min() <= low < high <= max(values.max(), 2 * values.min())


def test_data_between_the_pieces_are_found(tmp_path: Path, picture: Picture) -> None:
    values = np.tile(picture(100, 100, 3, "uint16"), (1, 22, 22))
    scene = open_scene(write_sparse(tmp_path / "scene.tif", "uint16", 4 * SIDE // 15 + 400, 400, values))
    assert not scene.notes
    low, high = scene.value_range or (0, 0)
    assert values.min() <= low < high <= values.max()


def test_a_large_scene_in_which_no_data_are_found(tmp_path: Path) -> None:
    scene = open_scene(write_sparse(tmp_path / "scene.tif", "uint16", 0, 100, np.ones((3, 1, 1), dtype=np.uint16)))
    assert scene.value_range == (0.0, 1.0)
    assert scene.notes == (
        "no data were found to measure its range of values by; if there are some, name the range yourself",
    )


@pytest.mark.parametrize("kind", ["internal mask", "external mask", "mask of each band"])
def test_overviews_without_the_mask_are_not_used(tmp_path: Path, kind: str) -> None:
    built = kinds.KINDS[kind](tmp_path)
    with open_dataset(str(built.path)) as file:
        thinned = file.read()[:, ::2, ::2]
    kinds.write(tmp_path / "overview.tif", thinned).rename(f"{built.path}.ovr")
    with open_dataset(str(built.path)) as file:
        assert file.overviews(1) == [2]
    scene = open_scene(built.path)
    assert scene.overviews == ()
    level = Level.of(scene.width, scene.height, 0.5)
    with RasterReader(scene) as reader:
        assert reader.read(level, Window(0, 0, level.width, level.height)).valid < 0.95


def test_tens_of_thousands_of_bands(tmp_path: Path) -> None:
    bands = "".join(f'<VRTRasterBand dataType="Byte" band="{band}"/>' for band in range(1, 20_001))
    path = tmp_path / "scene.vrt"
    path.write_text(f'<VRTDataset rasterXSize="9" rasterYSize="9">{bands}</VRTDataset>')
    assert open_scene(path).bands == (1, 2, 3)
