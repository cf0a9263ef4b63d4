"""What mosaics may make GDAL open: images where they lie themselves, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from swathe.errors import SourceError
from swathe.raster.convert import convert
from swathe.raster.gdal import open_dataset
from swathe.raster.mosaics import VRT_DEPTH, parts
from swathe.raster.opening import open_scene

from .conftest import Write

RAW = (
    '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1" {sub}="VRTRawRasterBand">'
    '<{source} {relative}="{number}">{name}</{source}><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset>'
    "<LineOffset>8</LineOffset></VRTRasterBand></VRTDataset>"
)
USUAL = {"sub": "subClass", "source": "SourceFilename", "relative": "relativeToVRT"}
SPELLINGS = [
    USUAL,
    {**USUAL, "sub": "subclass"},
    {**USUAL, "source": "sourcefilename"},
    {**USUAL, "relative": "relativetoVRT"},
    {"sub": "SUBCLASS", "source": "SOURCEFILENAME", "relative": "RELATIVETOVRT"},
]


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


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
@pytest.mark.parametrize("number", ["0", "1"])
def test_raw_bands_read_only_what_lies_beside_them(tmp_path: Path, spelling: dict[str, str], number: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out.raw").write_bytes(b"secret" * 20)
    (tmp_path / "in" / ".key").write_bytes(bytes(64))
    (tmp_path / "in" / "link.raw").symlink_to(tmp_path / "out.raw")
    own = np.arange(64, dtype=np.uint8).reshape(8, 8)
    (tmp_path / "in" / "own.raw").write_bytes(own.tobytes())
    path, start = tmp_path / "in" / "raw.vrt", "" if number == "1" else f"{tmp_path}/in/"
    path.write_text(RAW.format(**spelling, number=number, name=f"{start}own.raw"))
    assert parts(str(path)) == (str(tmp_path / "in" / "own.raw"),)
    with open_dataset(str(path)) as dataset:
        assert np.array_equal(dataset.read(1), own)
    for name in ("../out.raw", "link.raw", ".key"):
        path.write_text(RAW.format(**spelling, number=number, name=f"{start}{name}"))
        for command in (open_scene, lambda source: convert(str(source), tmp_path / "copy.tif")):
            with pytest.raises(SourceError, match=r"raw\.vrt: reads .* as raw pixels"):
                command(path)
    assert not (tmp_path / "copy.tif").exists()


@settings(max_examples=30)
@given(data=st.data())
def test_no_spelling_gets_at_a_file_elsewhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("spelt")
    (folder / "secret").write_bytes(b"secret" * 20)
    (folder / "in").mkdir()
    text = RAW.format(**USUAL, number="0", name=folder / "secret")
    words = sorted(
        {
            word
            for word in re.findall(r"[A-Za-z]{3,}", text)
            if word not in {"VRTDataset", *str(folder).split("/"), "secret"}
        }
    )
    for word in words:
        letters = data.draw(st.lists(st.booleans(), min_size=len(word), max_size=len(word)))
        text = re.sub(
            rf"(?<![/\w]){word}(?!\w)",
            "".join(c.swapcase() if turn else c for c, turn in zip(word, letters, strict=True)),
            text,
        )
    (folder / "in" / "x.vrt").write_text(text)
    with pytest.raises(SourceError):
        open_dataset(str(folder / "in" / "x.vrt"))


def test_mosaics_too_deep(tmp_path: Path) -> None:
    for depth in range(VRT_DEPTH + 5):
        wrap(tmp_path / f"{depth}.vrt", f"{depth + 1}.vrt")
    with pytest.raises(SourceError, match=f"more than {VRT_DEPTH} deep"):
        open_scene(tmp_path / "0.vrt")


@pytest.mark.parametrize(
    "text",
    [
        "<VRTDataset rasterXSize='9'",
        '<!DOCTYPE x [<!ENTITY a "b">]><VRTDataset>&a;</VRTDataset>',
        "<VRTDataset>\0",
        "BM<VRTDataset/>",
        "<VRTDataset><SourceFilename>a<!-- -->b</SourceFilename></VRTDataset>",
        "<VRTDataset><?a?></VRTDataset>",
    ],
)
def test_mosaics_that_are_not_well_formed(tmp_path: Path, text: str) -> None:
    (tmp_path / "scene.vrt").write_text(text)
    with pytest.raises(SourceError, match=r"scene\.vrt: is not a well-formed VRT"):
        open_scene(tmp_path / "scene.vrt")


@pytest.mark.parametrize(
    "name",
    [
        "WMS:http://127.0.0.1:9/",
        "&lt;GDAL_WMS/&gt;",
        "&lt;VRTDataset/&gt;",
        "http://127.0.0.1:9/a.tif",
        "HTTPS://name:key@host/a.tif?key",
        "/vsistdin/",
        "/vsicurl/http://127.0.0.1:9/a.tif?key",
        "/vsis3/bucket/a.tif",
        "/vsizip/a.zip/a.tif",
        "vrt://part.tif",
        "part.tif ",
        "{}",
    ],
)
@pytest.mark.parametrize("relative", ["0", "1"])
def test_mosaics_of_files_name_plain_files_only(tmp_path: Path, name: str, relative: str) -> None:
    wrap(tmp_path / "scene.vrt", name)
    text = (tmp_path / "scene.vrt").read_text().replace('VRT="1"', f'VRT="{relative}"')
    (tmp_path / "scene.vrt").write_text(text)
    with pytest.raises(SourceError, match=r"scene\.vrt: the VRT names ") as caught:
        open_scene(tmp_path / "scene.vrt")
    assert "key" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '<VRTRasterBand subClass="VRTDerivedRasterBand"/>',
        "<PixelFunctionType>sum</PixelFunctionType>",
        '<SimpleSource SourceFilename="/etc/passwd"/>',
        "<VRTRasterBand><subClass>VRTRawRasterBand</subClass></VRTRasterBand>",
        '<SourceFilename relativeToVRT="2">a.tif</SourceFilename>',
        '<SourceFilename relativeToVRT="1" RelativeToVRT="0">a.tif</SourceFilename>',
        '<SimpleSource><OpenOptions><OOI key="ROOT_PATH">/etc</OOI></OpenOptions></SimpleSource>',
        '<Metadata domain="Overviews"><MDI key="OVERVIEW_FILE">/etc/passwd</MDI></Metadata>',
        "<Group/>",
        "<x:SimpleSource xmlns:x='y'/>",
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scene.vrt").write_text(f'<VRTDataset rasterXSize="9" rasterYSize="9">{text}</VRTDataset>')
    with pytest.raises(SourceError, match=r"scene\.vrt: the VRT uses .* not read"):
        open_scene(tmp_path / "scene.vrt")


@pytest.mark.parametrize(
    "content", [b"<GDAL_WMS><Service/></GDAL_WMS>", b"root:x:0:0:", b"BM but no bitmap", b"RIFF1234AVI "]
)
def test_parts_are_images(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "part.tif").write_bytes(content)
    with pytest.raises(SourceError, match=r"scene\.vrt: its part .*part\.tif: does not begin as GeoTIFF"):
        open_scene(wrap(tmp_path / "scene.vrt", "part.tif"))


@pytest.mark.parametrize("beside", [".ovr", ".msk"])
def test_files_beside_an_image_are_images(tmp_path: Path, write: Write, beside: str) -> None:
    path = write(np.zeros((3, 90, 90), dtype=np.uint8))
    (tmp_path / "secret").write_bytes(b"secret" * 20)
    Path(f"{path}{beside}").write_text(RAW.format(**USUAL, number="0", name=tmp_path / "secret"))
    with pytest.raises(SourceError, match=r"does not begin as GeoTIFF"):
        open_scene(path)


def test_an_image_does_not_name_its_overviews_elsewhere(write: Write) -> None:
    path = write(np.zeros((3, 90, 90), dtype=np.uint8))
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/vsicurl/http://127.0.0.1:9/a.tif")
    with pytest.raises(SourceError, match=r"scene\.tif: names '/vsicurl.* for its overviews"):
        open_scene(path)


def test_mosaics_that_gdal_writes_are_read(tmp_path: Path, write: Write) -> None:
    pixels = np.random.default_rng(0).integers(1, 255, (4, 90, 80), dtype=np.uint8)
    place = {"crs": "EPSG:32645", "transform": rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 3_000_000), "nodata": 0}
    path = write(pixels, overviews=(2,), mask=np.full((90, 80), 255, dtype=np.uint8), **place)
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2024-05-01 10:20:30")
        file.update_tags(1, STATISTICS_MEAN="3")
        file.scales, file.offsets, file.descriptions = (2.0,) * 4, (1.0,) * 4, ("a", "b", "c", "d")
    coloured = write(pixels[:1], "coloured.tif", colormap={1: (1, 2, 3, 4)})
    made = [tmp_path / f"{name}.vrt" for name in ("plain", "coloured", "warped", "turned")]
    rasterio.shutil.copy(path, made[0], driver="VRT")
    rasterio.shutil.copy(coloured, made[1], driver="VRT")
    with rasterio.open(path) as file:
        with WarpedVRT(file, crs="EPSG:4326", resampling=Resampling.cubic, add_alpha=False) as warped:
            rasterio.shutil.copy(warped, made[2], driver="VRT")
        points = [
            rasterio.control.GroundControlPoint(r, c, c * 1.0, r * 2.0) for r, c in ((0, 0), (9, 0), (0, 9), (9, 9))
        ]
        with WarpedVRT(file, src_crs="EPSG:3857", gcps=points, crs="EPSG:4326") as warped:
            rasterio.shutil.copy(warped, made[3], driver="VRT")
    for mosaic in made:
        with rasterio.open(mosaic) as expected, open_dataset(str(mosaic)) as dataset:
            assert np.array_equal(dataset.read(), expected.read())


def test_a_page_of_a_tiff_as_a_part(tmp_path: Path, write: Write) -> None:
    path = write(np.full((1, 9, 9), 7, dtype=np.uint8), "part.tif")
    with open_dataset(str(wrap(tmp_path / "scene.vrt", f"GTIFF_DIR:1:{path.name}"))) as dataset:
        assert (dataset.read() == 7).all()
    assert parts(str(tmp_path / "scene.vrt")) == (str(path),)


def test_a_folder_as_a_part(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=r"its part .*folder: is a folder"):
        open_scene(wrap(tmp_path / "scene.vrt", "folder"))
