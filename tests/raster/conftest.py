"""Small rasters of all kinds, written with rasterio."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning

Write = Callable[..., Path]

TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64}


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """A smooth picture with noise, (bands, height, width): lossless formats must give it back exactly."""

    def make(width: int, height: int, bands: int = 3, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
        random = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width]
        waves = [120 + 60 * np.sin(x / (9.0 + band) + band) + 50 * np.cos(y / (13.0 - band)) for band in range(bands)]
        grey = np.stack(waves) + random.uniform(-8, 8, (bands, height, width))
        return (grey if dtype == "uint8" else grey * 13 + 200).astype(dtype)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write pixels (bands, height, width) and return the path."""

    def write_file(
        pixels: np.ndarray,
        name: str = "scene.tif",
        *,
        overviews: tuple[int, ...] = (),
        tags: tuple[ColorInterp, ...] = (),
        mask: np.ndarray | None = None,
        colormap: dict[int, tuple[int, int, int, int]] | None = None,
        **profile: Any,
    ) -> Path:
        drivers = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG", ".jp2": "JP2OpenJPEG"}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        count, height, width = pixels.shape
        size = {"count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
        with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", driver=drivers[path.suffix], **size, **profile) as file:
                if tags:
                    file.colorinterp = tags
                if colormap:
                    file.write_colormap(1, colormap)
                file.write(pixels)
                if mask is not None:
                    file.write_mask(mask)
            if overviews:
                with rasterio.open(path, "r+") as file:
                    file.build_overviews(list(overviews), Resampling.average)
        return path

    return write_file


@pytest.fixture
def write_vrt(tmp_path: Path) -> Write:
    """Write a VRT over a raster and return its path."""

    def write_file(source: Path, name: str = "scene.vrt") -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            file = rasterio.open(source)
        with file:
            width, height, count, dtype = file.width, file.height, file.count, file.dtypes[0]
        kind = {"uint8": "Byte", "uint16": "UInt16"}[dtype]
        bands = "".join(
            f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource><SourceFilename relativeToVRT="0">{source}'
            f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
            for band in range(1, count + 1)
        )
        path = tmp_path / name
        path.write_text(f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}</VRTDataset>')
        return path

    return write_file
