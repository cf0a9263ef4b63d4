"""A checksum over the footer of a Parquet file, kept in the gap before it, where Parquet readers do not look.

Parquet guards its pages with checksums but not its footer, and Arrow ends the whole process on some damaged footers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, TYPE_CHECKING, BinaryIO

from swathe.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"PAR1"
SEAL_MARK = b"SWATHE01"
_TAIL_BYTES = 8  # length of the footer and the magic number
_SEAL_BYTES = len(SEAL_MARK) + sha256().digest_size


@dataclass(frozen=True)
class Seal:
    """What tells a file from every other one without reading it."""

    size: int  # bytes of the file
    footer: int  # bytes of the footer with its tail
    digest: str  # SHA-256 of the footer with its tail, hexadecimal

    def is_on(self, path: Path) -> bool:
        """Tell whether a file bears this seal; its footer is not read.

        Args:
            path: The file.

        Returns:
            Whether it does; false too if it cannot be read.
        """
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            place = self.size - self.footer - _SEAL_BYTES
            if os.fstat(handle).st_size != self.size or place < 0:
                return False
            return os.pread(handle, _SEAL_BYTES, place) == SEAL_MARK + bytes.fromhex(self.digest)
        except OSError:
            return False
        finally:
            os.close(handle)


def seal_footer(stream: BinaryIO) -> Seal:
    """Insert the checksum into a Parquet file that was just written; other readers do not notice.

    Args:
        stream: The whole file, open for reading and writing; positioned at its end afterwards.

    Returns:
        The seal.
    """
    stream.seek(-_TAIL_BYTES, os.SEEK_END)
    tail = stream.read(_TAIL_BYTES)
    start = stream.seek(-_TAIL_BYTES - int.from_bytes(tail[:4], "little"), os.SEEK_END)
    footer = stream.read()
    digest = sha256(footer)
    stream.seek(start)
    stream.write(SEAL_MARK + digest.digest() + footer)
    return Seal(start + _SEAL_BYTES + len(footer), len(footer), digest.hexdigest())


def check_footer(stream: IO[bytes], path: Path) -> Seal:
    """Compare the footer of a Parquet file with its checksum.

    Args:
        stream: The file, open for reading; moved anywhere.
        path: Its name, for messages.

    Returns:
        The seal.

    Raises:
        StoreError: If it is damaged, or was not written by Swathe.
        OSError: If it cannot be read.
    """
    size = stream.seek(0, os.SEEK_END)
    if size >= _TAIL_BYTES:
        stream.seek(size - _TAIL_BYTES)
    tail = stream.read(_TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little") + _TAIL_BYTES
    if tail[4:] != MAGIC or length + _SEAL_BYTES > size:
        stream.seek(0)
        if size > 0 and stream.read(len(MAGIC)) != MAGIC:  # somebody's own file, which nobody should delete
            raise StoreError(
                f"{path} is no Parquet file; name a store, or a GeoParquet file written by Swathe; if it lies in a "
                "store, restore it, or remove the scene and detect again"
            )
        raise StoreError(f"{path} is no whole Parquet file; restore it, or delete it and detect again")
    stream.seek(size - length - _SEAL_BYTES)
    mark, digest = stream.read(len(SEAL_MARK)), stream.read(sha256().digest_size)
    footer = stream.read()
    if mark != SEAL_MARK:
        raise StoreError(
            f"{path} is a Parquet file that another program wrote or rewrote, and Swathe reads only what it can check; "
            "read this one with geopandas or DuckDB, keep changed copies outside of stores, and let Swathe filter "
            "(`swathe query STORE ... -o FILE.parquet`)"
        )
    if sha256(footer).digest() != digest:
        raise StoreError(f"{path} is damaged: its footer has changed; restore it, or delete it and detect again")
    return Seal(size, length, digest.hex())
