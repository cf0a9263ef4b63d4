"""Detections as GeoPackage and FlatGeobuf, written by GDAL through pyogrio."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from swathe.atomic import published_path
from swathe.errors import MissingExtraError, StoreError
from swathe.store.exports.rows import ATTRIBUTES, attributes, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swathe.detections import Detections

LAYER = "detections"
GEOMETRY = "geometry"
DRIVERS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf"}
ON_GROUND = "EPSG:4326"
IN_PIXELS = 'LOCAL_CS["pixels of the scene, y down",UNIT["pixel",1]]'
HALF_TURN = 180.0  # degrees
SOME_DATE = "1970-01-01T00:00:00.000Z"  # a GeoPackage tells when it was written; equal input shall give equal bytes


def write_vector(detections: Detections, path: Path, suffix: str, *, overwrite: bool = False) -> Path:
    """Write a GeoPackage or FlatGeobuf file with the footprint of each detection, in the layer `detections`.

    Coordinates are longitude and latitude (EPSG:4326, longitude first). Where no scene is
    georeferenced they are scene pixels, y down, and the reference system says so. The layer is one of polygons, or of
    multipolygons if a box crosses the antimeridian. Equal detections give equal bytes with the same version of GDAL.

    Args:
        detections: What to write, in canonical order in the file.
        path: Where to.
        suffix: ".gpkg" or ".fgb".
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        MissingExtraError: If pyogrio is not installed.
        UsageError: If some scenes are georeferenced and others are not.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    pyogrio = load_pyogrio(suffix)
    georeferenced = detections.georeferenced
    ordered = detections.sorted()
    multiple = georeferenced and any(_crosses(chunk) for chunk in chunks(ordered))
    geometry = pa.field(GEOMETRY, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
    schema = pa.schema([pa.field("id", pa.string()), *ATTRIBUTES, geometry])
    batches = (_batch(chunk, schema, multiple=multiple) for chunk in chunks(ordered))
    with published_path(path, overwrite=overwrite, suffix=suffix) as temporary, _settled_date(pyogrio):
        try:
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, batches),
                temporary,
                layer=LAYER,
                driver=DRIVERS[suffix],
                geometry_name=GEOMETRY,
                geometry_type="MultiPolygon" if multiple else "Polygon",
                crs=ON_GROUND if georeferenced else IN_PIXELS,
            )
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            raise StoreError(f"{path} cannot be written ({error}); check the folder, rights and free space") from error
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


def _batch(chunk: Detections, schema: pa.Schema, *, multiple: bool) -> pa.RecordBatch:
    """Return some detections as they are written."""
    import shapely

    footprints = chunk.footprints()
    if multiple:
        single = shapely.get_type_id(footprints) == shapely.GeometryType.POLYGON
        footprints[single] = shapely.multipolygons(footprints[single, None])
    columns = [chunk.table.column("id"), *attributes(chunk).columns, pa.array(shapely.to_wkb(footprints), pa.binary())]
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
