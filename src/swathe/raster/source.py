"""A source: one resolution of a scene, opened, read as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from swathe.errors import SourceError
from swathe.raster import gdal
from swathe.raster.bands import has_palette, mask_bands
from swathe.raster.decoders import is_harmless
from swathe.raster.formats import is_manifest
from swathe.raster.manifest import mosaic
from swathe.raster.origins import origin_of
from swathe.raster.window import Window

if TYPE_CHECKING:
    from swathe.raster.scene import Scene

Palette = npt.NDArray[np.uint8]  # (values, 4) red, green, blue, alpha of each value


@dataclass(frozen=True)
class StoredPixels:
    """Pixels in the type of the file."""

    values: npt.NDArray[Any]  # (height, width, bands)
    valid: npt.NDArray[np.bool_] | None  # (height, width) where there is data, None for everywhere


class Source:
    """The full resolution of a scene, or one of its overviews.

    A pixel holds no data where the alpha band or the mask of the file is 0, where all bands shown have their nodata
    value, where all are NaN or infinite, or where its colour in the palette is transparent.
    """

    def __init__(self, scene: Scene, overview: int | None = None) -> None:
        self._scene = scene
        self._mosaic = _virtual(mosaic(scene.uri)) if is_manifest(scene.uri) else None
        path = None if self._mosaic is None else self._mosaic.name
        self._dataset = gdal.open_dataset(scene.uri, overview, path)
        self.width: int = self._dataset.width  # columns
        self.height: int = self._dataset.height  # rows
        self.reads = 0  # calls to GDAL so far
        self.bytes = 0  # of the pixels they gave
        self._options: dict[str, bool] = {}  # of GDAL, for this file alone
        self._extra = [] if scene.alpha is None or scene.alpha in scene.bands else [scene.alpha]
        self._nodata = _stored(scene.nodata, np.dtype(scene.dtype))
        with gdal.describing(scene.uri):
            self.has_overviews = bool(self._dataset.overviews(scene.bands[0]))
            self.palette = _palette(self._dataset, scene.bands) if has_palette(self._dataset, scene.bands) else None
            self._masks = list(mask_bands(self._dataset, scene.bands))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()
        if self._mosaic is not None:
            self._mosaic.close()

    def read(self, window: Window, thinned: tuple[int, int] | None = None) -> StoredPixels:
        """Read pixels.

        Args:
            window: What to read, pixels of this resolution.
            thinned: Rows and columns to thin it out to by leaving out pixels; None for all pixels.

        Returns:
            The bands of the scene.

        Raises:
            SourceError: If the file is damaged there.
        """
        from rasterio.errors import RasterioError
        from rasterio.windows import Window as RasterioWindow

        scene, (height, width) = self._scene, thinned or (window.height, window.width)
        indexes = [*scene.bands, *self._extra]
        values = np.empty((height, width, len(indexes)), dtype=scene.dtype)
        place = RasterioWindow(window.col_off, window.row_off, window.width, window.height)
        mask = None
        try:
            with gdal.reading(scene.uri, **self._options):
                # GDAL fills pixels in our order, bands last, which saves a copy.
                self._dataset.read(indexes, window=place, out=values.transpose(2, 0, 1))
                if self._masks:
                    shape = len(self._masks), height, width
                    mask = self._dataset.read_masks(self._masks, window=place, out_shape=shape)
        except RasterioError as error:
            if self._may_be_lenient(error):
                return self.read(window, thinned)
            what = f"{window} cannot be read ({gdal.reason(error)})"
            raise SourceError(origin_of(scene.uri).unread(scene.uri, what)) from error
        self.reads += 1 + bool(self._masks)
        self.bytes += values.nbytes + (0 if mask is None else mask.nbytes)
        return StoredPixels(values[..., : len(scene.bands)], self._valid(values, mask))

    def _may_be_lenient(self, error: BaseException) -> bool:
        """Open a JPEG anew that has but stray bytes, so that they are passed over."""
        if self._options or self._dataset.driver != "JPEG" or not is_harmless(self._scene.uri, _said(error)):
            return False
        self.close()
        self._options = {"GDAL_ERROR_ON_LIBJPEG_WARNING": False}
        self._dataset = gdal.open_dataset(self._scene.uri, None, None, **self._options)
        return True

    def _valid(self, values: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.bool_] | None:
        shown = [values[..., place] for place in range(len(self._scene.bands))]
        tests: list[npt.NDArray[np.bool_]] = [] if mask is None else [np.asarray(mask.any(axis=0))]
        if self._scene.alpha is not None:
            place = [*self._scene.bands, *self._extra].index(self._scene.alpha)
            tests.append(values[..., place] > 0)
        if self._nodata is not None or values.dtype.kind == "f":
            absent = self._nodata or [None] * len(shown)
            tests.append(reduce(np.logical_or, (_holds_data(*pair) for pair in zip(shown, absent, strict=True))))
        if self.palette is not None and not self.palette[:, 3].all():
            tests.append(self.palette[:, 3][shown[0]] > 0)
        if not tests:
            return None
        valid: npt.NDArray[np.bool_] = reduce(np.logical_and, tests)
        return None if valid.all() else valid


def _said(error: BaseException | None) -> str:
    """Return all that GDAL said, from the last message to the first: each is the cause of the one before."""
    return "" if error is None else f"{error}\n{_said(error.__cause__)}"


def _holds_data(band: npt.NDArray[Any], nodata: Any) -> npt.NDArray[np.bool_]:
    """Return where a band has a finite number other than its nodata value."""
    if band.dtype.kind != "f":
        return np.asarray(band != nodata)
    finite: npt.NDArray[np.bool_] = np.isfinite(band)
    return finite if nodata is None else finite & (band != nodata)


def _palette(dataset: Any, bands: tuple[int, ...]) -> Palette:
    """Return the colours of a band that holds numbers of colours; numbers without colour are black."""
    colours = np.zeros((np.iinfo(dataset.dtypes[bands[0] - 1]).max + 1, 4), dtype=np.uint8)
    colours[:, 3] = 255
    for value, colour in dataset.colormap(bands[0]).items():
        if value < len(colours):
            colours[value] = np.clip(colour, 0, 255)
    return colours


def _stored(nodata: tuple[float, ...] | None, dtype: np.dtype[Any]) -> list[Any] | None:
    """Return the nodata values in the type of the pixels, None if no pixel can have all of them."""
    if nodata is None:
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return [dtype.type(value) for value in nodata]
    limits = np.iinfo(dtype)
    possible = all(value.is_integer() and limits.min <= value <= limits.max for value in nodata)
    return [dtype.type(int(value)) for value in nodata] if possible else None


def _virtual(content: bytes) -> Any:
    """Return a file in memory for GDAL."""
    from rasterio.io import MemoryFile

    return MemoryFile(content, ext=".vrt")
