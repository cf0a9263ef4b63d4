"""From stored values to 8-bit grey or RGB: one scale for the whole scene, so that all windows agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from swathe.raster.source import Palette, Source, StoredPixels
from swathe.raster.window import Window

if TYPE_CHECKING:
    from swathe.raster.scene import Scene

SAMPLE_SIDE = 1024  # pixels; the scale is measured on a view no larger than this
READ_WHOLE = 1 << 24  # pixels; of scenes with more of them and no overviews, the scale is measured on pieces
PIECES = ((16, 64), (32, 32))  # pieces per row and column and the side of each in pixels, for the first and second try
LARGEST = 1e300  # values beyond it count as this, so that their differences stay finite
PERCENTILES = (2.0, 98.0)
EIGHT_BITS = (0.0, 255.0)

Bytes = npt.NDArray[np.uint8]
ToBytes = Callable[[StoredPixels], Bytes]


def measure_value_range(source: Source) -> tuple[float, float] | None:
    """Measure which values to show as 0 and 255.

    They are measured on a view of at most `SAMPLE_SIDE` pixels a side, thinned out by leaving out pixels. Of a scene
    that is too large to be read twice, they are measured on pieces of it, and on more pieces if these hold no data.

    Args:
        source: The scene.

    Returns:
        The 2nd and 98th percentile of all bands shown together, without pixels that hold no data; the extremes if
        these are equal, and values one apart if all are equal. None if no data are found.

    Raises:
        SourceError: If the file cannot be read.
    """
    for sample in _samples(source):
        values = np.clip(sample, -LARGEST, LARGEST)
        if values.size:
            low, high = (float(value) for value in np.percentile(values, PERCENTILES))
            if low == high:
                low, high = float(values.min()), float(values.max())
            return (low, high) if low < high else (low, low + max(1.0, abs(low)))
    return None


def _samples(source: Source) -> Iterator[npt.NDArray[np.float64]]:
    """Yield values to measure by, more of them if the ones before were none."""
    width, height = source.width, source.height
    if source.has_overviews or width * height <= READ_WHOLE:
        step = max(1, math.ceil(max(width, height) / SAMPLE_SIDE))
        yield _numbers(source.read(Window(0, 0, width, height), (math.ceil(height / step), math.ceil(width / step))))
        return
    for count, side in PIECES:
        yield np.concatenate([_numbers(source.read(piece)) for piece in _pieces(width, height, count, side)])


def _pieces(width: int, height: int, count: int, side: int) -> Iterator[Window]:
    """Yield windows spread evenly over a scene, from edge to edge."""
    rows, columns = (np.linspace(0, max(size - side, 0), count).astype(int).tolist() for size in (height, width))
    for row in sorted(set(rows)):
        for column in sorted(set(columns)):
            yield Window(column, row, min(side, width), min(side, height))


def _numbers(stored: StoredPixels) -> npt.NDArray[np.float64]:
    values = stored.values if stored.valid is None else stored.values[stored.valid]
    numbers: npt.NDArray[np.float64] = values[np.isfinite(values)].astype(np.float64)
    return numbers


def to_bytes(scene: Scene, palette: Palette | None) -> ToBytes:
    """Make the function that turns stored pixels of a scene into 8-bit ones.

    Args:
        scene: The scene, for its type and value range.
        palette: Colours of its values, None if values are intensities.

    Returns:
        A function from stored pixels to (height, width, 1 or 3) uint8. Pixels without data become 0.
    """
    if palette is not None:
        return lambda stored: _blank(palette[:, :3][stored.values[..., 0]], stored.valid)
    if scene.value_range is None and not scene.inverted:
        return lambda stored: _blank(np.ascontiguousarray(stored.values), stored.valid)
    dtype, (low, high) = np.dtype(scene.dtype), scene.value_range or EIGHT_BITS
    flip = np.uint8(255 if scene.inverted else 0)
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        # A table over all values of the type; signed ones are looked up by their bits.
        unsigned = np.dtype(f"u{dtype.itemsize}")
        values = np.arange(np.iinfo(unsigned).max + 1, dtype=unsigned).view(dtype)
        table = _stretch(values, low, high) ^ flip
        return lambda stored: _blank(table[np.ascontiguousarray(stored.values).view(unsigned)], stored.valid)
    return lambda stored: _blank(_stretch(stored.values, low, high) ^ flip, stored.valid)


def _stretch(values: npt.NDArray[Any], low: float, high: float) -> Bytes:
    """Map low..high to 0..255, rounded; NaN becomes 0."""
    with np.errstate(invalid="ignore"):  # damaged files hold signalling NaN
        share = np.clip(values, low, high, dtype=np.float64)
        share -= low
        share *= 255.0
        share /= high - low
    grey: Bytes = np.rint(np.nan_to_num(share, copy=False, nan=0.0), out=share).astype(np.uint8)
    return grey


def _blank(pixels: Bytes, valid: npt.NDArray[np.bool_] | None) -> Bytes:
    if valid is not None:
        pixels[~valid] = 0
    return pixels
