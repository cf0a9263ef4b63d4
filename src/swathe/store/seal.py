"""A checksum over the footer of a Parquet file, kept in the gap before it, where Parquet readers do not look.

Parquet guards its pages with checksums but not its footer, and Arrow ends the whole process on some damaged footers.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from swathe.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"PAR1"
SEAL_MARK = b"SWATHE01"
_TAIL_BYTES = 8  # length of the footer and the magic number
_SEAL_BYTES = len(SEAL_MARK) + sha256().digest_size


def seal_footer(stream: BinaryIO) -> None:
    """Insert the checksum into a Parquet file that was just written; other readers do not notice.

    Args:
        stream: The whole file, open for reading and writing; positioned at its end afterwards.
    """
    stream.seek(-_TAIL_BYTES, os.SEEK_END)
    tail = stream.read(_TAIL_BYTES)
    start = stream.seek(-_TAIL_BYTES - int.from_bytes(tail[:4], "little"), os.SEEK_END)
    footer = stream.read()
    stream.seek(start)
    stream.write(SEAL_MARK + sha256(footer).digest() + footer)


def check_footer(path: Path) -> None:
    """Compare the footer of a Parquet file with its checksum.

    Args:
        path: The file.

    Raises:
        StoreError: If it is damaged, or was not written by Swathe.
        OSError: If it cannot be read.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        if size >= _TAIL_BYTES:
            stream.seek(size - _TAIL_BYTES)
        tail = stream.read(_TAIL_BYTES)
        length = int.from_bytes(tail[:4], "little") + _TAIL_BYTES
        if tail[4:] != MAGIC or length + _SEAL_BYTES > size:
            raise StoreError(f"{path} is no whole Parquet file; restore it, or delete it and detect again")
        stream.seek(size - length - _SEAL_BYTES)
        mark, digest = stream.read(len(SEAL_MARK)), stream.read(sha256().digest_size)
        footer = stream.read()
    if mark != SEAL_MARK:
        raise StoreError(f"{path} is a Parquet file that another program wrote or rewrote; name one written by Swathe")
    if sha256(footer).digest() != digest:
        raise StoreError(f"{path} is damaged: its footer has changed; restore it, or delete it and detect again")
