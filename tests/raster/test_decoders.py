"""Decoders that hold a whole picture are counted, and those that refuse it are foreseen."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from swathe.errors import SourceError
from swathe.raster import decoders
from swathe.raster.decoders import JpegFrame, read_jpeg_frame
from swathe.raster.opening import open_scene
from swathe.raster.reader import reader_memory

from .conftest import Write
from .kinds import ycck_jpeg


def jpeg(mode: str = "RGB", size: tuple[int, int] = (100, 70), **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 100).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "subsampling", "blocks"),
    [
        ("RGB", 0, 13 * 9 * 3),  # of 8 pixels a side
        ("RGB", 2, 7 * 5 * (4 + 1 + 1)),  # of 16, with four blocks of luma
        ("L", 0, 13 * 9),
        ("CMYK", 0, 13 * 9 * 4),
    ],
)
@pytest.mark.parametrize("progressive", [False, True])
def test_frames(mode: str, subsampling: int, blocks: int, progressive: bool) -> None:
    content = jpeg(mode, subsampling=subsampling, progressive=progressive)
    assert read_jpeg_frame(io.BytesIO(content)) == JpegFrame(progressive, blocks * 128, ycck=False)


@given(st.binary(max_size=200), st.integers(0, 600))
def test_damaged_headers_are_none(noise: bytes, length: int) -> None:
    for content in (noise, b"\xff\xd8" + noise, jpeg()[:length] + noise):
        frame = read_jpeg_frame(io.BytesIO(content))
        assert frame is None or frame.coefficient_bytes >= 0


def test_a_progressive_jpeg_counts_in_the_memory(tmp_path: Path) -> None:
    needs = []
    for name, progressive in (("a.jpg", False), ("b.jpg", True)):
        (tmp_path / name).write_bytes(jpeg(size=(800, 640), progressive=progressive, subsampling=0))
        scene = open_scene(tmp_path / name)
        needs.append((scene.decoder_bytes, reader_memory(scene, 256, 1.0)))
    assert needs[0][0] == 0
    assert needs[1][0] == 800 * 640 * 3 * 2 == needs[1][1] - needs[0][1]


def test_a_progressive_jpeg_that_gdal_refuses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "LIBJPEG_BYTES", 1 << 20)
    path = tmp_path / "scene.jpg"
    path.write_bytes(jpeg(size=(900, 700), subsampling=0))
    assert open_scene(path).decoder_bytes == 0
    path.write_bytes(jpeg(size=(900, 700), progressive=True, subsampling=0))
    with pytest.raises(SourceError, match=r"scene\.jpg: is a progressive JPEG that takes 3 MiB at once, .* `jpegtran`"):
        open_scene(path)


@pytest.mark.parametrize(("interlace", "expected"), [(0, 0), (1, 30 * 20 * 3)])
def test_an_interlaced_png_counts_in_the_memory(tmp_path: Path, interlace: int, expected: int) -> None:
    path = tmp_path / "scene.png"
    Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8)).save(path)
    content = bytearray(path.read_bytes())
    content[28] = interlace
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    assert open_scene(path).decoder_bytes == expected


def test_jpegs_whose_colours_would_be_wrong_are_refused(tmp_path: Path) -> None:
    path = ycck_jpeg(tmp_path)
    with pytest.raises(SourceError, match=r"scene\.jpg: is a JPEG in YCCK colours"):
        open_scene(path)


@pytest.mark.parametrize(
    ("interleave", "bands", "expected"), [("pixel", 9, 16 * 32 * 9 * 2), ("band", 9, 0), ("pixel", 4, 0)]
)
def test_many_bands_that_lie_pixel_by_pixel_are_unpacked_at_once(
    write: Write, interleave: str, bands: int, expected: int
) -> None:
    pixels = np.zeros((bands, 40, 50), dtype=np.uint16)
    path = write(pixels, tiled=True, blockxsize=32, blockysize=16, interleave=interleave)
    scene = open_scene(path, bands=(1, 2, 3))
    assert scene.decoder_bytes == expected
    assert reader_memory(scene, 256, 1.0) == reader_memory(replace(scene, decoder_bytes=0), 256, 1.0) + expected
