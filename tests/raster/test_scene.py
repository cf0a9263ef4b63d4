"""Scenes tell what a file holds, travel as data, and bad files are refused in words."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from swathe.errors import SourceError, UsageError
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.scene import Scene
from swathe.raster.window import Window

from .conftest import TILED, Write

Picture = Callable[..., np.ndarray]
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
GREY = ColorInterp.gray


def test_a_georeferenced_scene(write: Write, picture: Picture) -> None:
    transform = rasterio.Affine(0.5, 0.0, 372_000.0, 0.0, -0.5, 3_058_000.0)
    path = write(picture(300, 200), crs="EPSG:32645", transform=transform, overviews=(2, 4), nodata=7, **TILED)
    scene = open_scene(path)
    assert (scene.id, scene.uri, scene.width, scene.height) == ("scene", str(path), 300, 200)
    assert (scene.bands, scene.dtype, scene.nodata, scene.value_range) == ((1, 2, 3), "uint8", (7.0, 7.0, 7.0), None)
    assert (scene.tiled, scene.block_shape, scene.overviews) == (True, (64, 64), (2, 4))
    assert scene.has_mask
    assert scene.transform == tuple(transform)[:6]
    assert scene.crs is not None
    assert rasterio.crs.CRS.from_wkt(scene.crs).to_epsg() == 32645


def test_a_plain_picture_has_no_georeference_and_no_mask(write: Write, picture: Picture) -> None:
    path = write(picture(70, 50), "plain.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scene = open_scene(path, scene_id="mine")
    assert (scene.id, scene.crs, scene.transform, scene.nodata, scene.tiled) == ("mine", None, None, None, False)
    assert not scene.has_mask


def test_a_vrt_is_tiled_if_the_file_behind_it_is(write: Write, write_vrt: Write, picture: Picture) -> None:
    pixels = picture(300, 200)
    assert not open_scene(write_vrt(write(pixels, "behind.png"))).tiled
    assert open_scene(write_vrt(write(pixels, "behind.tif", **TILED), "other.vrt")).tiled


@pytest.mark.parametrize("nodata", [None, 0, np.nan])
def test_scenes_travel(write: Write, picture: Picture, nodata: float | None) -> None:
    scene = open_scene(write(picture(60, 50, 1, "float32"), nodata=nodata), value_range=(0, 9))
    text = json.dumps(scene.to_json(), allow_nan=False)
    for copy in (Scene.from_json(json.loads(text)), pickle.loads(pickle.dumps(scene))):
        assert str(copy) == str(scene)
        assert copy == scene or nodata not in {None, 0}, "NaN equals nothing"
    assert len(pickle.dumps(scene)) < 1000


def test_damaged_descriptions_are_refused(write: Write, picture: Picture) -> None:
    values = open_scene(write(picture(60, 50))).to_json()
    for damaged in ({**values, "colour": 1}, {key: values[key] for key in values if key != "nodata"}):
        with pytest.raises(SourceError, match="damaged"):
            Scene.from_json(damaged)


@pytest.mark.parametrize(
    ("count", "tags", "bands", "alpha"),
    [
        (1, (), (1,), None),
        (2, (GREY, ColorInterp.alpha), (1,), 2),
        (3, (), (1, 2, 3), None),
        (4, (*RGB, ColorInterp.alpha), (1, 2, 3), 4),
        (4, (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined), (3, 2, 1), None),
        (5, (ColorInterp.alpha, GREY, GREY, GREY, GREY), (2, 3, 4), 1),
        (6, (), (1, 2, 3), None),
        (5, (GREY, GREY, *reversed(RGB)), (5, 4, 3), None),
    ],
)
def test_bands_go_by_their_tags(
    write: Write, picture: Picture, count: int, tags: tuple, bands: tuple[int, ...], alpha: int | None
) -> None:
    pixels = picture(60, 50, count)
    if alpha is not None:
        pixels[alpha - 1] = 255
    scene = open_scene(write(pixels, tags=tags, photometric="minisblack"))
    assert (scene.bands, scene.alpha) == (bands, alpha)
    assert scene.has_mask == (alpha is not None)


def test_bands_can_be_chosen(write: Write, picture: Picture) -> None:
    path = write(picture(60, 50, 5), photometric="minisblack")
    assert open_scene(path, bands=(5, 1, 3)).bands == (5, 1, 3)
    assert open_scene(path, bands=[4]).bands == (4,)
    for bands in ((1, 2, 6), (0, 1, 2), (-1,)):
        with pytest.raises(UsageError, match=r"scene\.tif has no band .*: it has 5"):
            open_scene(path, bands=bands)
    assert open_scene(path, bands=(1, 2, 3, 4, 5)).bands == (1, 2, 3, 4, 5)
    with pytest.raises(UsageError, match=r"scene\.tif: give three"):
        open_scene(path, bands=(1, 2))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32", "float64"])
def test_the_value_range_is_measured_without_empty_pixels(write: Write, picture: Picture, dtype: str) -> None:
    pixels = picture(300, 200, 3, "float64")
    pixels[:, :80] = -5 if dtype != "uint16" else 1
    scene = open_scene(write(pixels.astype(dtype), nodata=float(pixels[0, 0, 0])))
    assert scene.value_range == pytest.approx(np.percentile(pixels.astype(dtype)[:, 80:], (2, 98)))
    assert open_scene(scene.uri) == scene


def test_the_value_range_of_a_large_scene_is_measured_on_a_thinned_view(write: Write, picture: Picture) -> None:
    pixels = picture(2500, 600, 1, "uint16")
    low, high = open_scene(write(pixels, **TILED)).value_range or (0, 0)
    np.testing.assert_allclose((low, high), np.percentile(pixels, (2, 98)), rtol=0.02)


@pytest.mark.parametrize(("fill", "nodata", "expected"), [(9, None, (9, 18)), (0, None, (0, 1)), (9, 9, (0, 1))])
def test_constant_and_empty_scenes_have_a_value_range(
    write: Write, fill: int, nodata: int | None, expected: tuple[float, float]
) -> None:
    assert open_scene(write(np.full((1, 20, 20), fill, dtype=np.uint16), nodata=nodata)).value_range == expected


def test_few_outliers_make_the_range_if_all_else_is_equal(write: Write) -> None:
    pixels = np.full((1, 100, 100), 10, dtype=np.uint16)
    pixels[0, 0, 0] = 50
    assert open_scene(write(pixels)).value_range == (10, 50)


@pytest.mark.parametrize("value_range", [(5, 5), (7, 3), (0, np.inf), (np.nan, 1)])
def test_impossible_value_ranges_are_refused(write: Write, picture: Picture, value_range: tuple) -> None:
    with pytest.raises(UsageError, match="value_range"):
        open_scene(write(picture(20, 20)), value_range=value_range)


def test_bands_of_other_types_are_refused(write: Write) -> None:
    with pytest.raises(SourceError, match="complex64"):
        open_scene(write(np.zeros((1, 20, 20), dtype=np.complex64)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.tif", None, "cannot be found"),
        ("empty.tif", b"", "is empty"),
        ("text.tif", b"1 2 3\n4 5 6\n", "not an image"),
        ("cut.tif", b"II*\0\x08\0\0\0", "not an image"),
        (
            "grid.asc",
            b"ncols 2\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n",
            "convert others, for instance with gdal_translate",
        ),
    ],
)
def test_bad_files_are_named(
    tmp_path: Path, name: str, content: bytes | None, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=rf"{name}: .*{message}"):
        open_scene(tmp_path / name)
    assert not capfd.readouterr().err


def test_a_folder_is_no_scene(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder"):
        open_scene(tmp_path)


def test_a_changed_file_is_noticed(write: Write, picture: Picture) -> None:
    path = write(picture(60, 50))
    scene = open_scene(path)
    scene.check_unchanged()
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError, match=r"scene\.tif: has changed since the run was planned"):
        scene.check_unchanged()
    path.unlink()
    with pytest.raises(SourceError, match="cannot be found"):
        scene.check_unchanged()


def test_impossible_scenes_are_refused(write: Write, picture: Picture) -> None:
    scene = open_scene(write(picture(60, 50)))
    with pytest.raises(SourceError, match="nothing to look at"):
        replace(scene, width=0)
    with pytest.raises(UsageError, match="three"):
        replace(scene, bands=())


def test_describing_rasters_loads_no_raster_library() -> None:
    code = "import sys, swathe.raster.opening, swathe.raster.reader; print({'rasterio', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.filterwarnings("error")
def test_signalling_nan_is_no_data(write: Write) -> None:
    pixels = np.linspace(0, 1, 3 * 40 * 40).reshape(3, 40, 40)
    pixels.view(np.uint64)[:, 5, 5] = 0x7FF0000000000001
    scene = open_scene(write(pixels, photometric="minisblack"), value_range=(0, 1))
    with RasterReader(scene) as reader:
        assert reader.read(Level(1.0, 40, 40), Window(0, 0, 40, 40)).valid == 1 - 1 / 1600
