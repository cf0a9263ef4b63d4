"""From pixels of a source to pixels of a level, without any shift.

Level pixel i covers [i r, (i + 1) r) of the source, r being source pixels per level pixel. A whole r above 1 is an
exact area average. Any other r above 1 uses Pillow's antialiased Hamming filter, which weights by distance from the
true centre (a box filter would take or leave whole source pixels, and shift by up to half of one); r below 1 is linear
interpolation. The level's last column and row may reach beyond the source: the source's last ones are repeated there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Bytes = npt.NDArray[np.uint8]

# Offsets this close to a whole source pixel count as whole: float noise, a thousandth of what could be seen.
NOISE = 1e-6
VALID_FROM = 128  # of 255: a level pixel holds data if at least half of what it covers does


@dataclass(frozen=True)
class Chunk:
    """A piece of a level or of a source, in 8 bits."""

    pixels: Bytes  # (height, width, 1 or 3), 0 where there is no data
    valid: npt.NDArray[np.bool_] | None  # (height, width) where there is data, None for everywhere


@dataclass(frozen=True)
class Span:
    """The part of one axis of a source that a run of level pixels needs."""

    first: int  # first source pixel to read
    count: int  # source pixels to read
    repeat: int  # how often the last of these is repeated, since the level reaches beyond the source
    start: float  # where the run begins, source pixels after `first`
    stop: float  # where it ends, source pixels after `first`
    factor: int | None  # source pixels per level pixel, if whole

    @classmethod
    def of(cls, offset: int, length: int, ratio: float, size: int) -> Span:
        """Return the span of a run of level pixels.

        Args:
            offset: First level pixel.
            length: Level pixels.
            ratio: Source pixels per level pixel.
            size: Source pixels on this axis.

        Returns:
            The span, with the neighbours that the filter looks at.
        """
        start, stop = offset * ratio, (offset + length) * ratio
        factor = round(ratio) if ratio >= 0.5 and abs(ratio - round(ratio)) * (offset + length) < NOISE else None
        margin = 0 if factor else math.ceil(max(1.0, ratio)) + 1
        low, high = math.floor(start + NOISE), math.ceil(stop - NOISE)
        first, last = min(max(low - margin, 0), size - 1), min(high + margin, size)
        repeat = max(0, high - last)
        count = last - first
        return cls(first, count, repeat, max(start - first, 0.0), min(stop - first, float(count + repeat)), factor)


def resample(chunk: Chunk, columns: Span, rows: Span, width: int, height: int) -> Chunk:
    """Bring source pixels to a level.

    Args:
        chunk: The source pixels of both spans, without repetitions.
        columns: Where they lie.
        rows: Where they lie.
        width: Level pixels wanted.
        height: Level pixels wanted.

    Returns:
        The level's pixels. A pixel holds data if at least half of what it covers does, else it is 0.
    """
    pixels = _resample(chunk.pixels, columns, rows, width, height)
    if chunk.valid is None:
        return Chunk(pixels, None)
    mask = np.where(chunk.valid, np.uint8(255), np.uint8(0))[..., None]
    valid = _resample(mask, columns, rows, width, height)[..., 0] >= VALID_FROM
    pixels[~valid] = 0
    return Chunk(pixels, None if valid.all() else valid)


def _resample(pixels: Bytes, columns: Span, rows: Span, width: int, height: int) -> Bytes:
    if rows.repeat or columns.repeat:
        pixels = np.pad(pixels, ((0, rows.repeat), (0, columns.repeat), (0, 0)), mode="edge")
    if columns.factor == rows.factor == 1:
        return pixels
    from PIL import Image

    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    resized = _resize(image, columns, rows, width, height)
    return np.array(resized).reshape(height, width, -1)


def _resize(image: Image.Image, columns: Span, rows: Span, width: int, height: int) -> Image.Image:
    from PIL import Image

    if columns.factor and rows.factor:
        return image.reduce((columns.factor, rows.factor))
    shrinks = (columns.stop - columns.start) > width or (rows.stop - rows.start) > height
    method = Image.Resampling.HAMMING if shrinks else Image.Resampling.BILINEAR
    return image.resize((width, height), method, box=(columns.start, rows.start, columns.stop, rows.stop))
