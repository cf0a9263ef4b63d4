"""Writing a GeoParquet file of detections, in spatial order, so that a query by region reads few row groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

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
    NAME_COLUMNS,
    SWATHE_KEY,
    FileHead,
    acquired_column,
    geo_metadata,
)

if TYPE_CHECKING:
    from swathe.detections import Detections

ROW_GROUP_ROWS = 16_384  # a box query reads whole row groups; fewer rows would make the footer of a file large
SURVEYED_ROWS = 65_536
FloatArray = npt.NDArray[np.float64]


def write_detections(
    detections: Detections, stream: BinaryIO, *, row_group_rows: int = ROW_GROUP_ROWS
) -> list[float] | None:
    """Write detections as GeoParquet; equal detections give equal bytes in whatever order they come.

    Args:
        detections: What to write; either all scenes are georeferenced or none.
        stream: An empty file, open for writing.
        row_group_rows: Rows of a row group.

    Returns:
        Bounds of all footprints as xmin, ymin, xmax, ymax in geometry coordinates; None without detections.

    Raises:
        UsageError: If some scenes are georeferenced and others are not, or a run's description is not JSON.
        SourceError: If a footprint has no longitude and latitude.
    """
    georeferenced = detections.georeferenced
    hulls, kinds = _survey(detections)
    canonical = detections.canonical_order()
    order = canonical[np.argsort(spatial_keys(hulls)[canonical], kind="stable")]
    metadata = {
        GEO_KEY: geo_metadata(hulls, kinds, georeferenced=georeferenced),
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
        for start in range(0, len(order), row_group_rows):
            rows = order[start : start + row_group_rows]
            writer.write_table(file_rows(detections.take(rows)).replace_schema_metadata(metadata), row_group_rows)
    return [*hulls[:, :2].min(axis=0).tolist(), *hulls[:, 2:].max(axis=0).tolist()] if len(hulls) else None


def _survey(detections: Detections) -> tuple[FloatArray, list[str]]:
    """Return the hulls (n, 4) of the footprints and the types of geometry that occur, sorted.

    A footprint takes ten times the memory of its hull, so only some are made at a time, and made again for the file.
    """
    import shapely

    hulls, kinds = np.empty((len(detections), 4)), set[int]()
    for start in range(0, len(detections), SURVEYED_ROWS):
        rows = np.arange(start, min(start + SURVEYED_ROWS, len(detections)))
        footprints = detections.take(rows).footprints()
        hulls[rows] = shapely.bounds(footprints).reshape(-1, 4)
        kinds |= set(shapely.get_type_id(footprints).tolist())
    named = {"MultiPolygon": shapely.GeometryType.MULTIPOLYGON, "Polygon": shapely.GeometryType.POLYGON}
    # Of no geometry at all: the type of a plain box.
    return hulls, [name for name, kind in named.items() if kind in kinds] or ["Polygon"]


def file_rows(detections: Detections) -> pa.Table:
    """Return the columns of a file of detections.

    Args:
        detections: The rows; as many as may have their footprints in memory.

    Returns:
        A table of `FILE_SCHEMA`.

    Raises:
        SourceError: If a footprint has no longitude and latitude.
    """
    import shapely

    columns = dict(zip(SCHEMA.names, detections.table.columns, strict=True))
    for name in NAME_COLUMNS:
        columns[name] = columns[name].cast(pa.string())
    measures = detections.measures()
    for number, name in enumerate(MEASURES):
        columns[name] = pa.array(measures[:, number], from_pandas=True)  # NaN becomes null
    columns["acquired"] = acquired_column(detections)
    footprints = detections.footprints()
    hulls = shapely.bounds(footprints).reshape(-1, 4)
    columns["bbox"] = pa.StructArray.from_arrays([pa.array(hulls[:, n]) for n in range(4)], fields=list(BBOX_TYPE))
    columns["geometry"] = pa.array(shapely.to_wkb(footprints, byte_order=1), pa.binary())
    return pa.table([columns[name] for name in FILE_SCHEMA.names], schema=FILE_SCHEMA)
