"""One small raster of every kind that is read, each with the picture that it must give.

`KINDS` maps names to builders. A builder takes a folder, writes its files there and returns the one to open together
with its picture, which is computed from the numbers written, or by Pillow where a decoder decides, but never by Swathe.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

Array = npt.NDArray[Any]

WIDTH, HEIGHT = 75, 61  # pixels; no block size divides them
TILED = {"tiled": True, "blockxsize": 32, "blockysize": 32}
STRIPED = {"blockysize": 16}
CHROMA = 12  # decoders fill in thinned out chroma in different ways, which shows at noise
# First column and row, and the steps between columns and rows, of each pass of an interlaced PNG.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
ALPHA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


@dataclass(frozen=True)
class Built:
    """A raster and what is in it."""

    path: Path  # the file to open
    pixels: Array  # (height, width, 3) uint8 RGB, 0 where there is no data
    valid: Array  # (height, width) bool, where there is data
    tolerance: int = 0  # by how much two decoders of the format may differ


Build = Callable[[Path], Built]


def picture(bands: int = 3, width: int = WIDTH, height: int = HEIGHT, top: float = 255.0) -> Array:
    """Waves with noise from 0 to `top`, (bands, height, width) float64."""
    random = np.random.default_rng(bands)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / (7.0 + band)) + np.cos(y / (9.0 - band)) for band in range(bands)])
    return np.clip((waves + 2) / 4 + random.uniform(-0.05, 0.05, waves.shape), 0, 1) * top


def holes(width: int = WIDTH, height: int = HEIGHT) -> Array:
    """A mask (height, width), False in a corner, along a line and at single pixels."""
    mask = np.random.default_rng(9).uniform(size=(height, width)) > 0.05
    mask[: height // 3, : width // 2] = False
    mask[-5] = False
    return mask


def write(path: Path, pixels: Array, *, mask: Array | None = None, tags: tuple = (), **profile: Any) -> Path:
    """Write pixels (bands, height, width) with rasterio."""
    drivers = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG", ".jp2": "JP2OpenJPEG"}
    internal, colours = profile.pop("internal", True), profile.pop("colours", None)
    count, height, width = pixels.shape
    size = {"count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver=drivers[path.suffix], **size, **profile) as file:
            if tags:
                file.colorinterp = tags
            if colours:
                file.write_colormap(1, colours)
            file.write(pixels)
            if mask is not None:
                file.write_mask(mask)
    return path


def built(path: Path, pixels: Array, valid: Array | None = None, tolerance: int = 0) -> Built:
    """Describe a file that holds (1 or 3, height, width) uint8 pixels."""
    seen = np.ones(pixels.shape[1:], dtype=bool) if valid is None else valid
    rgb = np.moveaxis(np.broadcast_to(pixels, (3, *pixels.shape[1:])), 0, 2)
    return Built(path, np.where(seen[..., None], rgb, 0).astype(np.uint8), seen, tolerance)


def stretched(pixels: Array, valid: Array | None = None) -> Array:
    """Bring values to 0..255 between the 2nd and 98th percentile of the finite ones that hold data."""
    values = pixels.astype(np.float64)
    known = values[:, valid] if valid is not None else values
    low, high = np.percentile(known[np.isfinite(known)], (2, 98))
    return np.nan_to_num(np.rint(np.clip((np.clip(values, low, high) - low) * 255 / (high - low), 0, 255)))


def decoded(path: Path, mode: str = "RGB") -> Array:
    """Decode a picture with Pillow, (bands, height, width)."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert(mode))
    return np.moveaxis(np.atleast_3d(grey), 2, 0)


def vrt(path: Path, sources: list[tuple[str, int, int, int, int]], kind: str = "Byte", **more: Any) -> Path:
    """Write a mosaic of grey or RGB files, each (name relative to the VRT, column, row, width, height)."""
    nodata, bands, size = more.get("nodata"), more.get("bands", 3), more.get("size", (WIDTH, HEIGHT))
    text = f'<VRTDataset rasterXSize="{size[0]}" rasterYSize="{size[1]}">'
    for band in range(1, bands + 1):
        text += f'<VRTRasterBand dataType="{kind}" band="{band}">'
        text += "" if nodata is None else f"<NoDataValue>{nodata[band - 1]}</NoDataValue>"
        for name, x, y, width, height in sources:
            place = f'xOff="{x}" yOff="{y}" xSize="{width}" ySize="{height}"'
            text += f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename>'
            text += f'<SourceBand>{band}</SourceBand><SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
            text += f"<DstRect {place}/></SimpleSource>"
        text += "</VRTRasterBand>"
    path.write_text(text + "</VRTDataset>")
    return path


def _plain(folder: Path, name: str = "scene.tif", bands: int = 3, **profile: Any) -> Built:
    pixels = picture(bands).astype(np.uint8)
    return built(write(folder / name, pixels, **profile), pixels)


def _tiny(folder: Path, name: str, width: int, height: int) -> Built:
    pixels = picture(3, width, height).astype(np.uint8)
    if name.endswith("jpg"):
        path = write(folder / name, pixels)
        return built(path, decoded(path), tolerance=CHROMA)
    lossless = {"reversible": True, "quality": 100} if name.endswith("jp2") else {}
    return built(write(folder / name, pixels, **lossless), pixels)


def _typed(folder: Path, dtype: str, low: float, high: float, **profile: Any) -> Built:
    pixels = (picture(3, top=1.0) * (high - low) + low).astype(dtype)
    return built(write(folder / "scene.tif", pixels, photometric="minisblack", **profile), stretched(pixels))


def _float(folder: Path, dtype: str, absent: float, nodata: float | None) -> Built:
    pixels, valid = picture(3, top=1.0).astype(dtype) - 0.5, holes()
    pixels[:, ~valid] = absent
    pixels[1, -1, -9:] = [np.nan, np.inf, -np.inf] * 3
    path = write(folder / "scene.tif", pixels, nodata=nodata, **TILED)
    return built(path, stretched(pixels, valid), valid)


def _nodata(folder: Path, bands: int, dtype: str = "uint8") -> Built:
    pixels, valid = np.maximum(picture(bands), 8).astype(dtype), holes()
    pixels[:, ~valid] = 7
    path = write(folder / "scene.tif", pixels, nodata=7, **TILED)
    return built(path, pixels if dtype == "uint8" else stretched(pixels, valid), valid)


def _masked(folder: Path, **profile: Any) -> Built:
    pixels, valid = picture().astype(np.uint8), holes()
    return built(write(folder / "scene.tif", pixels, mask=valid, **profile), pixels, valid)


def _alpha(folder: Path, name: str, bands: int, dtype: str = "uint8", **profile: Any) -> Built:
    pixels, valid = picture(bands + 1).astype(dtype), holes()
    pixels[-1] = np.where(valid, 255, 0)
    tags = ALPHA if bands == 3 else (ColorInterp.gray, ColorInterp.alpha)
    path = write(folder / name, pixels, **({"tags": tags} if name.endswith("tif") else {}), **profile)
    return built(path, pixels[:-1] if dtype == "uint8" else stretched(pixels[:-1], valid), valid)


def _alpha_of_jp2(folder: Path) -> Built:
    pixels, valid = picture(4).astype(np.uint8), holes()
    pixels[3] = np.where(valid, 255, 0)
    path = folder / "scene.jp2"
    Image.fromarray(np.moveaxis(pixels, 0, 2)).save(path, irreversible=False)
    return built(path, pixels[:3], valid)


def _palette(folder: Path, name: str, dtype: str = "uint8") -> Built:
    random = np.random.default_rng(5)
    numbers = random.integers(0, 12, (1, HEIGHT, WIDTH)).astype(dtype)
    table = random.integers(1, 256, (12, 4))
    table[:, 3] = 255
    if name.endswith("png"):
        table[3, 3] = 0
    path = write(folder / name, numbers, colours={number: tuple(row) for number, row in enumerate(table.tolist())})
    return built(path, np.moveaxis(table[numbers[0], :3], 2, 0), table[numbers[0], 3] > 0)


def _bits(folder: Path, bits: int, photometric: str = "minisblack") -> Built:
    top = 2**bits - 1
    pixels = np.rint(picture(1, top=top)).astype(np.uint8)
    shown = np.rint(pixels * 255.0 / top)
    path = write(folder / "scene.tif", pixels, nbits=bits, photometric=photometric)
    return built(path, 255 - shown if photometric == "miniswhite" else shown)


def _inverted(folder: Path, dtype: str) -> Built:
    pixels = picture(1, top=255 if dtype == "uint8" else 4000).astype(dtype)
    path = write(folder / "scene.tif", pixels, photometric="miniswhite", **STRIPED)
    return built(path, 255 - (pixels if dtype == "uint8" else stretched(pixels)))


def _bit_png(folder: Path) -> Built:
    bits = picture(1, top=1.0)[0] > 0.5
    Image.fromarray(bits).save(folder / "scene.png")
    return built(folder / "scene.png", bits[None] * 255)


def _transparent_png(folder: Path, bands: int) -> Built:
    pixels, valid = np.maximum(picture(bands), 6).astype(np.uint8), holes()
    pixels[:, ~valid] = 5
    image = Image.fromarray(np.moveaxis(pixels, 0, 2) if bands == 3 else pixels[0])
    image.save(folder / "scene.png", transparency=(5, 5, 5) if bands == 3 else 5)
    return built(folder / "scene.png", pixels, valid)


def _interlaced_png(folder: Path) -> Built:
    """Seven passes over ever finer grids, as PNG's Adam7 has them."""
    pixels = np.moveaxis(picture().astype(np.uint8), 0, 2)
    rows = b""
    for x, y, across, down in ADAM7:
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[y::down, x::across] if row.size)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    (folder / "scene.png").write_bytes(content)
    return built(folder / "scene.png", np.moveaxis(pixels, 2, 0))


def _deep_png(folder: Path, bands: int) -> Built:
    pixels = picture(bands, top=60_000).astype(np.uint16)
    return built(write(folder / "scene.png", pixels), stretched(pixels))


def _jpeg(folder: Path, mode: str, **options: Any) -> Built:
    rgb = Image.fromarray(np.moveaxis(picture().astype(np.uint8), 0, 2))
    rgb.convert(mode).save(folder / "scene.jpg", quality=92, subsampling=0, **options)
    return built(folder / "scene.jpg", decoded(folder / "scene.jpg"), tolerance=2)


def cmyk_jpeg(folder: Path) -> Built:
    """A JPEG in four inks."""
    inks = np.moveaxis(picture(4).astype(np.uint8), 0, 2)
    path = folder / "scene.jpg"
    Image.fromarray(inks, mode="CMYK").save(path, quality=92)
    return built(path, decoded(path), tolerance=2)


def ycck_jpeg(folder: Path) -> Path:
    """A JPEG in four inks, three of them as luma and chroma, as its Adobe marker says."""
    path = cmyk_jpeg(folder).path
    content = path.read_bytes()
    place = content.index(b"Adobe") + 11  # after version and flags
    path.write_bytes(content[:place] + b"\x02" + content[place + 1 :])
    return path


def _cmyk_tiff(folder: Path) -> Built:
    inks = picture(4).astype(np.uint8)
    share = 1 - inks.astype(float) / 255
    return built(write(folder / "scene.tif", inks, photometric="cmyk"), 255 * share[:3] * share[3], tolerance=2)


def _jpeg_tiff(folder: Path, bands: int, *, masked: bool = False) -> Built:
    pixels, valid = picture(bands).astype(np.uint8), holes() if masked else np.ones((HEIGHT, WIDTH), dtype=bool)
    colours = {"photometric": "ycbcr"} if bands == 3 else {}
    path = write(folder / "scene.tif", pixels, mask=valid if masked else None, compress="jpeg", **colours, **TILED)
    return built(path, decoded(path), valid, tolerance=CHROMA)


def _jp2(folder: Path, bands: int, dtype: str = "uint8", top: float = 255.0, **profile: Any) -> Built:
    pixels = picture(bands, top=top).astype(dtype)
    path = write(folder / "scene.jp2", pixels, reversible=True, quality=100, **profile)
    return built(path, pixels if dtype == "uint8" else stretched(pixels))


def _lossy_jp2(folder: Path) -> Built:
    path = folder / "scene.jp2"
    image = Image.fromarray(np.moveaxis(picture().astype(np.uint8), 0, 2))
    image.save(path, irreversible=True, quality_layers=[10])
    return built(path, decoded(path), tolerance=2)


def _long(folder: Path, dtype: str) -> Built:
    """Neighbouring 64-bit integers beyond the precision of floats, the nodata value in between."""
    valid = holes()
    pixels = np.where(valid, np.rint(picture(1, top=1.0) * 2**40), 0).astype(dtype) * 2**20
    pixels[:, ~valid] = 2**53 + 1
    pixels[0, -1, :3] = 2**53, 2**53 + 2, 2**53
    tif = write(folder / "part.tif", pixels)
    kind = {"int64": "Int64", "uint64": "UInt64"}[dtype]
    size = [(tif.name, 0, 0, WIDTH, HEIGHT)]
    path = vrt(folder / "scene.vrt", size, kind, bands=1, nodata=[2**53 + 1])
    return built(path, stretched(pixels, valid), valid)


def _sparse(folder: Path) -> Built:
    pixels, valid = np.zeros((3, HEIGHT, WIDTH), dtype=np.uint8), np.zeros((HEIGHT, WIDTH), dtype=bool)
    pixels[:, 32:, 32:64] = np.maximum(picture(), 1).astype(np.uint8)[:, 32:, 32:64]
    valid[32:, 32:64] = True
    path = write(folder / "scene.tif", pixels, nodata=0, sparse_ok=True, compress="deflate", **TILED)
    return built(path, pixels, valid)


def _mosaic(folder: Path, *, nodata: bool) -> Built:
    """Two files with a gap between them, and one below that only covers the left."""
    (folder / "parts").mkdir()
    pixels, valid = np.maximum(picture(), 1).astype(np.uint8), np.ones((HEIGHT, WIDTH), dtype=bool)
    places = [(0, 0, 30, 40), (45, 0, 30, 40), (0, 40, 50, 21)]
    valid[:40, 30:45] = valid[40:, 50:] = False
    sources = []
    for number, (x, y, width, height) in enumerate(places):
        path = write(folder / "parts" / f"{number}.tif", pixels[:, y : y + height, x : x + width])
        sources.append((f"parts/{path.name}", x, y, width, height))
    path = vrt(folder / "scene.vrt", sources, nodata=[0, 0, 0] if nodata else None)
    return built(path, np.where(valid, pixels, 0), valid if nodata else None)


def _nested_mosaic(folder: Path) -> Built:
    inner = _mosaic(folder, nodata=True)
    inner.path.rename(folder / "inner.vrt")
    path = vrt(folder / "scene.vrt", [("inner.vrt", 0, 0, WIDTH, HEIGHT)], nodata=[0, 0, 0])
    return built(path, np.moveaxis(inner.pixels, 2, 0), inner.valid)


def _nodata_of_each_band(folder: Path) -> Built:
    """Only where all bands have their own value there is no data."""
    pixels, valid = np.maximum(picture(), 10).astype(np.uint8), holes()
    for band, value in enumerate((3, 5, 8)):
        pixels[band, ~valid] = value
    pixels[:, -1, :2] = [[3, 3], [3, 5], [3, 3]]
    write(folder / "part.tif", pixels)
    path = vrt(folder / "scene.vrt", [("part.tif", 0, 0, WIDTH, HEIGHT)], nodata=[3, 5, 8])
    return built(path, pixels, valid | ((pixels[0] == 3) & (pixels[2] == 3)))


def _mask_of_each_band(folder: Path) -> Built:
    """Masks of single bands in a .msk file beside the picture: data is where one of them says so."""
    pixels = picture().astype(np.uint8)
    path = write(folder / "scene.tif", pixels)
    masks = np.stack([holes(), np.roll(holes(), 9, axis=1), np.zeros((HEIGHT, WIDTH), dtype=bool)])
    size = {"count": 3, "height": HEIGHT, "width": WIDTH, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(f"{path}.msk", "w", driver="GTiff", **size)
    with file:
        file.write(masks.astype(np.uint8) * 255)
        file.update_tags(**{f"INTERNAL_MASK_FLAGS_{band}": "0" for band in (1, 2, 3)})
    return built(path, pixels, masks.any(axis=0))


KINDS: dict[str, Build] = {
    "tiles": partial(_plain, **TILED),
    "strips": partial(_plain, **STRIPED),
    "one strip": partial(_plain, blockysize=HEIGHT),
    "planes": partial(_plain, interleave="band", **TILED),
    "compressed with predictor": partial(_plain, compress="deflate", predictor=2, **TILED),
    "lzw strips": partial(_plain, compress="lzw", **STRIPED),
    "zstd tiles": partial(_plain, compress="zstd", **TILED),
    "grey": partial(_plain, bands=1, **TILED),
    "BigTIFF": partial(_plain, bigtiff="yes", **TILED),
    "sparse tiles": _sparse,
    "int8": partial(_typed, dtype="int8", low=-100, high=120),
    "uint16": partial(_typed, dtype="uint16", low=300, high=60_000, **TILED),
    "12 bit in 16": partial(_typed, dtype="uint16", low=0, high=4095, **TILED),
    "12 bit packed": partial(_typed, dtype="uint16", low=0, high=4095, nbits=12),
    "int16": partial(_typed, dtype="int16", low=-3000, high=9000, **TILED),
    "uint32": partial(_typed, dtype="uint32", low=0, high=4e9),
    "int32": partial(_typed, dtype="int32", low=-2e9, high=2e9, **TILED),
    "float32": partial(_float, dtype="float32", absent=np.nan, nodata=None),
    "float32 with NaN as nodata": partial(_float, dtype="float32", absent=np.nan, nodata=np.nan),
    "float32 with nodata": partial(_float, dtype="float32", absent=-9999.0, nodata=-9999.0),
    "float32 with its lowest as nodata": partial(
        _float, dtype="float32", absent=-3.4028234663852886e38, nodata=-3.4028234663852886e38
    ),
    "float64 with infinities": partial(_float, dtype="float64", absent=np.inf, nodata=None),
    "int64": partial(_long, dtype="int64"),
    "uint64": partial(_long, dtype="uint64"),
    "nodata": partial(_nodata, bands=3),
    "nodata in grey": partial(_nodata, bands=1),
    "nodata in uint16": partial(_nodata, bands=3, dtype="uint16"),
    "nodata of each band": _nodata_of_each_band,
    "internal mask": partial(_masked, **TILED),
    "internal mask of strips": partial(_masked, **STRIPED),
    "external mask": partial(_masked, internal=False, **TILED),
    "mask of each band": _mask_of_each_band,
    "alpha": partial(_alpha, name="scene.tif", bands=3, **TILED),
    "alpha of grey": partial(_alpha, name="scene.tif", bands=1),
    "alpha of uint16": partial(_alpha, name="scene.tif", bands=3, dtype="uint16"),
    "palette": partial(_palette, name="scene.tif"),
    "palette of uint16": partial(_palette, name="scene.tif", dtype="uint16"),
    "1 bit": partial(_bits, bits=1),
    "1 bit from white": partial(_bits, bits=1, photometric="miniswhite"),
    "2 bits": partial(_bits, bits=2),
    "4 bits": partial(_bits, bits=4),
    "8 bits from white": partial(_inverted, dtype="uint8"),
    "16 bits from white": partial(_inverted, dtype="uint16"),
    "CMYK TIFF": _cmyk_tiff,
    "JPEG tiles": partial(_jpeg_tiff, bands=3),
    "JPEG tiles, grey": partial(_jpeg_tiff, bands=1),
    "JPEG tiles with mask": partial(_jpeg_tiff, bands=3, masked=True),
    "JPEG": partial(_jpeg, mode="RGB"),
    "JPEG, grey": partial(_jpeg, mode="L"),
    "JPEG, progressive": partial(_jpeg, mode="RGB", progressive=True),
    "JPEG, CMYK": cmyk_jpeg,
    "PNG": partial(_plain, name="scene.png"),
    "PNG, grey": partial(_plain, name="scene.png", bands=1),
    "PNG, alpha": partial(_alpha, name="scene.png", bands=3),
    "PNG, grey and alpha": partial(_alpha, name="scene.png", bands=1),
    "PNG, palette": partial(_palette, name="scene.png"),
    "PNG, transparent colour": partial(_transparent_png, bands=3),
    "PNG, transparent grey": partial(_transparent_png, bands=1),
    "PNG, 1 bit": _bit_png,
    "PNG, interlaced": _interlaced_png,
    "PNG, 16 bits": partial(_deep_png, bands=3),
    "PNG, 16 bits grey": partial(_deep_png, bands=1),
    "JPEG 2000": partial(_jp2, bands=3),
    "JPEG 2000, grey": partial(_jp2, bands=1),
    "JPEG 2000, tiles": partial(_jp2, bands=3, blockxsize=32, blockysize=32),
    "JPEG 2000, 12 bits": partial(_jp2, bands=3, dtype="uint16", top=4095, nbits=12),
    "JPEG 2000, signed": partial(_jp2, bands=1, dtype="int16", top=3000),
    "JPEG 2000, alpha": _alpha_of_jp2,
    "JPEG 2000, lossy": _lossy_jp2,
    "mosaic with gaps": partial(_mosaic, nodata=True),
    "mosaic with black gaps": partial(_mosaic, nodata=False),
    "mosaic of mosaics": _nested_mosaic,
    **{
        f"{width} x {height} px {name}": partial(_tiny, name=f"scene.{name}", width=width, height=height)
        for name in ("tif", "png", "jpg", "jp2")
        for width, height in ((1, 1), (1, 50), (50, 1))
    },
}
