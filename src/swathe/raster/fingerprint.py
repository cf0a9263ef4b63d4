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
from swathe.raster.formats import is_manifest
from swathe.raster.origins import Fingerprint, is_remote, origin_of
from swathe.raster.origins.file import path_of

DIGITS = 16  # of a stamp


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


def stamp(uri: str, *more: object) -> str:
    """Return what tells, without opening a raster, that it would be described as before.

    Beyond its fingerprint these are the files that may hold its georeference. Programs write such files for other
    purposes, too, so another stamp does not mean other content.

    Args:
        uri: The file, or the address of a remote one.
        *more: What else its description depends on.

    Returns:
        16 hexadecimal digits; empty if it must be opened: to ask a server costs as much, and slices lie in many files.
    """
    if is_remote(uri) or is_manifest(uri):
        return ""
    try:
        content = fingerprint(uri)
    except SourceError:
        return ""
    name = path_of(uri)
    stem, dot, suffix = name.rpartition(".")
    endings = ("aux.xml", "prj", "wld", f"{suffix}w", f"{suffix[:1]}{suffix[-1:]}w")
    beside = [f"{name}.aux.xml", *(stem + dot + ending for ending in endings)]
    seen = [content, *map(_size_and_time, beside), *more]
    return hashlib.sha256(repr(seen).encode(errors="surrogateescape")).hexdigest()[:DIGITS]


def _size_and_time(path: str) -> Fingerprint | None:
    """Return the size and time of a file; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of times
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _of_part(name: str, mosaic: str) -> Fingerprint:
    """Return the size and time of one part."""
    try:
        return origin_of(name).fingerprint(name)
    except SourceError as error:
        raise SourceError(f"{mosaic}: its part {error}; put it back, or make the VRT again without it") from error
