"""Detections as a table of comma-separated values."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.csv

from swathe.atomic import published_file
from swathe.store.exports.rows import EVERY, attributes, chunks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from swathe.detections import Detections


def write_csv(
    detections: Detections, path: Path, columns: Sequence[str] | None = None, *, overwrite: bool = False
) -> Path:
    """Write a CSV file in UTF-8 with a header, a line for each detection; scenes of all kinds go together.

    Args:
        detections: What to write, in this order.
        path: Where to.
        columns: Columns of `swathe.store.exports.rows.EVERY`; all if not given.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path. What is unknown is empty.

    Raises:
        SourceError: If a box has no longitude and latitude.
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    with published_file(path, overwrite=overwrite) as stream:
        stream_csv(detections, stream, columns)
    return path


def stream_csv(detections: Detections, stream: BinaryIO, columns: Sequence[str] | None = None) -> None:
    """Write the same to a stream, piece by piece.

    Args:
        detections: What to write, in this order.
        stream: Where to.
        columns: Columns of `swathe.store.exports.rows.EVERY`; all if not given.

    Raises:
        SourceError: If a box has no longitude and latitude.
    """
    names = list(columns or EVERY.names)
    schema = pa.schema([(name, pa.string() if name == "acquired" else EVERY.field(name).type) for name in names])
    with pyarrow.csv.CSVWriter(stream, schema) as writer:
        for chunk in chunks(detections):
            table = attributes(chunk, names)
            if "acquired" in names:
                seconds = table.column("acquired").cast(pa.timestamp("s", "UTC"), safe=False)
                text = pa.compute.strftime(seconds, "%Y-%m-%dT%H:%M:%SZ")
                table = table.set_column(names.index("acquired"), "acquired", text)
            writer.write_table(table.cast(schema))
