"""Part files: the raw detections of one finished batch, published atomically and sealed with a checksum.

A part is an Arrow stream followed by the 32 bytes of its SHA-256, so that any damage is seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from swathe.engine.raw import RawDetections
from swathe.errors import StoreError
from swathe.store.atomic import published_file

DIGEST_BYTES = 32
BOX_COLUMNS = ("cx", "cy", "w", "h", "theta")


@dataclass(frozen=True)
class Part:
    """What a part file holds."""

    raw: RawDetections
    skipped: int  # windows of the batch without data


def part_path(folder: Path, batch: int) -> Path:
    """Return where the part of a batch belongs."""
    return folder / f"part-{batch:09d}.arrow"


def write_part(folder: Path, batch: int, raw: RawDetections, skipped: int) -> Path:
    """Publish the detections of a finished batch.

    Args:
        folder: Ledger folder.
        batch: Index of the batch.
        raw: Its detections.
        skipped: Its windows without data.

    Returns:
        The file.

    Raises:
        StoreError: If it cannot be written.
    """
    columns: dict[str, npt.NDArray[Any]] = {name: raw.boxes[:, number] for number, name in enumerate(BOX_COLUMNS)}
    columns |= {"score": raw.scores, "class": raw.classes, "cut": raw.cut, "window": raw.windows}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({"batch": str(batch), "skipped": str(skipped)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    data = sink.getvalue().to_pybytes()
    path = part_path(folder, batch)
    with published_file(path, overwrite=True) as stream:
        stream.write(data + hashlib.sha256(data).digest())
    return path


def read_part(folder: Path, batch: int) -> Part | None:
    """Read a part back.

    Args:
        folder: Ledger folder.
        batch: Index of the batch.

    Returns:
        Its content; None if there is no such part or it is damaged in any way, so that the batch must run again.

    Raises:
        StoreError: If the file is there but may not be read.
    """
    path = part_path(folder, batch)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    body, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
        table = stream.read_all()
    metadata = table.schema.metadata
    if metadata[b"batch"] != str(batch).encode():
        return None
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    raw = RawDetections(
        boxes=np.column_stack([columns[name] for name in BOX_COLUMNS]),
        scores=columns["score"],
        classes=columns["class"],
        cut=columns["cut"],
        windows=columns["window"],
    )
    return Part(raw, int(metadata[b"skipped"]))
