"""Damaged and malicious raster files."""

from __future__ import annotations

import struct
import zlib

from hostile.case import Allowed, Bench, Case, makers_of
from hostile.damage import damaged
from hostile.samples import FORMATS
from hostile.tiff import (
    BITS,
    COMPRESSION,
    DEFLATE,
    HEIGHT,
    NONE,
    PHOTOMETRIC,
    ROWS_PER_STRIP,
    SAMPLES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_WIDTH,
    WIDTH,
    tiff,
    with_array_damaged,
    with_entry_damaged,
)

MAKERS, maker = makers_of("rasters")
CLASSIC = ("tiled.tif", "zstd.tif", "lzw.tif", "jpeg.tif")
SIDES = (0, 1, 65_535, 10**6, 2**31 - 1, 2**31, 2**32 - 1)


def _any_damage(bench: Bench, name: str) -> Case:
    data, what = damaged(bench.samples.raster(name).read_bytes(), bench.chance)
    return bench.detect(bench.write(name, data), f"{name}: {what}")


@maker
def tiled(bench: Bench) -> Case:
    """A tiled GeoTIFF with DEFLATE."""
    return _any_damage(bench, "tiled.tif")


@maker
def other_tiff(bench: Bench) -> Case:
    """A GeoTIFF of another kind."""
    return _any_damage(bench, bench.chance.choice(("zstd.tif", "lzw.tif", "jpeg.tif", "big.tif")))


@maker
def png(bench: Bench) -> Case:
    """A PNG."""
    return _any_damage(bench, "scene.png")


@maker
def jpeg(bench: Bench) -> Case:
    """A JPEG."""
    return _any_damage(bench, "scene.jpg")


@maker
def jpeg2000(bench: Bench) -> Case:
    """A JPEG 2000."""
    return _any_damage(bench, "scene.jp2")


@maker
def directory_entry(bench: Bench) -> Case:
    """An entry of the first directory lies."""
    name = bench.chance.choice(CLASSIC)
    data, what = with_entry_damaged(bench.samples.raster(name).read_bytes(), bench.chance)
    return bench.detect(bench.write(name, data), f"{name}: {what}")


@maker
def directory_entry_of_plan(bench: Bench) -> Case:
    """The same, looked at by `plan`."""
    name = bench.chance.choice(CLASSIC)
    data, what = with_entry_damaged(bench.samples.raster(name).read_bytes(), bench.chance)
    path = bench.write(name, data)
    return Case(f"plan, {name}: {what}", ("plan", str(path)), culprit=name)


@maker
def tile_offsets(bench: Bench) -> Case:
    """An offset or byte count of a tile or strip lies."""
    name = bench.chance.choice(("tiled.tif", "zstd.tif", "jpeg.tif"))
    data, what = with_array_damaged(bench.samples.raster(name).read_bytes(), bench.chance)
    return bench.detect(bench.write(name, data), f"{name}: {what}")


@maker
def wrong_name(bench: Bench) -> Case:
    """The content is of another format than the name says, or of none."""
    name = bench.chance.choice(tuple(FORMATS))
    chance = bench.chance
    data = chance.choice(
        (b"", b"\0", chance.randbytes(3000), b"II*\0", b"MM\0*\0\0\0\x08", b"%PDF-1.4", b"<html>", b"PK\3\4", b"GIF89a")
    )
    return bench.detect(bench.write(name, data), f"{name}: {len(data)} bytes {data[:8]!r}", Allowed.NOTHING)


@maker
def huge_declared(bench: Bench) -> Case:
    """A directory of a few bytes that promises an enormous picture."""
    width, height, samples, rows = 1, 1, 1, 1
    while width * rows * samples in range(1, 65):  # the only strip would fit into the bytes that there are
        width, height = bench.chance.choice(SIDES), bench.chance.choice(SIDES)
        samples = bench.chance.choice((1, 3, 65_535, 10**6))
        rows = bench.chance.choice((1, height))
    tags = {WIDTH: width, HEIGHT: height, BITS: 8, COMPRESSION: NONE, PHOTOMETRIC: 1, SAMPLES: samples}
    tags |= {STRIP_OFFSETS: 0, ROWS_PER_STRIP: rows, STRIP_BYTES: 2**32 - 1}
    return bench.detect(
        bench.write("huge.tif", tiff(tags, bytes(64))),
        f"{width} x {height} px, {samples} bands declared",
        Allowed.NOTHING,
    )


@maker
def huge_tiles(bench: Bench) -> Case:
    """Few tiles, each of gigabytes when it is unpacked."""
    side = bench.chance.choice((16_384, 32_768, 65_536, 2**20))
    packed = zlib.compress(bytes(1 << 24), 9)
    tags = {WIDTH: side, HEIGHT: side, BITS: 8, COMPRESSION: DEFLATE, PHOTOMETRIC: 1, SAMPLES: 1}
    tags |= {TILE_WIDTH: side, TILE_HEIGHT: side, TILE_OFFSETS: 0, TILE_BYTES: len(packed)}
    path = bench.write("bomb.tif", tiff(tags, packed))
    return bench.detect(path, f"one tile of {side} x {side} px in {len(packed)} bytes", Allowed.INTERRUPTED)


@maker
def flat_strip(bench: Bench) -> Case:
    """A scene one pixel high or wide, and enormous the other way."""
    width, height = bench.chance.choice(((10**8, 1), (2**31 - 1, 1), (1, 10**8), (10**7, 2)))
    packed = zlib.compress(bytes(min(width * height, 10**8)), 9)
    tags = {WIDTH: width, HEIGHT: height, BITS: 8, COMPRESSION: DEFLATE, PHOTOMETRIC: 1, SAMPLES: 1}
    tags |= {STRIP_OFFSETS: 0, ROWS_PER_STRIP: height, STRIP_BYTES: len(packed)}
    path = bench.write("strip.tif", tiff(tags, packed))
    return bench.detect(path, f"{width} x {height} px in {len(packed)} bytes", Allowed.INTERRUPTED)


@maker
def png_bomb(bench: Bench) -> Case:
    """A PNG of a few bytes that unpacks to much, or promises to."""
    width = bench.chance.choice((20_000, 60_000, 2**31 - 1))
    height = bench.chance.choice((1, 20_000, 60_000, 2**31 - 1))
    packed = zlib.compress(bytes(1 << 24), 9)
    path = bench.write("bomb.png", _png(width, height, packed))
    return bench.detect(path, f"PNG of {width} x {height} px in {len(packed)} bytes", Allowed.INTERRUPTED)


@maker
def jpeg_tables(bench: Bench) -> Case:
    """A segment of a JPEG header (size, tables, scan) is damaged."""
    data = bytearray(bench.samples.raster("scene.jpg").read_bytes())
    marker = bench.chance.choice((b"\xff\xc0", b"\xff\xc4", b"\xff\xdb", b"\xff\xda"))
    start = data.find(marker)
    offset, value = start + 2 + bench.chance.randrange(20), bench.chance.choice((0, 1, 0x7F, 0xFF))
    data[offset] = value
    path = bench.write("scene.jpg", bytes(data))
    return bench.detect(path, f"byte {offset}, behind marker {marker.hex()}, set to {value}")


@maker
def bad_pixels(bench: Bench) -> Case:
    """Floats that are NaN, infinite or of the largest size."""
    width, height = 64, 64
    number = bench.chance.choice((float("nan"), float("inf"), -float("inf"), 3.4e38, -3.4e38, 1e-45))
    other = bench.chance.choice((number, 0.0, 3.4e38, -3.4e38, float("nan")))
    data = b"".join(struct.pack("<f", bench.chance.choice((number, other))) for _ in range(width * height))
    tags = {WIDTH: width, HEIGHT: height, BITS: 32, COMPRESSION: NONE, PHOTOMETRIC: 1, SAMPLES: 1, 339: 3}
    tags |= {STRIP_OFFSETS: 0, ROWS_PER_STRIP: height, STRIP_BYTES: len(data)}
    return bench.detect(bench.write("floats.tif", tiff(tags, data)), f"pixels {number} and {other}")


@maker
def convert(bench: Bench) -> Case:
    """A damaged scene given to `convert`."""
    name = bench.chance.choice(tuple(FORMATS))
    data, what = damaged(bench.samples.raster(name).read_bytes(), bench.chance)
    path, output = bench.write(name, data), bench.folder / "converted.tif"
    return Case(f"convert, {name}: {what}", ("convert", str(path), "-o", str(output)), outputs=(output,))


def _png(width: int, height: int, packed: bytes) -> bytes:
    """Write a grey PNG."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
