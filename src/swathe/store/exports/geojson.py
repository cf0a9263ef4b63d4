"""Detections as GeoJSON (RFC 7946)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swathe.atomic import published_file
from swathe.store.exports.rows import ATTRIBUTES, attributes, chunks, json_text, write_listing
from swathe.store.schema import to_json
from swathe.times import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from swathe.detections import Detections

_PIXELS = "pixels of the scene: x right, y down, corner of the first pixel (0, 0)"


def write_geojson(
    detections: Detections, path: Path, columns: Sequence[str] | None = None, *, overwrite: bool = False
) -> Path:
    """Write a GeoJSON file (RFC 7946) with the footprint of each detection.

    Coordinates are longitude and latitude. Where no scene is georeferenced they are scene pixels as they are, y down,
    and a member `coordinates` at the top says so.

    Args:
        detections: What to write, in this order.
        path: Where to.
        columns: Columns of `swathe.store.exports.rows.EVERY` that become properties; those that all formats have if not
            given.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        UsageError: If some scenes are georeferenced and others are not.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    head = {} if detections.georeferenced or not detections.scenes else {"coordinates": _PIXELS}
    opening = to_json({"type": "FeatureCollection", **head})[:-1] + ',"features":['
    with published_file(path, overwrite=overwrite) as stream:
        write_listing(stream, opening, features(detections, columns))
    return path


def features(detections: Detections, columns: Sequence[str] | None = None) -> Iterator[str]:
    """Write detections one by one.

    Args:
        detections: What to write.
        columns: Columns that become properties, see `write_geojson`.

    Yields:
        Each as the text of a GeoJSON feature.

    Raises:
        SourceError: If a footprint has no longitude and latitude.
    """
    import shapely

    for chunk in chunks(detections):
        identifiers = chunk.table.column("id").to_pylist()
        rows = attributes(chunk, columns or ATTRIBUTES.names).to_pylist()
        for identifier, row, geometry in zip(identifiers, rows, shapely.to_geojson(chunk.footprints()), strict=True):
            if row.get("acquired"):
                row["acquired"] = utc_text(row["acquired"])
            head = f'"type":"Feature","id":{json_text(identifier)},"properties":{json_text(row)}'
            yield f'{{{head},"geometry":{geometry}}}'
