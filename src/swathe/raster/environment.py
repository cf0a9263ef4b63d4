"""GDAL's options and credentials: those under which Swathe reads, and those of the user, which travel to workers.

GDAL caches decoded blocks for the whole process, by default in 5 % of the machine's memory. Its limit is set to
`CACHE_BYTES` whenever Swathe reads: enough for the blocks under a row of 1024 pixel windows of a scene 40,000 pixels
wide, so that windows that overlap do not decode a block twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

Options = dict[str, str | int | float]

CACHE_BYTES = 128 << 20  # a plain number is bytes for GDAL_CACHEMAX, whatever its size

OPTIONS: Options = {
    "GDAL_CACHEMAX": CACHE_BYTES,
    # A JPEG that ends too early is but a warning to GDAL, which then makes up the missing rows.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    # What mosaics may do is decided in `mosaics`; newer versions of GDAL can be told a part of it, too.
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
# A variable of the same name in the environment goes first.
REMOTE_OPTIONS: Options = {
    "GDAL_HTTP_MAX_RETRY": 4,
    "GDAL_HTTP_RETRY_DELAY": 1,  # seconds, about doubled with each retry: 20 seconds in all
    "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
    "GDAL_HTTP_CONNECTTIMEOUT": 10,  # seconds
    # A transfer below 1 byte per second for 30 seconds is dead; a slow one may take as long as it needs.
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,
    "GDAL_HTTP_LOW_SPEED_TIME": 30,
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}
# For opening remote files: no requests for files that may lie beside them, and the header in one request.
OPENING_OPTIONS: Options = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
    "CPL_VSIL_CURL_USE_HEAD": "NO",  # an address may be signed for GET alone
}
# Variables with which a worker reads what the driver has read: credentials, proxies, GDAL's options; not those that
# name files which come with a library.
TRAVELLING = re.compile(
    r"(AWS|GDAL|CPL|VSI)_\w+|HADOOP_(CONF_DIR|USER_NAME)|KRB5CCNAME|(CURL_CA_BUNDLE|SSL_CERT_FILE)"
    r"|((https?|all|no)_proxy)",
    re.IGNORECASE,
)
OF_THIS_MACHINE = frozenset({"GDAL_DATA", "GDAL_DRIVER_PATH", "GDAL_SKIP", "GDAL_CACHEMAX"})


@contextmanager
def settings(**more: str | float) -> Iterator[None]:
    """Apply the options under which Swathe opens and reads rasters.

    Args:
        **more: Further ones of GDAL's.

    Yields:
        Nothing.
    """
    import rasterio
    from rasterio.session import DummySession

    remote = {name: value for name, value in REMOTE_OPTIONS.items() if name not in os.environ}
    # GDAL finds the credentials for S3 by itself; rasterio would load another library for it at every read.
    with rasterio.Env(session=DummySession(), **{**OPTIONS, **remote, **more}):
        yield


def capture() -> dict[str, str]:
    """Return what a worker needs to read the sources that this process reads.

    Returns:
        Name -> value of environment variables, and of options that the caller has set with `rasterio.Env`. They may
        hold keys: they are sent to workers, never stored or logged.
    """
    from rasterio.env import getenv, hasenv

    named = {**os.environ, **({name: str(value) for name, value in getenv().items()} if hasenv() else {})}
    return {name: value for name, value in named.items() if TRAVELLING.fullmatch(name) and name not in OF_THIS_MACHINE}


@contextmanager
def restore(captured: Mapping[str, str]) -> Iterator[None]:
    """Set the variables that `capture` returned, elsewhere, until the block ends.

    Args:
        captured: Name -> value.

    Yields:
        Nothing.
    """
    before = {name: os.environ.get(name) for name in captured}
    os.environ.update(captured)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
