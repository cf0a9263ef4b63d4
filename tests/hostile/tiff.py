"""TIFF files by hand: directories to damage, and files that promise more than they hold."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from random import Random

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 277, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
DEFLATE, NONE = 8, 1
LONG, SHORT = 4, 3
ENTRY = 12  # bytes
NUMBERS = (0, 1, 2, 255, 65535, 2**16, 10**6, 2**31 - 1, 2**31, 2**32 - 1)


def tiff(tags: Mapping[int, int | tuple[int, ...]], data: bytes = b"") -> bytes:
    """Write a little-endian TIFF of one directory.

    Args:
        tags: Tag -> its value or values, written as 32-bit numbers. Offsets count from the start of `data`.
        data: Strips or tiles.

    Returns:
        The file.
    """
    entries, extra = [], b""
    start = 8 + 2 + ENTRY * len(tags) + 4
    behind = start + sum(4 * len(value) for value in tags.values() if isinstance(value, tuple) and len(value) > 1)
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (value,)
        if tag in {STRIP_OFFSETS, TILE_OFFSETS}:
            values = tuple((number + behind) % 2**32 for number in values)
        packed = struct.pack(f"<{len(values)}I", *values)
        field = packed if len(values) == 1 else struct.pack("<I", start + len(extra))
        extra += b"" if len(values) == 1 else packed
        entries.append(struct.pack("<HHI", tag, LONG, len(values)) + field)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + b"".join(entries) + struct.pack("<I", 0) + extra + data


def with_entry_damaged(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Overwrite the tag, type, count or value of one entry of the first directory of a classic little-endian TIFF."""
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    start = first + 2 + ENTRY * chance.randrange(count)
    (tag,) = struct.unpack_from("<H", data, start)
    part, offset, code = chance.choice((("tag", 0, "<H"), ("type", 2, "<H"), ("count", 4, "<I"), ("value", 8, "<I")))
    number = chance.choice((*NUMBERS, chance.randrange(2**32)))
    out = bytearray(data)
    struct.pack_into(code, out, start + offset, number % 256 ** struct.calcsize(code))
    return bytes(out), f"{part} of tag {tag} set to {number}"


def with_array_damaged(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Overwrite one of the offsets or byte counts of tiles or strips of a classic little-endian TIFF."""
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    entries = [struct.unpack_from("<HHII", data, first + 2 + ENTRY * number) for number in range(count)]
    arrays = [entry for entry in entries if entry[0] in {STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES}]
    tag, kind, length, place = chance.choice([entry for entry in arrays if entry[2] > 2])
    item, number = chance.randrange(length), chance.choice((*NUMBERS, len(data), len(data) - 1))
    out = bytearray(data)
    code = "<I" if kind == LONG else "<H"
    size = struct.calcsize(code)
    struct.pack_into(code, out, place + size * item, number % 256**size)
    return bytes(out), f"item {item} of tag {tag} set to {number}"
