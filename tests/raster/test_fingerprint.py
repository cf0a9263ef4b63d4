"""A change of any file that the pixels of a scene come from is noticed, and a missing one is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from swathe.errors import SourceError
from swathe.raster.fingerprint import VRT_DEPTH, fingerprint, vrt_parts
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene

from . import kinds
from .conftest import Write


@pytest.fixture
def mosaic(tmp_path: Path) -> Scene:
    return open_scene(kinds.KINDS["mosaic of mosaics"](tmp_path).path)


def test_the_parts_of_a_mosaic(mosaic: Scene, tmp_path: Path) -> None:
    parts = [tmp_path / "inner.vrt", *(tmp_path / "parts" / f"{number}.tif" for number in range(3))]
    assert vrt_parts(mosaic.uri) == [str(part) for part in parts]
    assert vrt_parts(str(parts[1])) == []
    assert fingerprint(mosaic.uri)[0] == sum(part.stat().st_size for part in [Path(mosaic.uri), *parts])


@pytest.mark.parametrize("part", ["inner.vrt", "parts/2.tif", "scene.vrt"])
def test_a_changed_part_is_noticed(mosaic: Scene, tmp_path: Path, part: str) -> None:
    mosaic.check_unchanged()
    os.utime(tmp_path / part, ns=(1, 1))
    with pytest.raises(SourceError, match=r"scene\.vrt: has changed"):
        mosaic.check_unchanged()


def test_a_missing_part_is_named_before_anything_is_read(mosaic: Scene, tmp_path: Path) -> None:
    (tmp_path / "parts" / "1.tif").unlink()
    message = r"scene\.vrt: its part .*parts/1\.tif: cannot be found .*put it back"
    for check in (mosaic.check_unchanged, lambda: open_scene(mosaic.uri)):
        with pytest.raises(SourceError, match=message):
            check()
    (tmp_path / "parts" / "1.tif").touch()
    with pytest.raises(SourceError, match=r"its part .*parts/1\.tif: is empty"):
        open_scene(mosaic.uri)


def test_relative_names_start_at_the_mosaic(mosaic: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert open_scene("../scene.vrt").fingerprint == mosaic.fingerprint
    moved = tmp_path / "elsewhere" / "scene.vrt"
    moved.write_text(Path(mosaic.uri).read_text())
    with pytest.raises(SourceError, match=r"elsewhere/inner\.vrt: cannot be found"):
        open_scene(moved)


@pytest.mark.parametrize("beside", [".msk", ".ovr"])
def test_masks_and_overviews_beside_a_file_belong_to_it(
    write: Write, picture: Callable[..., np.ndarray], beside: str
) -> None:
    scene = open_scene(write(picture(60, 50)))
    other = write(np.full((1, 50, 60), 255, dtype=np.uint8), "other.tif")
    other.rename(f"{scene.uri}{beside}")
    with pytest.raises(SourceError, match="has changed"):
        scene.check_unchanged()


def wrap(path: Path, name: str, extra: str = "") -> Path:
    """A VRT that shows another file."""
    path.write_text(
        f'{extra}<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{name}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    return path


def test_mosaics_that_hold_themselves(tmp_path: Path) -> None:
    alone = wrap(tmp_path / "alone.vrt", "alone.vrt")
    wrap(tmp_path / "b.vrt", "a.vrt")
    for path in (alone, wrap(tmp_path / "a.vrt", "b.vrt")):
        with pytest.raises(SourceError, match=r"holds itself, by way of .*vrt; make the VRT again"):
            open_scene(path)


@pytest.mark.parametrize("relative", ["0", "1"])
def test_raw_bands_read_only_what_lies_beside_them(tmp_path: Path, relative: str) -> None:
    (tmp_path / "in").mkdir()
    for place in ("out.raw", "in/own.raw"):
        (tmp_path / place).write_bytes(bytes(64))
    text = (
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1" '
        'subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="{}">{}</SourceFilename>'
        "<PixelOffset>1</PixelOffset><LineOffset>8</LineOffset></VRTRasterBand></VRTDataset>"
    )
    path, start = tmp_path / "in" / "raw.vrt", "" if relative == "1" else f"{tmp_path}/in/"
    path.write_text(text.format(relative, f"{start}own.raw"))
    assert list(vrt_parts(str(path))) == [str(tmp_path / "in" / "own.raw")]
    path.write_text(text.format(relative, f"{start}../out.raw"))
    with pytest.raises(SourceError, match=r"raw\.vrt: reads .*out\.raw as raw pixels"):
        vrt_parts(str(path))


def test_mosaics_too_deep(tmp_path: Path) -> None:
    for depth in range(VRT_DEPTH + 5):
        wrap(tmp_path / f"{depth}.vrt", f"{depth + 1}.vrt")
    with pytest.raises(SourceError, match=f"more than {VRT_DEPTH} deep"):
        open_scene(tmp_path / "0.vrt")


@pytest.mark.parametrize(
    "text",
    ["<VRTDataset rasterXSize='9'", '<!DOCTYPE x [<!ENTITY a "b">]><VRTDataset>&a;</VRTDataset>', "<VRTDataset>\0"],
)
def test_mosaics_that_are_not_well_formed(tmp_path: Path, text: str) -> None:
    (tmp_path / "scene.vrt").write_text(text)
    with pytest.raises(SourceError, match=r"scene\.vrt: is not a well-formed VRT"):
        open_scene(tmp_path / "scene.vrt")


def test_names_that_are_no_paths_are_left_to_gdal(tmp_path: Path) -> None:
    for name in ("/vsizip/https://example.org/a.zip", "GTIFF_DIR:1:a.tif", "&lt;VRTDataset/&gt;", " "):
        assert vrt_parts(str(wrap(tmp_path / "scene.vrt", name))) == []


@pytest.mark.parametrize("name", ["WMS:http://127.0.0.1:9/", "wcs:http://127.0.0.1:9/", "&lt;GDAL_WMS/&gt;"])
def test_map_services_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=r"scene\.vrt: names the map service"):
        vrt_parts(str(wrap(tmp_path / "scene.vrt", name)))


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/a.tif", "HTTPS://name:key@host/a.tif?key", "/vsistdin/"])
def test_names_that_are_read_to_their_end_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=r"scene\.vrt: names .* fetched to its end") as caught:
        vrt_parts(str(wrap(tmp_path / "scene.vrt", name)))
    assert "key" not in str(caught.value)


def test_a_folder_as_a_part(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=r"its part .*folder: is a folder"):
        open_scene(wrap(tmp_path / "scene.vrt", "folder"))
