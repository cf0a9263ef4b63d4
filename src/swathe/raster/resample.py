"""From pixels of a source to pixels of a level, without any shift.

Level pixel i covers [i r, (i + 1) r) of the source, r being source pixels per level pixel. Whole r of at least 1 are
exact area averages. Any other r above 1 uses Pillow's antialiased bicubic filter, which keeps centres to 0.02 source
pixels (its box filter takes or leaves whole source pixels and shifts by up to half of one, its Hamming filter by 0.18);
r below 1 is linear interpolation. The level's last column and row may reach beyond the source: the source's last ones
are repeated there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

# Offsets this close to a whole source pixel count as whole: float noise.
NOISE = 1e-6
VALID_FROM = 128  # of 255: a level pixel holds data if at least half of what it covers does


@dataclass(frozen=True)
class Chunk:
    """A piece of a level or of a source, in 8 bits."""

    pixels: Bytes  # (height, width, bands), 0 where there is no data
    valid: npt.NDArray[np.bool_] | None  # (height, width) where there is data, None for everywhere


@dataclass(frozen=True)
class Span:
    """The part of one axis of a source that a run of level pixels needs."""

    first: int  # first source pixel to read
    count: int  # source pixels to read
    repeat: int  # how often the last of these is repeated, since the level reaches beyond the source
    start: float  # where the run begins, source pixels after `first`
    stop: float  # where it ends, source pixels after `first`

    @classmethod
    def of(cls, offset: int, length: int, ratio: float, size: int, margin: int) -> Span:
        """Return the span of a run of level pixels.

        Args:
            offset: First level pixel.
            length: Level pixels.
            ratio: Source pixels per level pixel.
            size: Source pixels on this axis.
            margin: Source pixels on either side that the filter looks at besides.

        Returns:
            The span.
        """
        start, stop = offset * ratio, (offset + length) * ratio
        low, high = math.floor(start + NOISE), math.ceil(stop - NOISE)
        first, last = min(max(low - margin, 0), size - 1), min(high + margin, size)
        count, repeat = last - first, max(0, high - last)
        return cls(first, count, repeat, max(start - first, 0.0), min(stop - first, float(count + repeat)))


@dataclass(frozen=True)
class Resampling:
    """How one resolution of a scene becomes one level."""

    x_ratio: float  # source columns per level column
    y_ratio: float  # source rows per level row

    @property
    def factors(self) -> tuple[int, int] | None:
        """The ratios, if both are whole numbers from 1."""
        whole = max(1, round(self.x_ratio)), max(1, round(self.y_ratio))
        # Far from the origin, what is left of the ratio adds up: over a million pixels it must still not show.
        exact = abs(self.x_ratio - whole[0]) < NOISE**2 and abs(self.y_ratio - whole[1]) < NOISE**2
        return whole if exact else None

    @property
    def margins(self) -> tuple[int, int]:
        """Neighbouring source columns and rows that the filter looks at, one more for safety."""
        if self.factors:
            return 0, 0
        return math.ceil(2 * max(1.0, self.x_ratio)) + 1, math.ceil(2 * max(1.0, self.y_ratio)) + 1

    def apply(self, chunk: Chunk, columns: Span, rows: Span, width: int, height: int) -> Chunk:
        """Bring source pixels to the level.

        Args:
            chunk: The source pixels of both spans, without repetitions.
            columns: Where they lie.
            rows: Where they lie.
            width: Level pixels wanted.
            height: Level pixels wanted.

        Returns:
            The level's pixels. A pixel holds data if at least half of what it covers does, else it is 0.
        """
        if self.factors == (1, 1):
            return chunk
        pixels = self._resize(chunk.pixels, columns, rows, width, height)
        if chunk.valid is None:
            return Chunk(pixels, None)
        mask = np.where(chunk.valid, np.uint8(255), np.uint8(0))[..., None]
        valid = self._resize(mask, columns, rows, width, height)[..., 0] >= VALID_FROM
        pixels[~valid] = 0
        return Chunk(pixels, None if valid.all() else valid)

    def _resize(self, pixels: Bytes, columns: Span, rows: Span, width: int, height: int) -> Bytes:
        from PIL import Image

        if pixels.shape[2] not in {1, 3}:  # Pillow has no picture of so many bands
            bands = [self._resize(pixels[..., [band]], columns, rows, width, height) for band in range(pixels.shape[2])]
            return np.concatenate(bands, axis=2)
        if rows.repeat or columns.repeat:
            pixels = np.pad(pixels, ((0, rows.repeat), (0, columns.repeat), (0, 0)), mode="edge")
        image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
        if self.factors:
            resized = image.reduce(self.factors)
        else:
            shrinks = max(self.x_ratio, self.y_ratio) > 1
            method = Image.Resampling.BICUBIC if shrinks else Image.Resampling.BILINEAR
            resized = image.resize((width, height), method, box=(columns.start, rows.start, columns.stop, rows.stop))
        return np.array(resized).reshape(height, width, -1)
