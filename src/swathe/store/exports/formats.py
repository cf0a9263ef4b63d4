"""Which format a file is written in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from swathe.errors import UsageError
from swathe.store.exports.coco import write_coco
from swathe.store.exports.csv import write_csv
from swathe.store.exports.dota import write_dota_task1
from swathe.store.exports.geojson import write_geojson
from swathe.store.exports.vector import write_vector

if TYPE_CHECKING:
    from pathlib import Path

    from swathe.detections import Detections


class Format(StrEnum):
    """A format of others that detections can be written in."""

    GEOJSON = "geojson"
    GEOPACKAGE = "gpkg"
    FLATGEOBUF = "fgb"
    CSV = "csv"
    COCO = "coco"
    DOTA = "dota"


ENDINGS = {  # of names, in lower case; the first that fits counts
    ".coco.json": Format.COCO,
    ".geojson": Format.GEOJSON,
    ".json": Format.GEOJSON,
    ".gpkg": Format.GEOPACKAGE,
    ".fgb": Format.FLATGEOBUF,
    ".csv": Format.CSV,
}
IN_PIXELS = (Format.CSV, Format.COCO, Format.DOTA)  # take scenes with and without georeference together
VECTOR_SUFFIXES = {Format.GEOPACKAGE: ".gpkg", Format.FLATGEOBUF: ".fgb"}


def format_of(path: Path) -> Format | None:
    """Tell the format of a file from the end of its name; None if it tells none."""
    name = path.name.lower()
    return next((chosen for ending, chosen in ENDINGS.items() if name.endswith(ending)), None)


def export(detections: Detections, path: Path, chosen: Format | None = None, *, overwrite: bool = False) -> Path:
    """Write detections in a format of others.

    Args:
        detections: What to write.
        path: A file, or a folder for the files of DOTA.
        chosen: The format; seen from the end of the path's name if not given.
        overwrite: Whether what exists may be replaced.

    Returns:
        The path.

    Raises:
        UsageError: If the name tells no format, or scenes with and without georeference do not fit into one file.
        MissingExtraError: If the format needs a library that is not installed.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the path exists already or cannot be written; nothing half-written is left.
    """
    chosen = chosen or format_of(path)
    if chosen is None:
        raise UsageError(f"{path}: its name does not tell a format; let it end in one of {', '.join(ENDINGS)}")
    if chosen in VECTOR_SUFFIXES:
        return write_vector(detections, path, VECTOR_SUFFIXES[chosen], overwrite=overwrite)
    if chosen is Format.DOTA:
        write_dota_task1(detections, path, overwrite=overwrite)
        return path
    writers = {Format.GEOJSON: write_geojson, Format.CSV: write_csv, Format.COCO: write_coco}
    return writers[chosen](detections, path, overwrite=overwrite)
