"""A source: one resolution of a scene, opened, read as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from swathe.errors import SourceError
from swathe.raster import gdal
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

    A pixel holds no data where the alpha band or the mask of the file is 0, where all bands shown have the nodata
    value, where all are NaN, or where its colour in the palette is transparent.
    """

    def __init__(self, scene: Scene, overview: int | None = None) -> None:
        self._scene = scene
        self._dataset = gdal.open_dataset(scene.uri, overview)
        self.width: int = self._dataset.width  # columns
        self.height: int = self._dataset.height  # rows
        self.reads = 0  # calls to GDAL so far
        self.bytes = 0  # of the pixels they gave
        self.palette = _palette(self._dataset, scene.bands) if scene.dtype in {"uint8", "uint16"} else None
        self._extra = [] if scene.alpha is None or scene.alpha in scene.bands else [scene.alpha]
        self._nodata = _stored(scene.nodata, np.dtype(scene.dtype))
        self._masked = gdal.has_dataset_mask(self._dataset, scene.bands[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    def read(self, window: Window, shape: tuple[int, int] | None = None) -> StoredPixels:
        """Read pixels.

        Args:
            window: What to read, pixels of this resolution.
            shape: Rows and columns to thin it out to by leaving out pixels; None for all pixels.

        Returns:
            The bands of the scene.

        Raises:
            SourceError: If the file is damaged there.
        """
        from rasterio.errors import RasterioError
        from rasterio.windows import Window as RasterioWindow

        scene, (height, width) = self._scene, shape or (window.height, window.width)
        indexes = [*scene.bands, *self._extra]
        values = np.empty((height, width, len(indexes)), dtype=scene.dtype)
        place = RasterioWindow(window.col_off, window.row_off, window.width, window.height)
        mask = None
        try:
            with gdal.settings():
                # GDAL fills pixels in our order, bands last, which saves a copy.
                self._dataset.read(indexes, window=place, out=values.transpose(2, 0, 1))
                if self._masked:
                    mask = self._dataset.read_masks(scene.bands[0], window=place, out_shape=(height, width))
        except RasterioError as error:
            raise SourceError(
                f"{scene.uri}: {window} cannot be read ({gdal.reason(error)}); the file is damaged or cut short, "
                f"fetch or export it again"
            ) from error
        self.reads += 1 + self._masked
        self.bytes += values.nbytes + (0 if mask is None else mask.nbytes)
        return StoredPixels(values[..., : len(scene.bands)], self._valid(values, mask))

    def _valid(self, values: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.bool_] | None:
        shown = [values[..., place] for place in range(len(self._scene.bands))]
        tests = [] if mask is None else [mask > 0]
        if self._scene.alpha is not None:
            place = [*self._scene.bands, *self._extra].index(self._scene.alpha)
            tests.append(values[..., place] > 0)
        if self._nodata is not None:
            tests.append(reduce(np.logical_or, (band != self._nodata for band in shown)))
        if values.dtype.kind == "f":
            tests.append(~reduce(np.logical_and, (np.isnan(band) for band in shown)))
        if self.palette is not None and not self.palette[:, 3].all():
            tests.append(self.palette[:, 3][shown[0]] > 0)
        valid = reduce(np.logical_and, tests) if tests else None
        return None if valid is None or valid.all() else valid


def _palette(dataset: Any, bands: tuple[int, ...]) -> Palette | None:
    """Return the colours of a band that holds numbers of colours."""
    from rasterio.enums import ColorInterp

    if len(bands) > 1 or dataset.colorinterp[bands[0] - 1] != ColorInterp.palette:
        return None
    colours = np.zeros((np.iinfo(dataset.dtypes[bands[0] - 1]).max + 1, 4), dtype=np.uint8)
    colours[:, 3] = 255
    for value, colour in dataset.colormap(bands[0]).items():
        colours[value] = colour
    return colours


def _stored(nodata: float | None, dtype: np.dtype[Any]) -> Any:
    """Return the nodata value in the type of the pixels, None if no pixel can have it or it is NaN."""
    if nodata is None or np.isnan(nodata):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(nodata)
    limits = np.iinfo(dtype)
    return dtype.type(int(nodata)) if nodata == int(nodata) and limits.min <= nodata <= limits.max else None
