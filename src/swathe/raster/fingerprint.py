"""What tells that the pixels of a scene are no longer those that were described.

A raster is told by its size and its time of last change. Pixels may also lie beside it, in `.msk` and `.ovr` files, and
those of a mosaic lie in other files altogether: then the sizes are added up, and a hash of all names, sizes and times
stands for the time.
"""

from __future__ import annotations

import hashlib
import os

from swathe.errors import SourceError
from swathe.raster import mosaics
from swathe.raster.origins import Fingerprint, is_remote, origin_of
from swathe.raster.origins.file import path_of


def fingerprint(uri: str) -> Fingerprint:
    """Return what changes when a raster, the files beside it, or the parts of a mosaic do.

    Of a mosaic on a server only the mosaic itself is looked at: there may be thousands of parts.

    Args:
        uri: The file, or the address of a remote one.

    Returns:
        Its size in bytes and its time of last change in nanoseconds, or a hash of its version; with parts, the sum of
        the sizes and a hash.

    Raises:
        SourceError: If it or a part of it is missing, a folder, empty, or may not be read.
    """
    alone = origin_of(uri).fingerprint(uri)
    if is_remote(uri):
        return alone
    others = [(name, _of_part(name, uri)) for name in mosaics.parts(uri)]
    beside = (path_of(uri) + suffix for suffix in mosaics.BESIDE)
    others += [(name, origin_of(name).fingerprint(name)) for name in beside if os.path.exists(name)]  # noqa: PTH110 - false, too, where the name gets too long
    if not others:
        return alone
    digest = hashlib.sha256(repr([alone, *others]).encode(errors="surrogateescape")).digest()
    return alone[0] + sum(size for _, (size, _) in others), int.from_bytes(digest[:7], "big")


def _of_part(name: str, mosaic: str) -> Fingerprint:
    """Return the size and time of one part."""
    try:
        return origin_of(name).fingerprint(name)
    except SourceError as error:
        raise SourceError(f"{mosaic}: its part {error}; put it back, or make the VRT again without it") from error
