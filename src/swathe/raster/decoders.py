"""What decoders hold beside the pixels that are asked for.

Progressive JPEGs and interlaced PNGs are held as a whole. GDAL does not tell them from others, so their headers are
read here. GeoTIFFs of many bands that lie pixel by pixel are unpacked with all bands at once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from swathe.errors import SourceError
from swathe.raster import vsi
from swathe.raster.environment import settings
from swathe.raster.origins import origin_of

HEADER_BYTES = 1 << 20  # a JPEG whose frame begins later is taken for a common one
LIBJPEG_BYTES = 495 << 20  # GDAL lets libjpeg have 500 MiB; a little of it is for other things
SIGNATURE_OF_PNG = b"\x89PNG\r\n\x1a\n"
INTERLACE_OF_PNG = 28  # offset of the byte in the header
ADOBE_TRANSFORM = 11  # offset of the byte in the Adobe marker's content
YCCK = 2  # in that byte
SHOWN_BANDS = 4  # red, green, blue and alpha, which are counted as pixels asked for
HARMLESS = re.compile("extraneous bytes before marker|Invalid SOS parameters|Inconsistent progression")
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
BLOCK = 8  # pixels of a side of JPEG's blocks, each of 64 coefficients
COEFFICIENT_BYTES = 2


@dataclass(frozen=True)
class JpegFrame:
    """What the header of a JPEG says about how it is coded."""

    progressive: bool  # in several scans, so that nothing can be shown before all of it is read
    coefficient_bytes: int  # memory for all coefficients
    ycck: bool  # four inks, three of them as luma and chroma


def decoder_bytes(dataset: Any) -> int:
    """Return the memory that the decoder of a file takes beside the pixels that are asked for.

    Args:
        dataset: The open raster.

    Returns:
        Bytes; 0 for the many files that are decoded row by row or tile by tile, and for remote pictures of which only
        the header would tell.

    Raises:
        SourceError: If the decoder refuses to take so much, or would show wrong colours.
    """
    if dataset.driver == "GTiff":
        return _interleaved_bytes(dataset)
    path = Path(dataset.name)
    if dataset.driver not in {"JPEG", "PNG"} or not path.is_file():
        return 0
    with path.open("rb") as file:
        if dataset.driver == "PNG":
            start = file.read(INTERLACE_OF_PNG + 1)
            interlaced = start.startswith(SIGNATURE_OF_PNG) and start[-1] == 1
            sample = 2 if dataset.dtypes[0] == "uint16" else 1
            return dataset.width * dataset.height * dataset.count * sample if interlaced else 0
        frame = read_jpeg_frame(file)
    if frame is None:
        return 0
    if frame.ycck:
        raise SourceError(
            f"{path}: is a JPEG in YCCK colours, which GDAL takes for others; save it as an RGB JPEG, for instance "
            "with `convert -colorspace sRGB`"
        )
    if frame.progressive and frame.coefficient_bytes > LIBJPEG_BYTES:
        raise SourceError(
            f"{path}: is a progressive JPEG that takes {frame.coefficient_bytes >> 20:,} MiB at once, more than GDAL "
            "allows; save it as a common JPEG, for instance with `jpegtran`, which loses nothing"
        )
    return frame.coefficient_bytes if frame.progressive else 0


def _interleaved_bytes(dataset: Any) -> int:
    """Return what a block takes with all the bands of a GeoTIFF whose bands lie pixel by pixel."""
    from rasterio.enums import Interleaving

    if dataset.count <= SHOWN_BANDS or dataset.interleaving != Interleaving.pixel:
        return 0
    rows, columns = dataset.block_shapes[0]
    pixels = min(rows, dataset.height) * min(columns, dataset.width)
    return int(pixels * sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes))


def read_jpeg_frame(file: BinaryIO) -> JpegFrame | None:
    """Read the segments of a JPEG up to the one that describes its frame.

    Args:
        file: The file, at its start.

    Returns:
        What they say; None if they are damaged, or the frame begins beyond `HEADER_BYTES`.
    """
    start, place, adobe = file.read(HEADER_BYTES), 2, b""
    while place + 4 <= len(start) and start[place] == 0xFF:
        marker, length = start[place + 1], int.from_bytes(start[place + 2 : place + 4], "big")
        content = start[place + 4 : place + 2 + length]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker == 0xEE and content.startswith(b"Adobe"):
            adobe = content
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return _frame(marker, content, adobe)
        place += 2 + length
    return None


def is_harmless(uri: str, reason: str) -> bool:
    """Tell whether all rows of a JPEG are there, though its decoder complains.

    Args:
        uri: The file, or its address.
        reason: What GDAL said; it does not always hand on what the decoder did.

    Returns:
        True for stray bytes between the parts of a file that has its end marker after the pixels.
    """
    with settings():
        data = vsi.read_start(origin_of(uri).gdal_path(uri), origin_of(uri).fingerprint(uri)[0]) or b""
    is_whole = data.rfind(END_OF_IMAGE) > data.rfind(START_OF_SCAN)
    return is_whole and bool(HARMLESS.search(reason) or _has_stray_bytes(data))


def _has_stray_bytes(data: bytes) -> bool:
    """Tell whether something lies between the segments of a JPEG before its pixels."""
    place = 2
    while data[place : place + 2] != START_OF_SCAN and place + 4 <= len(data):
        if data[place] != 0xFF or data[place + 1] == 0:
            return True
        is_padding = data[place + 1] == 0xFF
        place += 1 if is_padding else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _frame(marker: int, content: bytes, adobe: bytes) -> JpegFrame | None:
    """Describe a frame from its segment: precision, rows, columns, and three bytes for each component."""
    if len(content) < 6 or len(content) < 6 + 3 * content[5]:
        return None
    height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    sampling = [(byte >> 4, byte & 15) for byte in content[7 : 6 + 3 * content[5] : 3]]
    if not sampling or not all(x and y for x, y in sampling):
        return None
    columns, rows = BLOCK * max(x for x, _ in sampling), BLOCK * max(y for _, y in sampling)
    units = math.ceil(width / columns) * math.ceil(height / rows)
    blocks = units * sum(x * y for x, y in sampling)
    ycck = len(sampling) == 4 and adobe[ADOBE_TRANSFORM : ADOBE_TRANSFORM + 1] == bytes([YCCK])
    progressive = marker in {0xC2, 0xC6, 0xCA, 0xCE}
    return JpegFrame(progressive, blocks * BLOCK * BLOCK * COEFFICIENT_BYTES, ycck)
