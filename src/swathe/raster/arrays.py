"""Pictures in memory: arrays and images of Pillow are written to GeoTIFF files, to be read as any scene is."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from swathe.errors import StoreError, UsageError
from swathe.raster import gdal
from swathe.raster.environment import settings

TYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")
PLAIN_MODES = frozenset({"L", "RGB", "RGBA", "I;16", "I", "F"})  # of Pillow, whose arrays hold grey or red, green, blue
MOST_COLOURS = 4  # bands of a picture with alpha
BLOCK = 256  # side of the file's tiles, pixels
ROWS = 4 * BLOCK  # written at a time


def is_picture(value: object) -> bool:
    """Tell whether a value holds pixels: an array, an image of Pillow, or what NumPy takes for an array.

    Args:
        value: Anything.

    Returns:
        Whether it does.
    """
    return not isinstance(value, str) and (hasattr(value, "__array_interface__") or hasattr(value, "__array__"))


def write_picture(picture: Any, path: Path) -> Path:
    """Write pixels as a GeoTIFF without georeference.

    Equal pixels give files of equal size and time of last change, so that runs over them have equal ids.

    Args:
        picture: (height, width) or (height, width, bands), bands as red, green, blue, of `TYPES`; or an image of
            Pillow. Infinite values and NaN stand for no data.
        path: The file to write.

    Returns:
        The path.

    Raises:
        UsageError: If it has another shape or type, or no pixels.
        StoreError: If the file cannot be written.
    """
    from rasterio.errors import RasterioError

    pixels, has_alpha = _pixels(picture)
    digest = hashlib.blake2b(f"{pixels.shape} {pixels.dtype.name} {has_alpha}".encode(), digest_size=7)
    try:
        with settings():
            _write(pixels, path, digest, has_alpha=has_alpha)
        time = int.from_bytes(digest.digest(), "big")  # nanoseconds, as many as 56 bits hold: two years
        os.utime(path, ns=(time, time))
    except (RasterioError, OSError) as error:
        raise StoreError(
            f"the pixels of {path.stem} cannot be written to {path.parent} ({gdal.reason(error)}); free space, or name "
            "another folder for temporary files in TMPDIR"
        ) from error
    return path


def _write(pixels: npt.NDArray[Any], path: Path, digest: Any, *, has_alpha: bool) -> None:
    import rasterio
    from rasterio.windows import Window

    height, width, count = pixels.shape
    profile: dict[str, Any] = {"driver": "GTiff", "width": width, "height": height, "count": count}
    profile |= {"dtype": pixels.dtype.name, "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
    # GDAL would take the fourth band of 8-bit pixels for alpha.
    profile |= {"photometric": "rgb", "alpha": "yes"} if has_alpha else {"photometric": "minisblack", "alpha": "no"}
    with gdal.without_place():
        opened = rasterio.open(path, "w", bigtiff="if_safer", interleave="pixel", **profile)
    with opened as file:
        for top in range(0, height, ROWS):
            rows = np.ascontiguousarray(pixels[top : top + ROWS], dtype=pixels.dtype.newbyteorder("="))
            digest.update(rows)
            file.write(np.moveaxis(rows, 2, 0), window=Window(0, top, width, len(rows)))


def _pixels(picture: Any) -> tuple[npt.NDArray[Any], bool]:
    """Return pixels (height, width, bands), and whether the last band is alpha."""
    pillow = sys.modules.get("PIL.Image")  # there is no image of Pillow where it has not been loaded
    if pillow is not None and isinstance(picture, pillow.Image):
        if picture.mode not in PLAIN_MODES:
            picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        array, has_alpha = np.asarray(picture), picture.mode == "RGBA"
    else:
        if isinstance(picture, np.ma.MaskedArray):
            raise UsageError(
                "source: a masked array is not taken; fill it, for instance by array.astype('float32').filled(math.nan)"
            )
        array, has_alpha = _array(picture), False
    if array.ndim == 2:
        array = array[..., np.newaxis]
    _check(array)
    return array, has_alpha


def _array(picture: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:  # of tensors on a GPU, or with gradients
        raise UsageError(f"source: cannot be read as an array ({error}); pass a NumPy array") from error


def _check(array: npt.NDArray[Any]) -> None:
    """Refuse what is not a picture."""
    if array.ndim != 3 or not array.size:
        raise UsageError(
            f"source: shape {array.shape} is not a picture; give (height, width) or (height, width, bands), "
            "and several pictures as a list"
        )
    if array.shape[0] < min(array.shape[1:]) and array.shape[2] > MOST_COLOURS:
        raise UsageError(
            f"source: an array of shape {array.shape} seems to have its bands first; give (height, width, bands), for "
            "instance by array.transpose(1, 2, 0)"
        )
    if array.dtype.name not in TYPES:
        raise UsageError(
            f"source: an array of type {array.dtype} cannot be shown; give one of {', '.join(TYPES)}, for instance by "
            "array.astype('float32')"
        )
