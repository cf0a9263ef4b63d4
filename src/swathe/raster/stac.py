"""Scenes that a STAC document lists: items, their collections and static catalogs, in files and at addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from swathe.errors import MissingExtraError, SourceError
from swathe.inputs import read_input
from swathe.raster import vsi
from swathe.raster.environment import OPENING_OPTIONS, settings
from swathe.raster.formats import MANIFEST, SUFFIXES
from swathe.raster.georeference import Transform
from swathe.raster.origins import is_remote, origin_of, redacted
from swathe.raster.origins.file import absolute
from swathe.times import utc_text

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

ENDINGS = (".json", ".geojson")
MOST_BYTES = 1 << 28  # of a document
NO_IMAGES = {"thumbnail", "overview", "metadata", "graphic", "legend", "mask"}  # roles of assets
IMAGES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/png", "image/jpeg", "image/webp", "image/bmp")
LONGEST = timedelta(days=366)  # of a period that tells when an image was taken
CHOSEN = "visual"  # key or role of the asset that is taken if there are several


@dataclass(frozen=True)
class Told:
    """What an item tells of an image."""

    name: str  # id of the item
    acquired: str | None = None  # ISO 8601 in UTC; of a period of up to a year, when it began
    footprint: BaseGeometry | None = None  # polygon or multipolygon, longitude and latitude
    crs: str | None = None  # as WKT or by code, for images that do not say it themselves
    transform: Transform | None = None  # a, b, c, d, e, f
    shape: tuple[int, int] | None = None  # rows, columns that the transform is of


def is_stac(source: str) -> bool:
    """Tell whether a source is taken for a STAC document, by its name; `#KEY` behind it names an asset."""
    path = _parted(source)[0].partition("?")[0]
    return path.lower().endswith(ENDINGS) and PurePosixPath(path).name != MANIFEST


def read_stac(source: str) -> dict[str, Told]:
    """Find the images of all items of a STAC document, and of those that it links to.

    Of an item the image is taken that is alone, or the one with the key or role "visual". Of a source that ends in
    `#KEY` it is the asset of this key, and items without one are left out. Items from a server name no files of this
    machine.

    Args:
        source: An item, a feature collection of items, a catalog or a collection: a file, or an address.

    Returns:
        What is told of each image, by absolute path or address.

    Raises:
        MissingExtraError: If pystac is not installed.
        SourceError: If a document cannot be read or is not STAC, or it is not clear which image of an item is meant.
    """
    document, key = _parted(source)
    place = document if is_remote(document) else absolute(document)
    found: dict[str, Told] = {}
    for item, where in _items(place, set()):
        assets = _images(item, key, where)
        found |= {_place(asset.get_absolute_href() or asset.href, where): _told(item, asset) for asset in assets}
    if not found:
        raise SourceError(f"{redacted(source)}: lists no image; check the catalog, and the key of the asset")
    return found


def _parted(source: str) -> tuple[str, str | None]:
    """Return the document that a source names, and the key of an asset."""
    document, mark, key = source.rpartition("#")
    named = mark and document.partition("?")[0].lower().endswith(ENDINGS) and not Path(source).exists()
    return (document, key) if named else (source, None)


def _items(place: str, seen: set[str]) -> Iterator[tuple[Any, str]]:
    """Yield all items that a document has or links to, with the place of the document that each stands in."""
    try:
        import pystac
        from pystac.stac_io import DefaultStacIO
    except ImportError as error:
        raise MissingExtraError(f"{redacted(place)}: ", library="pystac", extra="stac") from error
    seen.add(place)
    broken = (pystac.STACError, pystac.STACTypeError, KeyError, TypeError, ValueError, AttributeError, RecursionError)
    try:
        document = json.loads(_read(place))
        parts = document["features"] if document.get("type") == "FeatureCollection" else [document]
        objects = [DefaultStacIO().stac_object_from_dict(part, href=place) for part in parts]
        links = [
            _place(href, place)
            for one in objects
            for link in one.links
            if link.rel in ("item", "child") and (href := link.get_absolute_href()) is not None
        ]
    except SourceError:
        raise
    except broken as error:
        hint = "name an item, a feature collection of items, a collection or a catalog"
        raise SourceError(f"{redacted(place)}: is not STAC ({type(error).__name__}: {error}); {hint}") from error
    yield from ((one, place) for one in objects if isinstance(one, pystac.Item))
    for link in links:
        if link not in seen:
            yield from _items(link, seen)


def _read(place: str) -> str:
    """Read a document."""
    try:
        if not is_remote(place):
            return read_input(Path(place)).decode("utf-8-sig")
        with settings(**OPENING_OPTIONS):
            data = vsi.read_start(origin_of(place).gdal_path(place), MOST_BYTES)
            said = vsi.last_message()
    except OSError as error:
        raise SourceError(f"{place}: cannot be read ({error.strerror}); check its name and rights") from error
    if data is None:
        why = origin_of(place).unopened(place, said or "HTTP") or f"{redacted(place)}: cannot be read; check it"
        raise SourceError(why)
    return data.decode("utf-8-sig")


def _place(href: str, document: str) -> str:
    """Return the absolute path or address that a document names."""
    if is_remote(href):
        return href
    if is_remote(document):
        raise SourceError(f"{redacted(document)}: names {href!r}, a file of this machine; only addresses are followed")
    path = unquote(href.removeprefix("file://")) if href.startswith("file://") else href
    return absolute(path if Path(path).exists() else unquote(path))


def _images(item: Any, key: str | None, where: str) -> list[Any]:
    """Return the asset of an item that is meant; none if a key is asked for that it has not."""
    assets: Mapping[str, Any] = item.assets
    if key is not None:
        return [assets[key]] if key in assets else []
    images = {name: asset for name, asset in assets.items() if _is_image(asset)}
    chosen = [asset for name, asset in images.items() if name == CHOSEN or CHOSEN in (asset.roles or ())]
    if len(images) > 1 and len(chosen) == 1:
        return chosen
    if len(images) != 1:
        keys = ", ".join(images or assets) or "none at all"
        what = "has several images" if images else "has no image"
        raise SourceError(
            f"{redacted(where)}: item {item.id!r} {what} among its assets ({keys}); name the key of one behind the "
            f"source, such as {PurePosixPath(where).name}#{next(iter(images or assets), 'image')}"
        )
    return list(images.values())


def _is_image(asset: Any) -> bool:
    """Tell whether an asset holds pixels that objects may be looked for in."""
    kind, name = (asset.media_type or "").lower(), asset.href.partition("?")[0]
    known = kind.startswith(IMAGES) or PurePosixPath(name).suffix.lower() in SUFFIXES
    return known and NO_IMAGES.isdisjoint(asset.roles or ())


def _told(item: Any, asset: Any) -> Told:
    """Return what an item tells of its image; members that are damaged count as missing."""
    import shapely

    said = {**item.properties, **asset.extra_fields}
    begin, end = item.common_metadata.start_datetime, item.common_metadata.end_datetime
    short = begin is not None and end is not None and end - begin <= LONGEST
    time = item.datetime or (begin if short else None)
    code, wkt, epsg = said.get("proj:code"), said.get("proj:wkt2"), said.get("proj:epsg")
    crs = code or wkt or (f"EPSG:{epsg}" if epsg else None)
    numbers: Any = said.get("proj:transform") or ()
    shape: Any = said.get("proj:shape") or ()
    try:
        footprint = None if item.geometry is None else shapely.geometry.shape(item.geometry)
        transform: Any = tuple(map(float, numbers[:6])) if len(numbers) in (6, 9) else None
        size = (int(shape[0]), int(shape[1])) if len(shape) == 2 else None
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
        return Told(item.id, None if time is None else utc_text(time))
    usable = footprint is not None and shapely.is_valid(footprint) and footprint.area > 0
    return Told(
        name=item.id,
        acquired=None if time is None else utc_text(time),
        footprint=footprint if usable else None,
        crs=crs if isinstance(crs, str) else None,
        transform=transform,
        shape=size,
    )
