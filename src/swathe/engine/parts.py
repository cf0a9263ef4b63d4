"""Part files: the raw detections of one finished batch, published atomically and sealed with a checksum.

A part is a NumPy archive followed by the 32 bytes of its SHA-256, so that any damage is seen. Workers write these and
nothing else, so they need no library of tables.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swathe.atomic import published_file
from swathe.engine.raw import RawDetections
from swathe.errors import StoreError

DIGEST_BYTES = 32
MOST_CLASSES = 1 << 16  # of any model; classes are counted in arrays of their number
COLUMNS = ("boxes", "scores", "classes", "cut", "windows")


@dataclass(frozen=True)
class Part:
    """What a part file holds."""

    raw: RawDetections
    skipped: int  # windows of the batch without data


def part_path(folder: Path, batch: int) -> Path:
    """Return where the part of a batch belongs."""
    return folder / f"part-{batch:09d}.npz"


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
    archive = io.BytesIO()
    columns = {name: getattr(raw, name) for name in COLUMNS}
    np.savez(archive, allow_pickle=False, head=np.array([batch, skipped], dtype=np.int64), **columns)
    data = archive.getvalue()
    path = part_path(folder, batch)
    with published_file(path, overwrite=True) as stream:
        stream.write(data + hashlib.sha256(data).digest())
    return path


def read_part(folder: Path, batch: int, classes: int = MOST_CLASSES) -> Part | None:
    """Read a part back.

    Args:
        folder: Ledger folder.
        batch: Index of the batch.
        classes: How many classes the model has.

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
    try:
        return _unpacked(body, batch, classes)
    except (KeyError, TypeError, ValueError, EOFError, MemoryError, zipfile.BadZipFile):
        return None  # sealed, but not by us


def _unpacked(body: bytes, batch: int, classes: int) -> Part | None:
    """Read the archive of a part; None if it is that of another batch, or holds what no batch gives."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if sum(member.file_size for member in archive.infolist()) > len(body):
            return None  # packed, which ours never are: it may unpack to any size
    with np.load(io.BytesIO(body), allow_pickle=False) as columns:
        owner, skipped = columns["head"].tolist()
        raw = RawDetections(**{name: columns[name] for name in COLUMNS})
    return Part(raw, skipped) if owner == batch and _makes_sense(raw, classes) else None


def _makes_sense(raw: RawDetections, classes: int) -> bool:
    """Tell whether columns have their types and lengths, and hold numbers in range."""
    rows, expected = len(raw.scores), RawDetections.empty()
    for name in COLUMNS:
        column, wanted = getattr(raw, name), getattr(expected, name)
        if column.dtype != wanted.dtype or column.shape != (rows, *wanted.shape[1:]):
            return False
    in_range = (raw.classes >= 0) & (raw.classes < classes)
    return bool(np.isfinite(raw.boxes).all() and np.isfinite(raw.scores).all() and in_range.all())
