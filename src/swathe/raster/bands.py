"""Which bands of a raster make its picture, what their values mean, and what tells where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from swathe.errors import SourceError, UsageError
from swathe.raster.origins import redacted

FORMATS_OF_MANY_BANDS = frozenset({"GTiff", "VRT", "HFA", "ENVI"})  # in others, alpha is alpha
OPAQUE = 255
SAMPLE_SIDE = 256  # pixels of the view of a band that is looked at
PIECES, PIECE = 5, 32  # of a band without overviews: pieces per row and column, and pixels of their sides


def alpha_band(dataset: Any) -> int | None:
    """Return the number of the band that is tagged as alpha, counted from 1, None without one."""
    from rasterio.enums import ColorInterp

    tags = dataset.colorinterp  # read once: it is made anew for all bands, of which a damaged file may have many
    return next((band for band, tag in enumerate(tags, start=1) if tag == ColorInterp.alpha), None)


def mask_band(dataset: Any) -> int | None:
    """Return the number of the band that tells by 0 where there is no data, counted from 1, None without one.

    Writers call the fourth of four 8-bit bands alpha unless they are told otherwise, so near infrared often bears that
    name: a band that hardly ever is fully opaque where it is not 0 is taken for a picture.

    Args:
        dataset: The open raster.

    Returns:
        The number.
    """
    band = alpha_band(dataset)
    if band is None or dataset.driver not in FORMATS_OF_MANY_BANDS or dataset.dtypes[band - 1] != "uint8":
        return band
    sample = _sample(dataset, band)
    shown = sample[sample > 0]
    return band if 2 * np.count_nonzero(shown == OPAQUE) >= shown.size else None


def _sample(dataset: Any, band: int) -> npt.NDArray[np.uint8]:
    """Read a few pieces of a band, or all of a small overview."""
    from rasterio.windows import Window

    if dataset.overviews(band):
        side = max(1, math.ceil(max(dataset.shape) / SAMPLE_SIDE))
        return np.asarray(dataset.read(band, out_shape=tuple(math.ceil(length / side) for length in dataset.shape)))
    rows, columns = (np.linspace(0, max(length - PIECE, 0), PIECES).astype(int) for length in dataset.shape)
    pieces = [dataset.read(band, window=Window(column, row, PIECE, PIECE)) for row in rows for column in columns]
    return np.concatenate([piece.ravel() for piece in pieces])


def choose_bands(dataset: Any, wanted: Sequence[int] | None) -> tuple[int, ...]:
    """Choose the bands to show.

    Bands tagged red, green and blue are taken, wherever they are. Otherwise the first three that are not alpha, or
    the first one if there are fewer than three.

    Args:
        dataset: The open raster.
        wanted: Bands asked for, counted from 1: three for red, green, blue, one for grey, or as many as a model sees;
            None to choose.

    Returns:
        Band numbers: one or three if none are asked for.

    Raises:
        UsageError: If the bands asked for do not exist, or are none or two.
        SourceError: If the raster has no bands, or the chosen ones have different or complex data types.
    """
    name = redacted(dataset.name)
    if dataset.count == 0:
        raise SourceError(f"{name}: holds no bands of its own; give one of the images inside it as a file")
    bands = _default_bands(dataset) if wanted is None else tuple(int(band) for band in wanted)
    if len(bands) in {0, 2}:
        raise UsageError(f"bands {bands} of {name}: give three (red, green, blue), one (grey), or more for a model")
    absent = [band for band in bands if not 1 <= band <= dataset.count]
    if absent:
        raise UsageError(f"{name} has no band {absent[0]}: it has {dataset.count}, counted from 1; choose among them")
    types = {dataset.dtypes[band - 1] for band in bands}
    if len(types) > 1 or any(name.startswith("complex") for name in types):
        raise SourceError(
            f"{name}: bands {bands} are of the type {', '.join(sorted(types))}; "
            f"choose bands of one type that are real numbers, or convert the file"
        )
    return bands


def _default_bands(dataset: Any) -> tuple[int, ...]:
    from rasterio.enums import ColorInterp

    meanings = dataset.colorinterp
    tags = {tag: band for band, tag in reversed(list(enumerate(meanings, start=1)))}
    if {ColorInterp.red, ColorInterp.green, ColorInterp.blue} <= tags.keys():
        return tags[ColorInterp.red], tags[ColorInterp.green], tags[ColorInterp.blue]
    plain = [band for band, tag in enumerate(meanings, start=1) if tag != ColorInterp.alpha]
    return tuple(plain[:3]) if len(plain) >= 3 else tuple(plain[:1] or (1,))


def mask_bands(dataset: Any, bands: Sequence[int]) -> tuple[int, ...]:
    """Tell which masks have to be read beside the pixels: those that neither alpha nor a nodata value makes.

    Args:
        dataset: The open raster, or one of its overviews.
        bands: The bands shown.

    Returns:
        The first band if one mask serves all, every band if each has its own, nothing if there are no masks. Nodata
        values of 64-bit integers, which floats cannot hold, are left to GDAL and so count as masks.
    """
    from rasterio.enums import MaskFlags

    flags = set(dataset.mask_flag_enums[bands[0] - 1])
    if MaskFlags.alpha in flags or MaskFlags.all_valid in flags:
        return ()
    if MaskFlags.per_dataset in flags:
        return (bands[0],)
    if MaskFlags.nodata in flags:
        return tuple(bands) if dataset.dtypes[bands[0] - 1] in {"int64", "uint64"} else ()
    return tuple(bands)


def nodata_values(dataset: Any, bands: Sequence[int]) -> tuple[float, ...] | None:
    """Return the value of each band that stands for no data.

    Args:
        dataset: The open raster.
        bands: The bands shown.

    Returns:
        One value per band shown; None if a band has no such value, so that all of its pixels hold data, or if masks
        are read instead.
    """
    values = [dataset.nodatavals[band - 1] for band in bands]
    if None in values or dataset.dtypes[bands[0] - 1] in {"int64", "uint64"}:
        return None
    return tuple(float(value) for value in values)


def has_palette(dataset: Any, bands: Sequence[int]) -> bool:
    """Tell whether the only band shown holds numbers of colours, and the file the colours."""
    return is_paletted(dataset, bands) and _has_colours(dataset, bands[0])


def is_paletted(dataset: Any, bands: Sequence[int]) -> bool:
    """Tell whether the only band shown is said to hold numbers of colours."""
    from rasterio.enums import ColorInterp

    whole = dataset.dtypes[bands[0] - 1] in {"uint8", "uint16"}
    return whole and len(bands) == 1 and dataset.colorinterp[bands[0] - 1] == ColorInterp.palette


def _has_colours(dataset: Any, band: int) -> bool:
    try:
        return bool(dataset.colormap(band))
    except ValueError:  # "NULL color table"
        return False


def counts_from_white(dataset: Any, bands: Sequence[int]) -> bool:
    """Tell whether low values are bright, as in a TIFF of the photometric kind MINISWHITE."""
    return dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES" and not has_palette(dataset, bands)


def full_range(dataset: Any, bands: Sequence[int]) -> tuple[float, float] | None:
    """Return the lowest and highest value of 8-bit bands that use fewer bits, such as 0 and 1 of one bit."""
    bits = dataset.tags(bands[0], ns="IMAGE_STRUCTURE").get("NBITS", "8")
    if dataset.dtypes[bands[0] - 1] != "uint8" or bits not in {"1", "2", "3", "4", "5", "6", "7"}:
        return None
    return 0.0, 2.0 ** int(bits) - 1.0
