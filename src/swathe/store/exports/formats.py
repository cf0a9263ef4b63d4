"""Which format a file is written in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from swathe.arguments import file_path, instance
from swathe.atomic import published_file
from swathe.detections import Detections
from swathe.errors import Argument, UsageError
from swathe.plugins import load
from swathe.store.exports.coco import write_coco
from swathe.store.exports.csv import write_csv
from swathe.store.exports.cvat import write_cvat
from swathe.store.exports.dota import write_dota_task1
from swathe.store.exports.geojson import write_geojson
from swathe.store.exports.label_studio import write_label_studio
from swathe.store.exports.labels import write_dior_r, write_dota_labels
from swathe.store.exports.rows import check_columns
from swathe.store.exports.stac import write_stac
from swathe.store.exports.style import write_style
from swathe.store.exports.vector import load_pyogrio, write_vector
from swathe.store.exports.yolo import write_yolo
from swathe.store.parquet import write_detections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class Format(StrEnum):
    """What detections can be written as, beside a store."""

    GEOJSON = "geojson"
    GEOPACKAGE = "gpkg"
    FLATGEOBUF = "fgb"
    SHAPEFILE = "shp"
    KML = "kml"
    QGIS_STYLE = "qml"
    STAC = "stac"
    CSV = "csv"
    COCO = "coco"
    DOTA = "dota"
    DOTA_LABELS = "dota-labels"
    DIOR_R = "dior-r"
    YOLO_OBB = "yolo-obb"
    CVAT = "cvat"
    LABEL_STUDIO = "label-studio"
    PARQUET = "parquet"
    PMTILES = "pmtiles"

    @property
    def on_ground(self) -> bool:
        """Whether places are written in degrees, so that scenes without georeference need a file of their own."""
        return self in {Format.GEOJSON, Format.PARQUET, Format.PMTILES, *VECTOR_SUFFIXES}

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files."""
        return self in {Format.DOTA, Format.DOTA_LABELS, Format.DIOR_R, Format.YOLO_OBB, Format.STAC}

    @property
    def has_columns(self) -> bool:
        """Whether it is a table, of which columns can be left out."""
        return self in {Format.GEOJSON, Format.CSV, *VECTOR_SUFFIXES}


ENDINGS = {  # of names, in lower case; the first that fits counts
    ".coco.json": Format.COCO,
    ".cvat.xml": Format.CVAT,
    ".label-studio.json": Format.LABEL_STUDIO,
    ".geojson": Format.GEOJSON,
    ".json": Format.GEOJSON,
    ".gpkg": Format.GEOPACKAGE,
    ".fgb": Format.FLATGEOBUF,
    ".shp": Format.SHAPEFILE,
    ".kml": Format.KML,
    ".qml": Format.QGIS_STYLE,
    ".csv": Format.CSV,
    ".parquet": Format.PARQUET,
    ".geoparquet": Format.PARQUET,
    ".pmtiles": Format.PMTILES,
}
WRITERS: dict[Format, Callable[..., object]] = {
    Format.COCO: write_coco,
    Format.DOTA: write_dota_task1,
    Format.DOTA_LABELS: write_dota_labels,
    Format.DIOR_R: write_dior_r,
    Format.YOLO_OBB: write_yolo,
    Format.CVAT: write_cvat,
    Format.LABEL_STUDIO: write_label_studio,
    Format.QGIS_STYLE: write_style,
    Format.STAC: write_stac,
}
VECTOR_SUFFIXES = {
    Format.GEOPACKAGE: ".gpkg",
    Format.FLATGEOBUF: ".fgb",
    Format.SHAPEFILE: ".shp",
    Format.KML: ".kml",
}


def format_of(path: Path) -> Format | None:
    """Tell the format of a file from the end of its name; None if it tells none."""
    name = path.name.lower()
    return next((chosen for ending, chosen in ENDINGS.items() if name.endswith(ending)), None)


def chosen_format(path: Path, name: str | None = None) -> Format:
    """Decide the format of a file.

    Args:
        path: The file; the end of its name tells the format if none is named.
        name: Name of the format.

    Returns:
        The format.

    Raises:
        UsageError: If there is no such format, or the name of the file tells none.
        MissingExtraError: If it needs a library that is not installed.
    """
    if name is not None and name not in set(Format):
        raise UsageError(argument="format", value=name, accepted=f"one of {', '.join(Format)}")
    chosen = format_of(path) if name is None else Format(name)
    if chosen is None:
        raise UsageError(
            f"{path}: its name does not tell what to write; let it end in one of {', '.join(ENDINGS)} "
            "(or name the format of `swathe query`)"
        )
    if chosen in VECTOR_SUFFIXES:
        load_pyogrio(chosen)
    return chosen


def export(
    detections: Detections,
    path: Path | str,
    chosen: Format | None = None,
    *,
    columns: Sequence[str] | None = None,
    keep_order: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write detections to a file.

    Args:
        detections: What to write.
        path: A file, or a folder for formats of several files.
        chosen: The format; seen from the end of the path's name if not given.
        columns: What a table shall hold, of the columns of CSV; all that the format has if not given.
        keep_order: Whether a table keeps the order of the detections; it has the canonical one otherwise.
        overwrite: Whether what exists may be replaced.

    Returns:
        The path.

    Raises:
        UsageError: If the name tells no format, scenes with and without georeference do not fit into one file, or a
            value is of a wrong type.
        MissingExtraError: If the format needs a library that is not installed.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the path exists already or cannot be written; nothing half-written is left.
    """
    instance("detections", detections, Detections, "detections of Swathe")
    path = file_path("path", path, "a file to write")
    chosen, names = chosen or chosen_format(path), check_columns(columns)
    if names is not None and not chosen.has_columns:
        raise UsageError(Argument("columns"), f": {chosen} always holds the same; leave it out")
    ordered = detections if keep_order else detections.sorted()
    if chosen in VECTOR_SUFFIXES:
        write_vector(ordered, path, VECTOR_SUFFIXES[chosen], names, overwrite=overwrite)
    elif chosen is Format.CSV:
        write_csv(ordered, path, names, overwrite=overwrite)
    elif chosen is Format.GEOJSON:
        write_geojson(ordered, path, names, overwrite=overwrite)
    elif chosen is Format.PMTILES:
        load("swathe.viewer.page:write_map")(detections, path, overwrite=overwrite)
    elif chosen is Format.PARQUET:
        with published_file(path, overwrite=overwrite) as stream:
            write_detections(detections, stream)
    else:
        WRITERS[chosen](detections, path, overwrite=overwrite)
    return path
