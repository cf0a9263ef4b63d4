"""GDAL's virtual file systems, of which rasterio uses the names but has no functions for them.

They are called in the library that rasterio has loaded. A second client, for HTTP or S3, would need its own
credentials, headers, proxies and retries, and could see other files than the ones that are read. The other way round, a
file system that GDAL does not know is given to it by four functions in Python.
"""

from __future__ import annotations

import ctypes
import itertools
import logging
import os
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

_pointer = ctypes.POINTER
Text, Pointer, Size, Offset = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
BLOCK_BYTES = 1 << 20  # read at once from a file system in Python
CACHE_BLOCKS = 16  # kept of each open file
UNUSED = ("stat", "unlink", "rename", "mkdir", "rmdir", "read_dir")
CALLBACKS: dict[str, Any] = {
    "open": ctypes.CFUNCTYPE(Pointer, Pointer, Text, Text),
    "tell": ctypes.CFUNCTYPE(Offset, Pointer),
    "seek": ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Offset, ctypes.c_int),
    "read": ctypes.CFUNCTYPE(Size, Pointer, Pointer, Size, Size),
    "read_multi_range": ctypes.CFUNCTYPE(
        ctypes.c_int, Pointer, ctypes.c_int, _pointer(Pointer), _pointer(Offset), _pointer(Size)
    ),
    "get_range_status": Pointer,
    "eof": ctypes.CFUNCTYPE(ctypes.c_int, Pointer),
    "write": Pointer,
    "flush": Pointer,
    "truncate": Pointer,
    "close": ctypes.CFUNCTYPE(ctypes.c_int, Pointer),
}
logger = logging.getLogger(__name__)


class Ranges(Protocol):
    """A file of which any part can be read."""

    def __len__(self) -> int:
        """Return the length in bytes."""
        ...

    def read_range(self, offset: int, len: int) -> bytes:  # noqa: A002 - the name that hdfs-native gave it
        """Return so many bytes from an offset on; they lie within the file."""
        ...


class _Plugin(ctypes.Structure):
    """The beginning of GDAL's VSIFilesystemPluginCallbacksStruct, which has grown at its end only."""

    _fields_ = [
        ("user", Pointer),
        *((name, Pointer) for name in UNUSED),
        *CALLBACKS.items(),
        ("buffer_size", Size),
        ("cache_size", Size),
    ]


@cache
def library() -> ctypes.CDLL:
    """Return the GDAL that rasterio's compiled modules are linked with."""
    import rasterio.crs

    found = ctypes.CDLL(rasterio.crs.__file__)
    signatures: dict[str, tuple[list[Any], Any]] = {
        "VSIGetFileMetadata": ([Text, Text, Pointer], Pointer),
        "VSIReadDirRecursive": ([Text], Pointer),
        "VSICurlPartialClearCache": ([Text], None),
        "VSIFOpenExL": ([Text, Text, ctypes.c_int], Pointer),
        "VSIFReadL": ([Pointer, Size, Size, Pointer], Size),
        "VSIFCloseL": ([Pointer], ctypes.c_int),
        "VSIGetLastErrorMsg": ([], Text),
        "CSLDestroy": ([Pointer], None),
        "VSIAllocFilesystemPluginCallbacksStruct": ([], ctypes.POINTER(_Plugin)),
        "VSIInstallPluginHandler": ([Text, ctypes.POINTER(_Plugin)], ctypes.c_int),
        "VSIFreeFilesystemPluginCallbacksStruct": ([ctypes.POINTER(_Plugin)], None),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, result
    return found


def taken(address: int | None) -> list[str]:
    """Turn a list of strings of GDAL into ours, and free it."""
    if address is None:
        return []
    texts = ctypes.cast(address, ctypes.POINTER(Text))
    found: list[str] = []
    while (text := texts[len(found)]) is not None:
        found.append(text.decode(errors="replace"))
    library().CSLDestroy(address)
    return found


def last_message() -> str:
    """Return what GDAL said last of a file in a virtual file system."""
    return (library().VSIGetLastErrorMsg() or b"").decode(errors="replace")


def read_start(path: str, count: int) -> bytes | None:
    """Read the first bytes of a file, under the settings of the caller.

    Args:
        path: GDAL's name of it.
        count: How many to read at most.

    Returns:
        The bytes, None if it cannot be opened; `last_message` tells why.
    """
    library().VSIErrorReset()
    file = library().VSIFOpenExL(os.fsencode(path), b"rb", 1)
    if not file:
        return None
    buffer = ctypes.create_string_buffer(count)
    try:
        read = library().VSIFReadL(buffer, 1, count, file)
    finally:
        library().VSIFCloseL(file)
    return buffer.raw[:read]


_files: dict[int, tuple[Ranges, int]] = {}  # open files in Python and the places in them
_handles = itertools.count(1)
_kept: list[object] = []  # what GDAL calls and does not copy


def _fill(file: Ranges, place: int, wanted: int, buffer: int) -> int:
    """Read into memory of GDAL's, and return how many bytes could be."""
    wanted = min(wanted, max(0, len(file) - place))
    try:
        data = file.read_range(place, wanted) if wanted else b""
    except Exception as error:  # noqa: BLE001 - of any client library; none may reach GDAL
        logger.debug("%s", error)
        return 0
    ctypes.memmove(buffer, data, len(data))
    return len(data)


def install(prefix: str, open_file: Callable[[str], Ranges]) -> None:
    """Give GDAL a file system.

    What it knows that it will need, such as the tiles under a window, is read as it lies; the rest in blocks, of which
    `CACHE_BLOCKS` are kept for each open file.

    Errors cannot pass through GDAL: a file that cannot be opened is absent, one that cannot be read ends early.

    Args:
        prefix: How names in it begin, such as "/vsinew/".
        open_file: Opens a file, given the rest of its name.
    """

    def opened(_user: object, path: bytes, mode: bytes) -> int | None:
        if not mode.startswith(b"r") or b"+" in mode:
            return None
        handle = next(_handles)
        try:
            _files[handle] = open_file(os.fsdecode(path).removeprefix(prefix)), 0
        except Exception as error:  # noqa: BLE001 - of any client library; none may reach GDAL
            logger.debug("%s: %s", path, error)
            return None
        return handle

    def sought(handle: int, offset: int, whence: int) -> int:
        file, place = _files[handle]
        _files[handle] = file, offset + (0, place, len(file))[whence]
        return 0

    def read(handle: int, buffer: int, size: int, count: int) -> int:
        file, place = _files[handle]
        filled = _fill(file, place, size * count, buffer)
        _files[handle] = file, place + filled
        return filled // size

    def read_many(handle: int, count: int, buffers: Any, places: Any, sizes: Any) -> int:
        file, _ = _files[handle]
        filled = (_fill(file, places[n], sizes[n], buffers[n]) == sizes[n] for n in range(count))
        return 0 if all(filled) else -1

    functions = {
        "open": opened,
        "tell": lambda handle: _files[handle][1],
        "seek": sought,
        "read": read,
        "read_multi_range": read_many,
        "eof": lambda handle: int(_files[handle][1] >= len(_files[handle][0])),
        "close": lambda handle: 0 if _files.pop(handle, None) else -1,
    }
    plugin = library().VSIAllocFilesystemPluginCallbacksStruct()
    for name, function in functions.items():
        callback = CALLBACKS[name](function)
        _kept.append(callback)
        setattr(plugin.contents, name, callback)
    plugin.contents.buffer_size, plugin.contents.cache_size = BLOCK_BYTES, BLOCK_BYTES * CACHE_BLOCKS
    _kept.append(start := prefix.encode())
    library().VSIInstallPluginHandler(start, plugin)
    library().VSIFreeFilesystemPluginCallbacksStruct(plugin)
