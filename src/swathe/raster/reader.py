"""Reads windows of a level as 8-bit RGB, within a memory that does not grow with the scene.

Tiled files are read window by window, and GDAL's block cache serves what windows share; others through a row band.
Pixels without data are 0. At scale 1 pixels are exactly the source's; other scales are made by area average or linear
interpolation from the coarsest overview that is fine enough. Overviews are taken to cover the whole scene, which those
made by GDAL do; those made by nearest neighbour, or by its "gauss" method, shift the
picture by up to half of an overview pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from swathe.errors import UsageError
from swathe.raster.band import BAND_BYTES, STRIP_ROWS, RowBand
from swathe.raster.environment import CACHE_BYTES
from swathe.raster.origins import redacted
from swathe.raster.pixels import ToBytes, to_bytes
from swathe.raster.pyramid import Level, choose_overview
from swathe.raster.resample import Chunk, Resampling, Span
from swathe.raster.scene import Scene
from swathe.raster.source import Source
from swathe.raster.window import Window
from swathe.stages import stage

SLAB_BYTES = 32 << 20  # source pixels in work at once; larger windows are put together from slabs of rows


@dataclass(frozen=True)
class TileRead:
    """Pixels of one window."""

    pixels: npt.NDArray[np.uint8]  # (height, width, 3) RGB, or all bands if there are more; 0 where there is no data
    valid: float  # share of pixels that hold data, 0..1
    mask: npt.NDArray[np.bool_] | None = None  # (height, width) where there is data, None for everywhere


class Reader(Protocol):
    """Reads windows of one scene."""

    def read(self, level: Level, window: Window) -> TileRead:
        """Read a window.

        Args:
            level: The level.
            window: Level pixels.

        Returns:
            Its pixels.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...

    def check_unchanged(self) -> None:
        """Make sure that all windows so far came from the source that the scene describes.

        Raises:
            SourceError: If the source has been replaced or altered meanwhile.
        """
        ...

    def close(self) -> None:
        """Let go of files and caches."""
        ...


class RasterReader:
    """Reads windows of a scene through rasterio. Not to be used by two threads at once."""

    def __init__(self, scene: Scene) -> None:
        """Open the scene.

        Args:
            scene: The scene.

        Raises:
            SourceError: If the file is gone, has changed since it was described, or cannot be opened.
        """
        scene.check_unchanged()
        self.scene = scene
        self._opened: dict[int | None, tuple[Source, ToBytes]] = {}
        self._band = None if scene.tiled else RowBand(self._render, samples_of(scene))
        self._resolution(1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def reads(self) -> int:
        """Number of reads from the file so far."""
        return sum(source.reads for source, _ in self._opened.values())

    @property
    def bytes(self) -> int:
        """Bytes of pixels read from the file so far, decoded."""
        return sum(source.bytes for source, _ in self._opened.values())

    def check_unchanged(self) -> None:
        """Make sure that the file is still the one that the scene describes.

        Raises:
            SourceError: If the file is gone, or has another size or time of change.
        """
        self.scene.check_unchanged()

    def close(self) -> None:
        """Close the file; the counts remain, reading is over."""
        self._band = None
        for source, _ in self._opened.values():
            source.close()

    def read(self, level: Level, window: Window) -> TileRead:
        """Read a window.

        Args:
            level: A level of the scene.
            window: Level pixels, inside the level.

        Returns:
            Its pixels.

        Raises:
            SourceError: If the file is damaged there.
            UsageError: If the window reaches beyond the level.
        """
        if window.col_off + window.width > level.width or window.row_off + window.height > level.height:
            raise UsageError(
                f"window {window} of {redacted(self.scene.uri)} reaches beyond its level of {level.width} x "
                f"{level.height} pixels"
            )
        chunk = self._render(level, window) if self._band is None else self._band.read(level, window)
        pixels = chunk.pixels if chunk.pixels.shape[2] > 1 else np.repeat(chunk.pixels, 3, axis=2)
        share = 1.0 if chunk.valid is None else np.count_nonzero(chunk.valid) / chunk.valid.size
        return TileRead(pixels, share, chunk.valid)

    def _resolution(self, scale: float) -> tuple[Source, ToBytes]:
        """Open what serves a scale best."""
        overview = choose_overview(self.scene.overviews, scale)
        if overview not in self._opened:
            source = Source(self.scene, overview)
            self._opened[overview] = source, to_bytes(self.scene, source.palette)
        return self._opened[overview]

    def _render(self, level: Level, window: Window) -> Chunk:
        """Read a window slab by slab, so that a coarse level does not need its whole source at once."""
        source, convert = self._resolution(level.scale)
        way = Resampling(
            source.width / (self.scene.width * level.scale), source.height / (self.scene.height * level.scale)
        )
        x_margin, y_margin = way.margins
        columns = Span.of(window.col_off, window.width, way.x_ratio, source.width, x_margin)
        step = slab_rows(self.scene, columns.count * way.y_ratio)
        parts = []
        for top in range(0, window.height, step):
            height = min(step, window.height - top)
            rows = Span.of(window.row_off + top, height, way.y_ratio, source.height, y_margin)
            with stage("read"):
                stored = source.read(Window(columns.first, rows.first, columns.count, rows.count))
                chunk = Chunk(convert(stored), stored.valid)
            with stage("resize"):
                parts.append(way.apply(chunk, columns, rows, window.width, height))
        return parts[0] if len(parts) == 1 else _stack(parts)


def samples_of(scene: Scene) -> int:
    """Return the bytes kept per level pixel: red, green, blue or all bands, and whether it holds data."""
    return max(3, len(scene.bands)) + 1


def slab_rows(scene: Scene, source_pixels: float) -> int:
    """Return how many level rows to read at once, given the source pixels under each."""
    samples = len(scene.bands) + (scene.alpha is not None)
    return max(1, int(SLAB_BYTES / (source_pixels * samples * np.dtype(scene.dtype).itemsize)))


def _stack(parts: list[Chunk]) -> Chunk:
    pixels = np.concatenate([part.pixels for part in parts])
    if all(part.valid is None for part in parts):
        return Chunk(pixels, None)
    masks = [np.ones(part.pixels.shape[:2], dtype=np.bool_) if part.valid is None else part.valid for part in parts]
    return Chunk(pixels, np.concatenate(masks))


def reader_memory(scene: Scene, tile: int, scale: float) -> int:
    """Project the most memory that reading a scene takes.

    GDAL's block cache (which all readers of a process share, or two blocks if they are larger), a slab in work, the
    window, and for untiled files the row band. Only the band grows with the scene, with its width, up to `BAND_BYTES`;
    beyond it stands a single window row of a very coarse level of a very wide scene. Added is what decoders of
    progressive JPEGs and interlaced PNGs hold.

    Args:
        scene: The scene.
        tile: Side of the windows, level pixels.
        scale: Level pixels per scene pixel.

    Returns:
        Bytes.
    """
    level = Level.of(scene.width, scene.height, scale)
    overview = choose_overview(scene.overviews, scale)
    ratio = 1.0 / scale / (1 if overview is None else scene.overviews[overview])
    pixel = (len(scene.bands) + (scene.alpha is not None)) * np.dtype(scene.dtype).itemsize
    width, height = (min(tile, level.width), tile) if scene.tiled else (level.width, STRIP_ROWS)
    wanted = width * min(height, level.height) * ratio**2 * pixel
    least = width * math.ceil(ratio) * ratio * pixel
    slab = max(min(wanted, SLAB_BYTES), least) / pixel * _bytes_in_work(scene, ratio)
    whole = scene.width * scene.height * pixel
    blocks = max(min(CACHE_BYTES, whole), 2 * block_memory(scene))
    samples = samples_of(scene) - (not scene.has_mask)
    band = 0 if scene.tiled else min(BAND_BYTES, level.width * (min(tile, level.height) + STRIP_ROWS) * samples)
    return int(blocks + slab + band + 2 * tile * tile * samples + scene.decoder_bytes)


def block_memory(scene: Scene) -> int:
    """Return what a block of a scene takes when it is decoded, all its bands, bytes."""
    pixel = (len(scene.bands) + (scene.alpha is not None)) * np.dtype(scene.dtype).itemsize
    return min(math.prod(scene.block_shape), scene.width * scene.height) * pixel


def _bytes_in_work(scene: Scene, ratio: float) -> float:
    """Return the bytes that a source pixel takes while a slab is made into level pixels, given their ratio.

    As stored; in 8 bits, if it is not that already, with the floats in between; as Pillow's image of 4 bytes per pixel
    and the resized one, if the scale is not 1, and all bands apart and together if there are more than three; and where
    there is data, as flags and resized.
    """
    stored = (len(scene.bands) + (scene.alpha is not None)) * np.dtype(scene.dtype).itemsize
    is_scaled = ratio != 1.0
    as_bytes = 0 if scene.value_range is None and scene.alpha is None else max(3, len(scene.bands))
    as_floats = 2 * stored if np.dtype(scene.dtype).kind == "f" or np.dtype(scene.dtype).itemsize > 2 else 0
    more = 0 if len(scene.bands) <= 3 else 2 * len(scene.bands) / ratio**2  # apart, and put together
    resized = 4 + 8 / ratio**2 + more if is_scaled else 0
    flags = (2 + 4 * is_scaled) if scene.has_mask else 0
    return stored + as_bytes + as_floats + resized + flags
