"""What foreign files may make GDAL open: the parts of mosaics (VRT), by a list of what is allowed.

A VRT is a small program: it can name any file of the machine and read it as raw pixels, any address, and code. So every
element and attribute must be known here, and every part must lie where the mosaic lies and be an image of a known
format; all else is refused. GDAL compares names without regard to case, takes attributes for elements and stops at
comments, so that is what is checked, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from swathe.errors import SourceError
from swathe.raster import vsi
from swathe.raster.environment import OPENING_OPTIONS, settings
from swathe.raster.formats import FORMATS, START_BYTES, STARTS, is_image, is_vrt
from swathe.raster.origins import is_remote, origin_of, redacted
from swathe.raster.origins.file import path_of

VRT_BYTES = 256 << 20  # a VRT of a million parts is smaller
VRT_DEPTH = 16  # VRTs in one another
MOST_LINKS = 40
VRT_WAYS = 4_000_000  # from a VRT to images, those by way of VRTs multiplied
FILE_ELEMENTS = frozenset({"sourcefilename", "sourcedataset"})
BESIDE = (".msk", ".ovr")  # what GDAL appends to a file's name for masks and overviews, which it opens as images
# A name that a driver of GDAL takes for its own, such as WMS:..., vrt://... or <GDAL_WMS>...
SPECIAL = re.compile(r"[A-Za-z][\w+.-]*:|[<{]|/vsi")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTS = _words(
    # the mosaic, its place and its bands
    "vrtdataset srs geotransform gcplist gcp metadata mdi vrtrasterband colorinterp colortable entry nodatavalue "
    "hidenodatavalue offset scale unittype description categorynames category histograms histitem histmin histmax "
    "bucketcount includeoutofrange approximate histcounts overviewlist overview maskband blockxsize blockysize "
    # parts
    "simplesource complexsource averagedsource kernelfilteredsource nodatafrommasksource sourcefilename sourceband "
    "sourceproperties srcrect dstrect nodata usemaskband openoptions ooi scaleoffset scaleratio lut "
    "colortablecomponent exponent srcmin srcmax dstmin dstmax clamp kernel size coefs maskvaluethreshold remappedvalue "
    # raw pixels
    "imageoffset pixeloffset lineoffset byteorder "
    # images warped by GDAL
    "gdalwarpoptions warpmemorylimit resamplealg workingdatatype option sourcedataset transformer approxtransformer "
    "maxerror basetransformer genimgprojtransformer srcgeotransform srcinvgeotransform dstgeotransform "
    "dstinvgeotransform reprojecttransformer reprojectiontransformer options sourcesrs targetsrs bandlist bandmapping "
    "srcnodatareal srcnodataimag dstnodatareal dstnodataimag srcalphaband dstalphaband srcgcptransformer "
    "gcptransformer tpstransformer order reversed cutline cutlineblenddist overviewlevel "
    # colours sharpened by a panchromatic band
    "pansharpeningoptions algorithm algorithmoptions weights resampling numthreads bitdepth spatialextentadjustment "
    "panchroband spectralband"
)
ATTRIBUTES = _words(
    "rasterxsize rasterysize subclass datatype band blockxsize blockysize xoff yoff xsize ysize relativetovrt shared "
    "resampling normalized key name domain format dataaxistosrsaxismapping coordinateepoch id pixel line x y z info "
    "projection c1 c2 c3 c4 src dst dstband"
)
# Values that decide what GDAL does.
SUBCLASSES = _words(
    "vrtwarpeddataset vrtpansharpeneddataset vrtsourcedrasterband vrtwarpedrasterband vrtpansharpenedrasterband "
    "vrtrawrasterband"
)
RAW = "vrtrawrasterband"
OPEN_OPTIONS = _words("overview_level num_threads georef_sources ignore_cog_layout_break")
DOMAINS_THAT_OPEN = _words("overviews vrt_sources new_vrt_sources")


def parts(uri: str) -> tuple[str, ...]:
    """Return the files that a mosaic is put together from, and those that the mosaics among them are.

    Args:
        uri: Any raster.

    Returns:
        Absolute paths or addresses, each once, in the order of the file; none if the raster is not a VRT.

    Raises:
        SourceError: If the VRT, or one that it refers to, is not well-formed, holds itself, or asks for something that
            is not allowed.
    """
    found: dict[tuple[str, bool], int] = {}
    _collect(uri if is_remote(uri) else os.path.abspath(path_of(uri)), (), found)  # noqa: PTH100
    return tuple(dict.fromkeys(part for part, _ in found))


def _collect(uri: str, above: tuple[str, ...], found: dict[tuple[str, bool], int]) -> int:
    """Add the parts of one VRT, and theirs; return in how many ways it leads to an image."""
    way = (*above, uri)
    if len(way) > VRT_DEPTH:
        raise SourceError(f"{way[0]}: is a VRT of VRTs, more than {VRT_DEPTH} deep; make one VRT of the images")
    try:
        named = list(_named_in(uri, is_part=bool(above)))
    except SourceError as error:
        if not above:
            raise
        raise SourceError(f"{redacted(above[0])}: its part {error}") from error
    for part, raw in named:
        if part in way:
            raise SourceError(f"{redacted(way[0])}: holds itself, by way of {redacted(uri)}; make the VRT again")
        if (part, raw) not in found:
            found[part, raw] = 1  # holds its place
            found[part, raw] = 1 if raw else max(1, _collect(part, way, found))
    ways = sum(found[each] for each in named)
    if ways > VRT_WAYS:  # each is gone for every window, and GDAL cannot be stopped meanwhile
        raise SourceError(f"{way[0]}: leads to its images in {ways:,} ways; make one VRT of the images")
    return ways


def _named_in(uri: str, *, is_part: bool) -> Iterator[tuple[str, bool]]:
    """Yield the files that a raster names, and whether as raw pixels; a part must be an image itself."""
    start = _read(uri, START_BYTES)
    if start is None:
        if is_part and is_remote(uri):
            raise SourceError(origin_of(uri).unread(uri, "cannot be opened"))
        return  # said when it is opened
    for suffix in () if is_remote(uri) else BESIDE:
        _check_image(uri + suffix, _read(uri + suffix, START_BYTES))
    if is_vrt(start):
        yield from _named_in_vrt(uri, _tree(uri))
    elif is_part:
        _check_image(uri, start)


def _read(uri: str, count: int) -> bytes | None:
    """Read the beginning of a raster, None if it cannot be opened."""
    if is_remote(uri):
        with settings(**OPENING_OPTIONS):
            return vsi.read_start(origin_of(uri).gdal_path(uri), count)
    try:
        with Path(uri).open("rb") as file:
            start = file.read(min(count, 1024))
            return start if b"\0" in start else start + file.read(count - len(start))
    except (OSError, ValueError):
        return None


def _check_image(uri: str, start: bytes | None) -> None:
    """Refuse a file that a driver other than those of `FORMATS` might open."""
    if start and not is_image(start):
        raise SourceError(
            f"{redacted(uri)}: does not begin as {', '.join(FORMATS[name] for name in STARTS)} do; save it as a GeoTIFF"
        )


def _tree(uri: str) -> ElementTree.Element:
    """Read a VRT, refusing what GDAL's parser may see in another way than ours."""
    data = _read(uri, min(VRT_BYTES, origin_of(uri).fingerprint(uri)[0])) or b""
    try:
        body = re.sub(r"\A\s*<\?xml[^>]*\?>", "", data.decode("utf-8-sig"))
        if "<!" in body.replace("<![CDATA[", "") or "<?" in body:
            raise ElementTree.ParseError("comments, entities and instructions are not read in a VRT")
        return ElementTree.fromstring(body)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        name = redacted(uri)
        raise SourceError(f"{name}: is not a well-formed VRT ({error}); make it again with gdalbuildvrt") from error


def _named_in_vrt(uri: str, tree: ElementTree.Element) -> Iterator[tuple[str, bool]]:
    """Check all elements of a VRT, and yield the files that it names, and whether as raw pixels."""
    waiting = [(tree, False)]
    while waiting:
        element, raw = waiting.pop()
        tag, attributes = element.tag.lower(), {name.lower(): text for name, text in element.attrib.items()}
        _check_element(uri, element, tag, attributes)
        raw = raw or (tag == "vrtrasterband" and attributes.get("subclass", "").lower() == RAW)
        name = element.text or ""
        if tag in FILE_ELEMENTS and name.strip():
            yield _named(uri, name, attributes, raw=raw), raw
        if not (tag == "metadata" and attributes.get("format", "").lower() == "xml"):  # holds XML of any kind, as text
            waiting += ((child, raw) for child in reversed(element))


def _check_element(uri: str, element: ElementTree.Element, tag: str, attributes: dict[str, str]) -> None:
    """Refuse an element that is not known to be harmless."""
    unknown = sorted({tag} - ELEMENTS) or sorted(attributes.keys() - ATTRIBUTES)
    subclass, key = attributes.get("subclass", "").lower(), attributes.get("key", "").lower()
    if subclass and subclass not in SUBCLASSES:
        unknown = [attributes["subclass"]]
    elif tag == "ooi" and key not in OPEN_OPTIONS:
        unknown = [key]
    elif tag == "metadata" and attributes.get("domain", "").lower() in DOMAINS_THAT_OPEN:
        unknown = [attributes["domain"]]
    elif len(attributes) < len(element.attrib) or attributes.get("relativetovrt", "0") not in {"0", "1"}:
        unknown = [" ".join((tag, *element.attrib))]
    if unknown:
        raise SourceError(
            f"{redacted(uri)}: the VRT uses {unknown[0][:80]!r}, which is not read, because it may make GDAL run code "
            "or read other files; save the picture as a GeoTIFF, for instance with gdal_translate"
        )


def _named(uri: str, name: str, attributes: dict[str, str], *, raw: bool) -> str:
    """Return the file that an element names."""
    relative = attributes.get("relativetovrt", "0") == "1"
    plain = path_of(name)
    if is_remote(uri):
        where = _at_same_server(uri, plain, relative=relative)
    else:
        start = os.path.dirname(_followed(uri)) if relative else ""  # noqa: PTH120 - as GDAL has it
        where = None if SPECIAL.match(plain) else os.path.abspath(os.path.join(start, plain))  # noqa: PTH100, PTH118 - links to folders stay
    if where is None or plain != plain.strip():
        raise SourceError(
            f"{redacted(uri)}: the VRT names {redacted(plain)[:80]!r}; a mosaic that is a file is made "
            "of plain files only, another of what lies on its own server; save what you need of it as an image first"
        )
    if raw and not _is_beside(uri, where):
        raise SourceError(f"{redacted(uri)}: reads {plain} as raw pixels; only files beside it may be, move them there")
    return where


def _followed(path: str) -> str:
    """Follow a file that is a link, from which GDAL does not follow relative names, up to one that is none."""
    for _ in range(MOST_LINKS):
        if not os.path.islink(path):  # noqa: PTH114 - as GDAL has it, links to folders stay
            break
        path = os.path.join(os.path.dirname(path), os.readlink(path))  # noqa: PTH115, PTH118, PTH120 - as above
    return path


def _at_same_server(uri: str, name: str, *, relative: bool) -> str | None:
    """Return the address that a mosaic elsewhere names, None if it leads away from there."""
    if relative:
        if "?" in uri:  # GDAL adds the signature to the names in ways of its own
            return None
        return None if SPECIAL.match(name) or name.startswith("/") else f"{uri.rpartition('/')[0]}/{name}"
    address = name.removeprefix("/vsicurl/") if name.startswith("/vsicurl/http") else redacted(name)
    same = urlsplit(address)[:2] == urlsplit(uri)[:2] and name == origin_of(uri).gdal_path(address)
    return address if same else None


def _is_beside(uri: str, path: str) -> bool:
    """Whether a file lies in the folder of a mosaic or below; any file can be read as raw pixels."""
    if is_remote(uri):
        return False
    folder, real = Path(os.path.realpath(uri)).parent, Path(os.path.realpath(path))  # links in a ring end nowhere
    return real.is_relative_to(folder) and not any(name.startswith(".") for name in real.relative_to(folder).parts)
