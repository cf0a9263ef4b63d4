"""Detections as files that GDAL writes through pyogrio: GeoPackage, FlatGeobuf, Shapefile and KML."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from swathe.atomic import published_path
from swathe.errors import MissingExtraError, StoreError, UsageError
from swathe.store.exports.rows import ATTRIBUTES, attributes, chunks
from swathe.store.exports.style import SUFFIX, write_style
from swathe.times import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from swathe.detections import Detections

LAYER = "detections"
GEOMETRY = "geometry"
ON_GROUND = "EPSG:4326"
IN_PIXELS = 'LOCAL_CS["pixels of the scene, y down",UNIT["pixel",1]]'
HALF_TURN = 180.0  # degrees
SOME_DATE = "1970-01-01T00:00:00.000Z"  # a GeoPackage tells when it was written; equal input shall give equal bytes


@dataclass(frozen=True)
class Kind:
    """What a format of GDAL can hold, and how it is written."""

    driver: str
    suffix: str
    names: Mapping[str, str] = field(default_factory=dict)  # columns that are called otherwise there
    most_bytes: int | None = None  # of a text
    plain: bool = False  # whether it has no type for points in time and truth values
    in_pixels: bool = True  # whether it can hold scenes without georeference
    beside: tuple[str, ...] = ()  # suffixes of the other files that it consists of
    styled: bool = False  # whether a style for QGIS goes with it
    options: Mapping[str, str] = field(default_factory=dict)  # of GDAL


KINDS = {
    kind.suffix: kind
    for kind in (
        Kind("GPKG", ".gpkg", styled=True),
        Kind("FlatGeobuf", ".fgb"),
        Kind(
            "ESRI Shapefile",
            ".shp",
            names={"azimuth_deg": "azimuth", "theta_degrees": "theta_deg"},  # ten characters at most
            most_bytes=254,
            plain=True,
            beside=(".shx", ".dbf", ".prj", ".cpg"),
            options={"ENCODING": "UTF-8", "DBF_DATE_LAST_UPDATE": SOME_DATE[:10]},
        ),
        Kind("LIBKML", ".kml", names={"class": "name", "id": "detection"}, plain=True, in_pixels=False),
    )
}


def write_vector(
    detections: Detections,
    path: Path,
    suffix: str,
    columns: Sequence[str] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a file with the footprint of each detection, in the layer `detections`.

    Coordinates are longitude and latitude (EPSG:4326, longitude first). Where no scene is
    georeferenced they are scene pixels, y down, and the reference system says so. The layer is one of polygons, or of
    multipolygons if a box crosses the antimeridian. Equal detections give equal bytes with the same version of GDAL.
    A style for QGIS goes beside a GeoPackage, unless there is one already.

    Args:
        detections: What to write, in this order.
        path: Where to.
        suffix: One of those of `KINDS`.
        columns: Columns of `swathe.store.exports.rows.EVERY`; id and those that all formats have if not given.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        MissingExtraError: If pyogrio is not installed.
        UsageError: If some scenes are georeferenced and others are not, or the format cannot hold what is given.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    pyogrio, kind, names = load_pyogrio(suffix), KINDS[suffix], tuple(columns or ("id", *ATTRIBUTES.names))
    georeferenced = detections.georeferenced
    if not (georeferenced or kind.in_pixels or not len(detections)):
        raise UsageError(f"{path}: {kind.driver} holds places on the ground alone, and these scenes have none")
    _check_texts(detections, names, kind)
    multiple = georeferenced and any(_crosses(chunk) for chunk in chunks(detections))
    geometry = pa.field(GEOMETRY, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
    schema = pa.schema([*_fitted(attributes(detections.take([]), names), kind).schema, geometry])
    batches = (_batch(chunk, schema, names, kind, multiple=multiple) for chunk in chunks(detections))
    published = published_path(path, overwrite=overwrite, suffix=suffix, beside=kind.beside)
    with published as temporary, _settled_date(pyogrio):
        try:
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, batches),
                temporary,
                layer=temporary.stem if kind.beside else LAYER,
                driver=kind.driver,
                geometry_name=GEOMETRY,
                geometry_type="MultiPolygon" if multiple else "Polygon",
                crs=ON_GROUND if georeferenced or not kind.in_pixels else IN_PIXELS,
                layer_options=dict(kind.options),
            )
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            raise StoreError(f"{path} cannot be written ({error}); check the folder, rights and free space") from error
    if kind.styled and not path.with_suffix(SUFFIX).exists():
        write_style(detections, path.with_suffix(SUFFIX))
    return path


def load_pyogrio(what: str) -> Any:
    """Import pyogrio.

    Args:
        what: What needs it, for the message.

    Returns:
        The module.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import pyogrio
    except ImportError as error:
        raise MissingExtraError(f"{what}: ", library="pyogrio", extra="geo") from error
    return pyogrio


def _crosses(chunk: Detections) -> bool:
    """Return whether a box may cross the antimeridian."""
    longitudes = chunk.to_polygons("geometry")[..., 0]
    return bool((np.ptp(longitudes, axis=1) > HALF_TURN).any())


def _check_texts(detections: Detections, names: Sequence[str], kind: Kind) -> None:
    """Refuse texts that are longer than a format can hold, before anything is written."""
    texts = {name for name in ("id", "run", "scene", "class") if name in names and kind.most_bytes is not None}
    for name in sorted(texts):
        values = detections.table.column(name).cast(pa.string())
        longest = pa.compute.max(pa.compute.binary_length(values)).as_py() or 0
        if kind.most_bytes is not None and longest > kind.most_bytes:
            raise UsageError(
                f"{kind.driver} holds texts of {kind.most_bytes} bytes at most, and one of {name!r} has {longest}; "
                "leave that column out, or write a GeoPackage"
            )


def _fitted(table: pa.Table, kind: Kind) -> pa.Table:
    """Return a table of attributes with the names and types that a format has."""
    for number, name in enumerate(table.schema.names):
        column = table.column(name)
        if kind.plain and name == "acquired":
            times = [None if time is None else utc_text(time) for time in column.to_pylist()]
            column = pa.array(times, pa.string())
        elif kind.plain and pa.types.is_boolean(column.type):
            column = column.cast(pa.int16())
        table = table.set_column(number, kind.names.get(name, name), column)
    return table


def _batch(chunk: Detections, schema: pa.Schema, names: Sequence[str], kind: Kind, *, multiple: bool) -> pa.RecordBatch:
    """Return some detections as they are written."""
    import shapely

    footprints = chunk.footprints()
    if multiple:
        single = shapely.get_type_id(footprints) == shapely.GeometryType.POLYGON
        footprints[single] = shapely.multipolygons(footprints[single, None])
    told = _fitted(attributes(chunk, names), kind).columns
    columns = [*told, pa.array(shapely.to_wkb(footprints), pa.binary())]
    (batch,) = pa.table(columns, schema=schema).combine_chunks().to_batches()
    return batch


@contextmanager
def _settled_date(pyogrio: Any) -> Iterator[None]:
    """Let GDAL write the same date at all times."""
    name = "OGR_CURRENT_DATE"
    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: SOME_DATE})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})
