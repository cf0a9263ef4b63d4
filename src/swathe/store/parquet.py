"""Writing a GeoParquet file of detections, in spatial order, so that a query by region reads few row groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from swathe.detections import SCHEMA
from swathe.store.keys import spatial_keys
from swathe.store.schema import (
    BBOX_TYPE,
    FILE_SCHEMA,
    GEO_KEY,
    MEASURES,
    SWATHE_KEY,
    FileHead,
    acquired_column,
    geo_metadata,
)
from swathe.store.seal import Seal, seal_footer

if TYPE_CHECKING:
    from swathe.detections import Detections

ROW_GROUP_ROWS = 16_384  # a box query reads whole row groups; fewer rows would make the footer of a file large
NAME_COLUMNS = ("run", "scene", "class")
FloatArray = npt.NDArray[np.float64]


def write_detections(detections: Detections, stream: BinaryIO, *, row_group_rows: int = ROW_GROUP_ROWS) -> Seal:
    """Write detections as GeoParquet; equal detections give equal bytes in whatever order they come.

    Args:
        detections: What to write; either all scenes are georeferenced or none.
        stream: An empty file, open for reading and writing.
        row_group_rows: Rows of a row group.

    Returns:
        The seal of the file.

    Raises:
        UsageError: If some scenes are georeferenced and others are not, or a run's description is no JSON.
        SourceError: If a footprint has no longitude and latitude.
    """
    import shapely

    georeferenced = detections.georeferenced
    detections = detections.sorted()
    footprints = detections.footprints()
    hulls = shapely.bounds(footprints).reshape(-1, 4)
    order = np.argsort(spatial_keys(hulls), kind="stable")
    rows = _file_rows(detections.take(order), footprints[order], hulls[order])
    metadata = {
        GEO_KEY: geo_metadata(hulls, _types(footprints), georeferenced=georeferenced),
        SWATHE_KEY: FileHead.of(detections).to_json(),
    }
    schema = FILE_SCHEMA.with_metadata(metadata)
    with pq.ParquetWriter(
        stream,
        schema,
        compression="zstd",
        use_dictionary=list(NAME_COLUMNS),
        column_encoding={"id": "DELTA_BYTE_ARRAY"},
        write_page_checksum=True,
    ) as writer:
        for start in range(0, len(rows), row_group_rows):
            writer.write_table(_with_own_names(rows[start : start + row_group_rows], schema), row_group_rows)
    return seal_footer(stream)


def _types(footprints: npt.NDArray[Any]) -> list[str]:
    """Return the types of geometry that occur, sorted; of no geometry at all that of a plain box."""
    import shapely

    kinds = set(shapely.get_type_id(footprints).tolist())
    named = {"MultiPolygon": shapely.GeometryType.MULTIPOLYGON, "Polygon": shapely.GeometryType.POLYGON}
    return [name for name, kind in named.items() if kind in kinds] or ["Polygon"]


def _file_rows(detections: Detections, footprints: npt.NDArray[Any], hulls: FloatArray) -> pa.Table:
    """Return the columns of a file, names as they are."""
    import shapely

    columns = dict(zip(SCHEMA.names, detections.table.columns, strict=True))
    measures = detections.measures()
    for number, name in enumerate(MEASURES):
        columns[name] = pa.array(measures[:, number], from_pandas=True)  # NaN becomes null
    columns["acquired"] = acquired_column(detections)
    columns["bbox"] = pa.StructArray.from_arrays([pa.array(hulls[:, n]) for n in range(4)], fields=list(BBOX_TYPE))
    columns["geometry"] = pa.array(shapely.to_wkb(footprints, byte_order=1), pa.binary())
    return pa.table([columns[name] for name in FILE_SCHEMA.names], schema=FILE_SCHEMA)


def _with_own_names(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give name columns a dictionary that depends on the rows alone."""
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    for name in NAME_COLUMNS:
        columns[name] = columns[name].cast(pa.string()).dictionary_encode()
    return pa.table([columns[name] for name in schema.names], schema=schema)
