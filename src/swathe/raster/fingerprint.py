"""What tells that the pixels of a scene are no longer those that were described.

A file is told by its size and its time of last change. Pixels may also lie beside it, in `.msk` and `.ovr` files, and
those of a VRT lie in other files altogether: then the sizes are added up, and a hash of all names, sizes and times
stands for the time.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from swathe.errors import SourceError
from swathe.raster import remote, vsi
from swathe.raster.remote import is_remote

BESIDE = (".msk", ".ovr")  # what GDAL appends to a file's name for masks and overviews
VRT_START = b"<VRTDataset"
VRT_START_WITHIN = 1024  # bytes
VRT_BYTES = 256 << 20  # a VRT of a million parts is smaller
VRT_DEPTH = 16  # VRTs in one another
VRT_WAYS = 4_000_000  # from a VRT to images, those by way of VRTs multiplied
FILE_TAGS = frozenset({"SourceFilename", "SourceDataset"})
# Names, or descriptions in place of names, that GDAL takes for map services.
SERVICE = re.compile(
    r"(WMS|WMTS|WCS|OGCAPI|OAPIF|EEDAI?|DAAS|PLMOSAIC|NGW|STACIT|STACTA):|<(GDAL_WM|WMT_|WCS_)", re.IGNORECASE
)

# Names that GDAL fetches to the end before it looks at them.
WHOLE = re.compile(r"(https?|ftp)://|/vsistd", re.IGNORECASE)

Print = tuple[int, int]


def fingerprint(path: str) -> Print:
    """Return what changes when a file, the files beside it, or the parts of a mosaic do; one of each server's.

    Args:
        path: The file, or the address of a remote one.

    Returns:
        Its size in bytes and its time of last change in nanoseconds; with parts, the sum and a hash. For remote files
        see `vsi.fingerprint`.

    Raises:
        SourceError: If it or a part of it is missing, a folder, empty, or may not be read.
    """
    if is_remote(path):
        return vsi.fingerprint(path)
    alone = _print_of(Path(path))
    parts, servers = _parts_and_servers(path)
    others = [(name, _print_of(Path(name), part_of=path)) for name in parts]
    others += [(remote.shown(name), _print_at(name, part_of=path)) for name in servers]
    others += [(path + suffix, _print_of(Path(path + suffix))) for suffix in BESIDE if os.path.exists(path + suffix)]  # noqa: PTH110 - false, too, where the name gets too long
    if not others:
        return alone
    digest = hashlib.sha256(repr([alone, *others]).encode(errors="surrogateescape")).digest()
    return alone[0] + sum(size for _, (size, _) in others), int.from_bytes(digest[:7], "big")


def _print_of(path: Path, part_of: str | None = None) -> Print:
    """Return the size and time of one file."""
    name = str(path) if part_of is None else f"{part_of}: its part {path}"
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        missing = "check the path" if part_of is None else "put it back, or make the VRT again without it"
        raise SourceError(f"{name}: cannot be found ({getattr(error, 'strerror', error)}); {missing}") from error
    if path.is_dir():
        raise SourceError(f"{name}: is a folder; name the image files in it")
    if status.st_size == 0:
        raise SourceError(f"{name}: is empty; fetch or export it again")
    return status.st_size, status.st_mtime_ns


def _print_at(address: str, part_of: str) -> Print:
    """Return the length and version of a remote file."""
    try:
        return vsi.fingerprint(address)
    except SourceError as error:
        raise SourceError(f"{part_of}: its part {error}") from error


def vrt_parts(path: str) -> list[str]:
    """Return the files that a VRT is put together from, and those that the VRTs among them are.

    Names that are no plain paths, such as `/vsicurl/...` or `GTIFF_DIR:1:scene.tif`, are left to GDAL.

    Args:
        path: Any file.

    Returns:
        Absolute paths, each once, in the order of the file; none if the file is no VRT.

    Raises:
        SourceError: If the VRT, or one that it refers to, is not well-formed, or holds itself.
    """
    return _parts_and_servers(path)[0]


def _parts_and_servers(path: str) -> tuple[list[str], list[str]]:
    """Return the files behind a VRT, and one address of each server and bucket that it names.

    To ask for every remote part would take a request each, and there may be thousands. One tells whether there is a
    server at all, and whether it may be read; GDAL would find out window by window, each time with all its retries.
    """
    found: dict[str, int] = {}
    servers: dict[str, str] = {}
    _collect(os.path.abspath(path), (), found, servers)  # noqa: PTH100 - links stay, GDAL follows relative names from them
    return list(found), list(servers.values())


def _collect(path: str, above: tuple[str, ...], found: dict[str, int], servers: dict[str, str]) -> int:
    """Add the parts of one VRT, and theirs; return in how many ways it leads to an image."""
    way = (*above, path)
    if len(way) > VRT_DEPTH:
        raise SourceError(f"{way[0]}: is a VRT of VRTs, more than {VRT_DEPTH} deep; make one VRT of the images")
    try:
        names = []
        for name in _named_in(path):
            if is_remote(name):
                servers.setdefault(urlsplit(name).netloc, name)
            else:
                names.append(name)
    except SourceError as error:
        if not above:
            raise
        raise SourceError(f"{above[0]}: its part {error}") from error
    for part in names:
        if part in way:
            raise SourceError(f"{way[0]}: holds itself, by way of {path}; make the VRT again")
        if part not in found:
            found[part] = 1  # holds its place
            found[part] = max(1, _collect(part, way, found, servers))
    ways = sum(found[part] for part in names)
    if ways > VRT_WAYS:  # each is gone for every window, and GDAL cannot be stopped meanwhile
        raise SourceError(f"{way[0]}: leads to its images in {ways:,} ways; make one VRT of the images")
    return ways


def _named_in(path: str) -> Iterator[str]:
    """Yield the files that one VRT names, and the addresses in the user's spelling."""
    text = _vrt_text(path)
    if text is None:
        return
    try:
        if b"<!ENTITY" in text:
            raise ElementTree.ParseError("it declares entities")
        tree = ElementTree.fromstring(text)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise SourceError(f"{path}: is not a well-formed VRT ({error}); make it again with gdalbuildvrt") from error
    _check_raw_bands(tree, path)
    for element in tree.iter():
        name = (element.text or "").strip()
        if element.tag not in FILE_TAGS or not name:
            continue
        if SERVICE.match(name):  # GDAL would ask it before it knows the picture's size, for as long as it takes
            raise SourceError(f"{path}: names the map service {name[:80]}; save what you need of it as an image first")
        if WHOLE.match(name):
            raise SourceError(
                f"{path}: names {remote.shown(name)[:80]}, which would be fetched to its end, if it has one; write "
                "/vsicurl/https://... for addresses, and save other input as a file first"
            )
        if name.startswith(("/vsicurl/http", "/vsis3/")):
            yield remote.address_of(name)
        if ":" in name or name.startswith(("/vsi", "<")):
            continue
        relative = element.get("relativeToVRT", element.get("relativetoVRT", "0")).strip() == "1"
        folder = os.path.dirname(path) if relative else ""  # noqa: PTH120 - as above
        yield os.path.abspath(os.path.join(folder, name))  # noqa: PTH100, PTH118 - as above


def _check_raw_bands(tree: ElementTree.Element, path: str) -> None:
    """Refuse raw bands over files beyond the VRT's own folder: any file can be read as raw pixels."""
    folder = Path(os.path.realpath(path)).parent
    for band in tree.iter("VRTRasterBand"):
        if band.get("subClass") != "VRTRawRasterBand":
            continue
        for source in band.iter("SourceFilename"):
            name = (source.text or "").strip()
            start = folder if source.get("relativeToVRT", "0").strip() == "1" else Path.cwd()
            if not Path(os.path.realpath(start / name)).is_relative_to(folder):  # links in a ring end nowhere
                raise SourceError(f"{path}: reads {name} as raw pixels; only files beside it may be, move them there")


def _vrt_text(path: str) -> bytes | None:
    """Return what is in a file if it is a VRT."""
    if not Path(path).is_file():
        return None  # said when its size is asked for
    try:
        with Path(path).open("rb") as file:
            start = file.read(VRT_START_WITHIN)
            if VRT_START not in start:
                return None
            return start + file.read(VRT_BYTES)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
