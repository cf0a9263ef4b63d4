"""Which bands of a raster make its picture, and which one tells where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swathe.errors import SourceError, UsageError


def alpha_band(dataset: Any) -> int | None:
    """Return the number of the band that is tagged as alpha, counted from 1, None without one."""
    from rasterio.enums import ColorInterp

    return next((band for band in dataset.indexes if dataset.colorinterp[band - 1] == ColorInterp.alpha), None)


def choose_bands(dataset: Any, wanted: Sequence[int] | None) -> tuple[int, ...]:
    """Choose the bands to show.

    Bands tagged red, green and blue are taken, wherever they are. Otherwise the first three that are not alpha, or
    the first one if there are fewer than three.

    Args:
        dataset: The open raster.
        wanted: Bands asked for, counted from 1: three for red, green, blue, or one for grey; None to choose.

    Returns:
        One or three band numbers.

    Raises:
        UsageError: If the bands asked for do not exist or are not one or three.
        SourceError: If the raster has no bands, or the chosen ones have different or complex data types.
    """
    if dataset.count == 0:
        raise SourceError(f"{dataset.name}: holds no bands of its own; give one of the images inside it as a file")
    bands = _default_bands(dataset) if wanted is None else tuple(int(band) for band in wanted)
    if len(bands) not in {1, 3}:
        raise UsageError(f"bands {bands} of {dataset.name}: give three (red, green, blue) or one (grey)")
    absent = [band for band in bands if not 1 <= band <= dataset.count]
    if absent:
        raise UsageError(
            f"{dataset.name} has no band {absent[0]}: it has {dataset.count}, counted from 1; choose among them"
        )
    types = {dataset.dtypes[band - 1] for band in bands}
    if len(types) > 1 or any(name.startswith("complex") for name in types):
        raise SourceError(
            f"{dataset.name}: bands {bands} are of the type {', '.join(sorted(types))}; "
            f"choose bands of one type that are real numbers, or convert the file"
        )
    return bands


def _default_bands(dataset: Any) -> tuple[int, ...]:
    from rasterio.enums import ColorInterp

    tags = dict(zip(reversed(dataset.colorinterp), reversed(dataset.indexes), strict=True))
    if {ColorInterp.red, ColorInterp.green, ColorInterp.blue} <= tags.keys():
        return tags[ColorInterp.red], tags[ColorInterp.green], tags[ColorInterp.blue]
    plain = [band for band in dataset.indexes if dataset.colorinterp[band - 1] != ColorInterp.alpha]
    return tuple(plain[:3]) if len(plain) >= 3 else tuple(plain[:1] or (1,))
