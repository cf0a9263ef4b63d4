"""Detections as a table of comma-separated values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv

from swathe.atomic import published_file
from swathe.store.exports.rows import ATTRIBUTES, attributes, chunks, nullable

if TYPE_CHECKING:
    from pathlib import Path

    from swathe.detections import Detections

CORNERS = tuple(f"{axis}{number}" for number in range(1, 5) for axis in "xy")
COLUMNS = pa.schema(
    [
        pa.field("id", pa.string()),  # RUN/SCENE/NUMBER
        pa.field("longitude", pa.float64()),  # of the centre, degrees of WGS 84, empty without georeference
        pa.field("latitude", pa.float64()),  # of the centre, degrees of WGS 84, empty without georeference
        *(field if field.name != "acquired" else pa.field("acquired", pa.string()) for field in ATTRIBUTES),
        *(pa.field(name, pa.float64()) for name in CORNERS),  # corners in scene pixels, clockwise on screen
    ]
)


def write_csv(detections: Detections, path: Path, *, overwrite: bool = False) -> Path:
    """Write a CSV file in UTF-8 with a header, a line for each detection; scenes of all kinds go together.

    Args:
        detections: What to write, in canonical order in the file.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path. Columns are those of `COLUMNS`; what is unknown is empty.

    Raises:
        SourceError: If a box has no longitude and latitude.
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    ordered = detections.sorted()
    with published_file(path, overwrite=overwrite) as stream, pyarrow.csv.CSVWriter(stream, COLUMNS) as writer:
        for chunk in chunks(ordered):
            writer.write_table(_table(chunk))
    return path


def _table(chunk: Detections) -> pa.Table:
    """Return the rows of some detections."""
    known = attributes(chunk)
    columns = dict(zip(known.schema.names, known.columns, strict=True))
    columns["acquired"] = pa.compute.strftime(
        columns["acquired"].cast(pa.timestamp("s", "UTC"), safe=False), "%Y-%m-%dT%H:%M:%SZ"
    )
    columns["id"] = chunk.table.column("id")
    centres = chunk.centres()
    columns["longitude"], columns["latitude"] = nullable(centres[:, 0]), nullable(centres[:, 1])
    corners = chunk.to_polygons("pixel").reshape(-1, len(CORNERS))
    columns |= {name: pa.array(np.ascontiguousarray(corners[:, number])) for number, name in enumerate(CORNERS)}
    return pa.table([columns[name] for name in COLUMNS.names], schema=COLUMNS)
