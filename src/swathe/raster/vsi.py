"""What GDAL's virtual file systems know of remote files: length, version, listing, and why one cannot be read.

rasterio reads through these file systems but has no functions for them, so they are called in the library that rasterio
has loaded. A second client, for HTTP or S3, would need its own credentials, headers, proxies and retries, and could see
other files than the ones that are read.
"""

from __future__ import annotations

import ctypes
import fnmatch
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from swathe.errors import SourceError
from swathe.raster import gdal, remote

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def _library() -> ctypes.CDLL:
    """Return the GDAL that rasterio's compiled modules are linked with."""
    import rasterio.crs

    library = ctypes.CDLL(rasterio.crs.__file__)
    library.VSIGetFileMetadata.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
    library.VSIGetFileMetadata.restype = ctypes.c_void_p
    library.VSIReadDirRecursive.argtypes = [ctypes.c_char_p]
    library.VSIReadDirRecursive.restype = ctypes.c_void_p
    library.CSLDestroy.argtypes = [ctypes.c_void_p]
    library.VSICurlPartialClearCache.argtypes = [ctypes.c_char_p]
    library.VSIFOpenExL.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
    library.VSIFOpenExL.restype = ctypes.c_void_p
    library.VSIFCloseL.argtypes = [ctypes.c_void_p]
    library.VSIGetLastErrorMsg.restype = ctypes.c_char_p
    return library


def _take(address: int | None) -> list[str]:
    """Turn a list of strings of GDAL into ours, and free it."""
    if address is None:
        return []
    texts = ctypes.cast(address, ctypes.POINTER(ctypes.c_char_p))
    taken: list[str] = []
    while (text := texts[len(taken)]) is not None:
        taken.append(text.decode(errors="replace"))
    _library().CSLDestroy(address)
    return taken


def fingerprint(uri: str) -> tuple[int, int]:
    """Return what changes when a remote file does, by asking its server for the headers.

    Args:
        uri: The address.

    Returns:
        Its length in bytes, and a hash of its ETag, or of its time of last change if the server gives no ETag; 0 if it
        gives neither.

    Raises:
        SourceError: If it is missing, may not be read, is empty or a web page, its server cannot be reached, or does
            not give lengths or serve ranges.
    """
    headers = _headers(uri)
    # GDAL may have asked for the first bytes only; then the length of the file is in their range.
    length = headers.get("content-range", headers.get("content-length", "")).rpartition("/")[2]
    if not length.isdigit():
        raise SourceError(
            f"{remote.shown(uri)}: the server does not say how long the file is, so parts of it cannot be read; fetch "
            "the file first and name the copy"
        )
    if int(length) == 0:
        raise SourceError(f"{remote.shown(uri)}: is empty; put it there again")
    if headers.get("content-type", "").lower().startswith("text/html"):
        raise SourceError(
            f"{remote.shown(uri)}: is a web page, not an image; open it in a browser, it may ask for a login or link "
            "to the image"
        )
    if headers.get("accept-ranges", "").lower() == "none":
        raise SourceError(remote.explain(uri, "Range downloading not supported"))
    version = headers.get("etag") or headers.get("last-modified")
    if version is None:
        return int(length), 0
    return int(length), int.from_bytes(hashlib.sha256(version.encode()).digest()[:8]) >> 1


def _headers(uri: str) -> dict[str, str]:
    """Ask a server for the headers of a file, and forget what GDAL remembers of it."""
    library = _library()
    lines, said = _asked(uri, lambda path: library.VSIGetFileMetadata(path, b"HEADERS", None), _why_not)
    if not lines:
        raise SourceError(remote.explain(uri, said))
    pairs = (line.partition("=") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _asked(
    uri: str, ask: Callable[[bytes], int | None], why_not: Callable[[bytes], str] | None = None
) -> tuple[list[str], str]:
    """Ask a server anew for a list of texts; return it, and what GDAL says if it is empty.

    Where no credentials for S3 are set, GDAL looks for them at the address at which machines of Amazon have them. With
    our retries that takes a minute wherever nobody answers there, so S3 is asked without retries first.
    """
    library, path = _library(), remote.gdal_path(uri).encode()
    answer: list[str] = []
    said = ""
    for more in ({"GDAL_HTTP_MAX_RETRY": 0}, {}) if path.startswith(b"/vsis3/") else ({},):
        with gdal.settings(**remote.OPENING_OPTIONS, **more):
            library.VSICurlPartialClearCache(path)
            library.VSIErrorReset()
            answer = _take(ask(path))
            said = "" if answer else why_not(path) if why_not else _last_message()
        if answer or remote.is_about_credentials(said):
            break
    return answer, said


def _last_message() -> str:
    """Return what GDAL said last of remote files."""
    return (_library().VSIGetLastErrorMsg() or b"").decode(errors="replace")


def _why_not(path: bytes) -> str:
    """Return what GDAL says when it opens a file in vain."""
    library = _library()
    library.VSIErrorReset()
    file = library.VSIFOpenExL(path, b"rb", 1)
    if file:
        library.VSIFCloseL(file)
    return _last_message()


def why_unread(uri: str, place: object, error: BaseException) -> str:
    """Find out why a part of a raster cannot be read, and what to do; the server of a remote one is asked.

    Args:
        uri: The file, or the address of a remote one.
        place: The part, for the message.
        error: What rasterio raised.

    Returns:
        The message of an error.
    """
    what = f"{place} cannot be read ({gdal.reason(error)})"
    if not remote.is_remote(uri):
        return f"{uri}: {what}; the file is damaged or cut short, fetch or export it again"
    try:
        fingerprint(uri)
    except SourceError as unreachable:
        return str(unreachable)
    return (
        f"{remote.shown(uri)}: {what}; if the connection broke off, the same command again goes on where it was; if it "
        "fails at the same place, the file is damaged there"
    )


def list_objects(uri: str) -> list[str]:
    """List the objects of a bucket.

    Args:
        uri: An S3 address that ends in "/", for all objects below, or one with `*`, for all that match it, where `*`
            goes across "/", too.

    Returns:
        The addresses of the objects, sorted.

    Raises:
        SourceError: If the server cannot be reached, or refuses.
    """
    folder = uri.partition("*")[0].rpartition("/")[0] + "/"
    names, said = _asked(folder, _library().VSIReadDirRecursive)
    if not names and said:
        raise SourceError(remote.explain(uri, said))
    found = (folder + name for name in names if not name.endswith("/"))
    return sorted(found if uri.endswith("/") else (name for name in found if fnmatch.fnmatchcase(name, uri)))
