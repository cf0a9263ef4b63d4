"""The one door to rasters: every command opens them here, what they may make GDAL open is decided before it does."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from swathe.errors import SourceError
from swathe.raster import mosaics
from swathe.raster.environment import OPENING_OPTIONS, settings
from swathe.raster.formats import FORMATS
from swathe.raster.origins import is_remote, origin_of, redacted, without_secrets

# Filters of warnings belong to the process: two threads must not swap them at once.
_warnings_lock = threading.Lock()


@contextmanager
def without_place() -> Iterator[None]:
    """Let rasters without georeference be opened without a warning."""
    from rasterio.errors import NotGeoreferencedWarning

    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def reading(uri: str, **more: bool) -> AbstractContextManager[None]:
    """Return the settings under which a raster is read, and more of GDAL's: it opens the parts of mosaics only then."""
    return settings(**(OPENING_OPTIONS if is_remote(uri) else {}), **more)


@contextmanager
def describing(uri: str) -> Iterator[None]:
    """Apply the settings while properties of an open raster are looked at, and put errors into words.

    Args:
        uri: The file, or the address of a remote one.

    Yields:
        Nothing.

    Raises:
        SourceError: If GDAL fails; it reads parts of a file only when they are asked for.
    """
    from rasterio._err import CPLE_BaseError  # what properties raise has no public name
    from rasterio.errors import RasterioError

    try:
        with reading(uri):
            yield
    except (RasterioError, CPLE_BaseError) as error:
        raise SourceError(
            f"{redacted(uri)}: cannot be read ({reason(error)}); the file is damaged, fetch or export it again"
        ) from error


def open_dataset(uri: str, overview: int | None = None, path: str | None = None, **more: bool) -> Any:
    """Open a raster.

    Args:
        uri: The file, or the address of a remote one.
        overview: Place of the overview to open instead of the full resolution.
        path: What GDAL is to open for it, if not the file itself.
        **more: Options of GDAL.

    Returns:
        The rasterio dataset; the caller closes it.

    Raises:
        SourceError: If it is not a raster of a known format, or damaged, its server does not give it out, or it is a
            mosaic that asks for more than mosaics may.
    """
    from rasterio.errors import RasterioError
    from rasterio.io import DatasetReader  # rasterio.open takes no list of drivers

    origin = origin_of(uri)
    mosaics.parts(uri)  # refuses what it may not ask for
    options: dict[str, Any] = {"driver": list(FORMATS)} | ({} if overview is None else {"overview_level": overview})
    try:
        with reading(uri, **more), without_place():
            dataset = DatasetReader(path or origin.gdal_path(uri), **options)
            elsewhere = dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE")
    except RasterioError as error:
        raise SourceError(
            origin.unopened(uri, reason(error))
            or f"{redacted(uri)}: is not an image that can be opened ({reason(error)}); it should be one of "
            f"{', '.join(FORMATS.values())}; convert others, for instance with gdal_translate, and fetch it again "
            "if it was cut short"
        ) from error
    if elsewhere is not None:
        dataset.close()
        raise SourceError(f"{redacted(uri)}: names {elsewhere[:80]!r} for its overviews; remove that from its metadata")
    return dataset


def reason(error: BaseException) -> str:
    """Return what GDAL said, which rasterio often hides in the cause of its own error."""
    return without_secrets(str(error.__cause__ or error)).rstrip(". ")


def library_versions() -> dict[str, str]:
    """Return the versions of GDAL and PROJ that rasters are read with."""
    import rasterio

    return {"gdal": rasterio.__gdal_version__, "proj": rasterio.__proj_version__}


def driver_names() -> frozenset[str]:
    """Return the short names of the formats that GDAL was built with."""
    import rasterio

    with rasterio.Env() as env:
        return frozenset(env.drivers())
