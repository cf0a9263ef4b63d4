"""The one door to GDAL: its settings, opening without noise, and its errors in words.

GDAL caches decoded blocks for the whole process, by default in 5 % of the machine's memory. Its limit is set to
`CACHE_BYTES` whenever Swathe reads: enough for the blocks under a row of 1024 pixel windows of a scene 40,000 pixels
wide, so that windows that overlap do not decode a block twice.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from swathe.errors import SourceError
from swathe.raster import remote

CACHE_BYTES = 128 << 20  # a plain number is bytes for GDAL_CACHEMAX, whatever its size
FORMATS = {"GTiff": "GeoTIFF", "VRT": "VRT", "PNG": "PNG", "JPEG": "JPEG", "JP2OpenJPEG": "JPEG 2000"}

# Filters of warnings belong to the process: two threads must not swap them at once.
_warnings_lock = threading.Lock()


@contextmanager
def settings(**more: str | float) -> Iterator[None]:
    """Apply the settings under which Swathe opens and reads rasters, and more of GDAL's if given."""
    import rasterio
    from rasterio.session import DummySession

    # A JPEG that ends too early is but a warning to GDAL, which then makes up the missing rows.
    options = {"GDAL_CACHEMAX": CACHE_BYTES, "GDAL_ERROR_ON_LIBJPEG_WARNING": True, **remote.options(), **more}
    # GDAL finds the credentials for S3 by itself; rasterio would load another library for it at every read.
    with rasterio.Env(session=DummySession(), **options):
        yield


@contextmanager
def without_place() -> Iterator[None]:
    """Let rasters without georeference be opened without a warning."""
    from rasterio.errors import NotGeoreferencedWarning

    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


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
        with settings():
            yield
    except (RasterioError, CPLE_BaseError) as error:
        raise SourceError(
            f"{remote.shown(uri)}: cannot be read ({reason(error)}); the file is damaged, fetch or export it again"
        ) from error


def open_dataset(uri: str, overview: int | None = None) -> Any:
    """Open a raster.

    Args:
        uri: The file, or the address of a remote one.
        overview: Place of the overview to open instead of the full resolution.

    Returns:
        The rasterio dataset; the caller closes it.

    Raises:
        SourceError: If it is not a raster of a known format, or damaged, or its server does not give it out.
    """
    import rasterio
    from rasterio.errors import RasterioError

    options = {} if overview is None else {"overview_level": overview}
    path = remote.gdal_path(uri)
    try:
        with settings(**({} if path == uri else remote.OPENING_OPTIONS)), without_place():
            dataset = rasterio.open(path, **options)
    except RasterioError as error:
        if path != uri and not remote.is_about_content(reason(error)):
            raise SourceError(remote.explain(uri, reason(error))) from error
        raise SourceError(
            f"{remote.shown(uri)}: is not an image that can be opened ({reason(error)}); it should be one of "
            f"{', '.join(FORMATS.values())}, fetch it again if it was cut short"
        ) from error
    if dataset.driver not in FORMATS:
        dataset.close()
        raise SourceError(
            f"{remote.shown(uri)}: is of the format {dataset.driver}, not one of {', '.join(FORMATS.values())}; "
            f"convert it, for instance with gdal_translate"
        )
    return dataset


def reason(error: BaseException) -> str:
    """Return what GDAL said, which rasterio often hides in the cause of its own error."""
    return remote.without_secrets(str(error.__cause__ or error)).rstrip(". ")


def library_versions() -> dict[str, str]:
    """Return the versions of GDAL and PROJ that rasters are read with."""
    import rasterio

    return {"gdal": rasterio.__gdal_version__, "proj": rasterio.__proj_version__}


def driver_names() -> frozenset[str]:
    """Return the short names of the formats that GDAL was built with."""
    import rasterio

    with rasterio.Env() as env:
        return frozenset(env.drivers())
