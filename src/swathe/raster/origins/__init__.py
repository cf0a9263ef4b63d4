"""Where rasters lie: one origin for each scheme of addresses; a path without a scheme is a file of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping

from swathe.errors import SourceError
from swathe.raster.origins.file import File
from swathe.raster.origins.hdfs import Hdfs
from swathe.raster.origins.http import Http
from swathe.raster.origins.protocol import Fingerprint, Origin
from swathe.raster.origins.s3 import S3
from swathe.raster.origins.webhdfs import WebHdfs

__all__ = ["ORIGINS", "Fingerprint", "Origin", "is_remote", "origin_of", "redacted", "without_secrets"]

ORIGINS: Mapping[str, Origin] = {
    "file": File(),
    "http": Http(),
    "https": Http(),
    "s3": S3(),
    "hdfs": Hdfs(),
    "webhdfs": WebHdfs(),
}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def origin_of(source: str) -> Origin:
    """Return the kind of place that a path or address names.

    Args:
        source: What a user named, or the uri of a scene.

    Returns:
        Its origin.

    Raises:
        SourceError: If it is an address of a kind that is not read.
    """
    scheme = _scheme(source)
    if scheme not in ORIGINS:
        known = ", ".join(f"{name}://" for name in ORIGINS)
        raise SourceError(f"{redacted(source)}: addresses of this kind cannot be read, only {known}and plain paths")
    return ORIGINS[scheme]


def is_remote(source: str) -> bool:
    """Tell an address from a file of this machine; raises as `origin_of` does."""
    return origin_of(source) is not ORIGINS["file"]


def redacted(uri: str) -> str:
    """Return what may be shown and stored of a path or address, given in the user's spelling or GDAL's.

    Args:
        uri: A path or address.

    Returns:
        The same in the user's spelling, without name and password, and without the query of http and https addresses,
        which may hold a signature.
    """
    uri = uri.removeprefix("/vsicurl/")
    for scheme in ("s3", "hdfs", "webhdfs"):
        start = ORIGINS[scheme].gdal_path(f"{scheme}://")
        uri = f"{scheme}://{uri.removeprefix(start)}" if uri.startswith(start) else uri
    return ORIGINS.get(_scheme(uri), ORIGINS["file"]).redacted(uri)


def without_secrets(text: str) -> str:
    """Return a message of GDAL with what may be shown of the addresses in it; they hold no blanks."""
    return re.sub(r"(/vsi\w+/|https?://)[^\s'\"]+", lambda found: redacted(found[0]), text)


def _scheme(source: str) -> str:
    found = _SCHEME.match(source)
    return "file" if found is None else found[1].lower()
