"""Files as people have them: names, formats, tags and bands that are not what they seem."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from swathe.errors import SourceError
from swathe.opened import open_readable
from swathe.raster.convert import convert
from swathe.raster.fingerprint import fingerprint
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader, TileRead
from swathe.raster.sources import find_sources, scene_ids
from swathe.raster.window import Window

from .conftest import Write
from .test_mosaics import wrap

Picture = Callable[..., np.ndarray]


def read(path: Path | str, **more: Any) -> TileRead:
    scene = open_scene(path, **more)
    with RasterReader(scene) as reader:
        return reader.read(Level.of(scene.width, scene.height, 1.0), Window(0, 0, scene.width, scene.height))


@pytest.fixture
def near_infrared(write: Write, picture: Picture) -> np.ndarray:
    """Four 8-bit bands in nir.tif, of which GDAL calls the last one alpha; half of it is 0."""
    pixels = picture(300, 200, bands=4)
    pixels[3, :, 150:] = 0
    assert rasterio.open(write(pixels, "nir.tif")).colorinterp[3] == ColorInterp.alpha
    return pixels


@pytest.mark.parametrize("overviews", [(), (2, 4)])
def test_near_infrared_that_is_called_alpha_blanks_nothing(
    near_infrared: np.ndarray, write: Write, tmp_path: Path, overviews: tuple[int, ...]
) -> None:
    path = write(near_infrared, "nir.tif", overviews=overviews)
    for bands in (None, (1, 2, 3)):
        shown = read(path, bands=bands)
        assert shown.valid == 1.0
        assert np.array_equal(np.moveaxis(shown.pixels, 2, 0), near_infrared[:3])
    assert open_scene(path, bands=(1, 2, 3)).notes == ()
    (note,) = open_scene(path).notes
    assert note.startswith("its band 4 is not used as a mask")
    assert np.array_equal(read(path, bands=(4, 1, 2)).pixels[..., 0], near_infrared[3])


def test_alpha_that_is_a_mask_still_is(near_infrared: np.ndarray, write: Write) -> None:
    near_infrared[3, near_infrared[3] > 0] = 255
    path = write(near_infrared, "masked.tif")
    assert open_scene(path).notes == ()
    assert read(path).valid == 0.5
    assert not read(path).pixels[:, 150:].any()


def test_images_of_a_tiff_after_the_first_are_told_and_can_be_named(tmp_path: Path, picture: Picture) -> None:
    pages = [np.moveaxis(picture(60, 50, seed=seed), 0, 2) for seed in range(3)]
    first, *others = map(Image.fromarray, pages)
    path = tmp_path / "pages.tif"
    first.save(path, save_all=True, append_images=others)
    (note,) = open_scene(path).notes
    assert note == f"holds 3 images, and only the first is looked at; name the others as GTIFF_DIR:2:{path}"
    named = find_sources([path, f"GTIFF_DIR:2:{path}", f"GTIFF_DIR:3:{path}"])
    assert scene_ids(named) == ["pages", "pages-2", "pages-3"]
    for source, page in zip(named, pages, strict=True):
        assert np.array_equal(read(source).pixels, page)
        assert fingerprint(source) == fingerprint(str(path))
    assert open_scene(f"GTIFF_DIR:2:{path}").notes == ()
    with pytest.raises(SourceError, match=r"GTIFF_DIR:9:.*pages\.tif: is not an image"):
        open_scene(f"GTIFF_DIR:9:{path}")
    with pytest.raises(SourceError, match=r"absent\.tif: cannot be found"):
        open_scene(f"GTIFF_DIR:1:{tmp_path}/absent.tif")


def test_a_photograph_that_viewers_turn_is_told(tmp_path: Path, picture: Picture) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.moveaxis(picture(60, 50), 0, 2)).save(tmp_path / "turned.jpg", exif=exif)
    scene = open_scene(tmp_path / "turned.jpg")
    assert (scene.width, scene.height) == (60, 50)
    assert scene.notes == (
        "viewers show it turned clockwise, as its EXIF data say; here it is looked at as it is stored, pixels too",
    )


@pytest.mark.parametrize(("stored", "typed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_with_marks_are_found_however_they_are_typed(
    tmp_path: Path, write: Write, picture: Picture, stored: str, typed: str
) -> None:
    name = "Zürich-Ōsaka.tif"
    path = write(picture(20, 10)).rename(tmp_path / unicodedata.normalize(stored, name))
    asked = str(tmp_path / unicodedata.normalize(typed, name))
    assert find_sources([asked]) == find_sources([tmp_path]) == [str(path)]
    assert open_scene(asked).uri == str(path)
    assert open_scene(asked).id == unicodedata.normalize("NFC", "Zürich-Ōsaka")
    other = tmp_path / unicodedata.normalize(typed, name)
    other.write_bytes(path.read_bytes())
    assert len(set(scene_ids(find_sources([tmp_path])))) == 2
    assert open_scene(asked).uri == asked


@pytest.fixture
def photograph(tmp_path: Path, picture: Picture) -> Path:
    Image.fromarray(np.moveaxis(picture(320, 240), 0, 2)).save(
        tmp_path / "scene.jpg", quality=90, restart_marker_rows=1
    )
    return tmp_path / "scene.jpg"


@pytest.mark.parametrize(
    ("marker", "stray"),
    [
        (b"\xff\xdb", bytes(range(1, 9))),
        (b"\xff\xda", bytes(range(1, 9))),
        (b"\xff\xd3", bytes(range(1, 9))),
        (b"\xff\xdb", b"\xff\x00"),
        (b"\xff\xda", b"\xff\x00"),
    ],
)
def test_stray_bytes_in_a_jpeg_are_passed_over_as_viewers_do(photograph: Path, marker: bytes, stray: bytes) -> None:
    data, expected = photograph.read_bytes(), read(photograph).pixels
    place = data.index(marker)
    photograph.write_bytes(data[:place] + stray + data[place:])
    with (
        rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True),
        pytest.raises(rasterio.errors.RasterioIOError, match=r"extraneous bytes|See previous"),
        rasterio.open(photograph) as file,
    ):
        file.read()
    assert np.array_equal(read(photograph).pixels, expected)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_jpeg_that_was_cut_short_is_damaged(photograph: Path, share: float) -> None:
    data = photograph.read_bytes()
    for more in (b"", bytes(range(1, 40))):
        photograph.write_bytes(data[: int(len(data) * share)] + more)
        with pytest.raises(SourceError, match="damaged or cut short"):
            read(photograph)


@pytest.mark.parametrize(
    ("name", "driver"), [("x.img", "HFA"), ("x.bsq", "ENVI"), ("x.bmp", "BMP"), ("x.webp", "WEBP")]
)
def test_more_formats_that_gdal_reads(tmp_path: Path, picture: Picture, name: str, driver: str) -> None:
    pixels, place = picture(200, 150), {}
    if driver in {"HFA", "ENVI"}:
        place = {"crs": "EPSG:32645", "transform": rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 3_000_000)}
    lossless = {"LOSSLESS": True} if driver == "WEBP" else {}
    profile = {"driver": driver, "width": 200, "height": 150, "count": 3, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(tmp_path / name, "w", **profile, **place, **lossless) as file:
            file.write(pixels)
    (found,) = find_sources([tmp_path])
    assert np.array_equal(np.moveaxis(read(found).pixels, 2, 0), pixels)
    assert (open_scene(found).crs is not None) == bool(place)
    convert(found, tmp_path / "copy.tif")
    assert np.array_equal(read(tmp_path / "copy.tif").pixels, read(found).pixels)


def test_a_palette_without_colours_is_shown_as_grey(tmp_path: Path, write: Write, picture: Picture) -> None:
    path, grey = tmp_path / "scene.vrt", picture(9, 9, bands=1)
    wrap(path, write(grey, "part.tif").name)
    path.write_text(path.read_text().replace("<SimpleSource>", "<ColorInterp>Palette</ColorInterp><SimpleSource>"))
    assert np.array_equal(read(path).pixels[..., 1], grey[0])
    assert open_scene(path).notes == ("its palette has no colours, so its numbers are shown as grey",)


def test_a_mosaic_is_left_out_where_its_parts_are_looked_at(tmp_path: Path, write: Write, picture: Picture) -> None:
    write(picture(9, 9), "x.tif")
    write(picture(9, 9), "y.tif")
    mosaic = wrap(tmp_path / "all.vrt", "x.tif")
    scenes = open_readable([tmp_path]).scenes
    assert [scene.id for scene in scenes] == ["x", "y"]
    assert scenes[0].notes[0].startswith(f"the mosaic {mosaic} is left out: ")
    assert [scene.id for scene in open_readable([mosaic, tmp_path / "y.tif"]).scenes] == ["all", "y"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "x.tif").rename(tmp_path / "elsewhere" / "x.tif")
    (tmp_path / "x.tif").symlink_to(tmp_path / "elsewhere" / "x.tif")
    assert [scene.id for scene in open_readable([tmp_path]).scenes] == ["x", "y"]
    text = mosaic.read_text()
    source = text[text.index("<SimpleSource>") : text.index("</VRTRasterBand>")]
    mosaic.write_text(text.replace(source, source + source.replace("x.tif", "hidden/z.tif")))
    (tmp_path / "hidden").mkdir()
    write(picture(9, 9), "hidden/z.tif")
    partly = {scene.id: scene for scene in open_readable([mosaic, tmp_path / "x.tif"]).scenes}
    assert set(partly) == {"all", "x"}
    assert "counted twice" in partly["all"].notes[-1]


def test_a_mosaic_behind_a_link_is_read_from_where_it_lies(tmp_path: Path, write: Write, picture: Picture) -> None:
    pixels = picture(9, 9)
    write(pixels, "far/away/parts/x.tif")
    wrap(tmp_path / "far" / "away" / "all.vrt", "parts/x.tif")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "second.vrt").symlink_to("../far/away/all.vrt")
    link = tmp_path / "link.vrt"
    link.symlink_to("near/second.vrt")
    assert np.array_equal(read(link).pixels[..., 0], pixels[0])
    assert fingerprint(str(link)) == fingerprint(str(tmp_path / "far" / "away" / "all.vrt"))
    (tmp_path / "folder").symlink_to("far/away", target_is_directory=True)
    assert np.array_equal(read(tmp_path / "folder" / "all.vrt").pixels[..., 0], pixels[0])
