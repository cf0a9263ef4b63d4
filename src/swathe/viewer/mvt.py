"""Mapbox Vector Tiles, version 2: a feature is a row of numbers, and NumPy packs all rows at once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

EXTENT = 8192  # units along the side of a tile; what MapLibre calculates in
VERSION = 2
MOVE_TO_ONE, LINE_TO, CLOSE_PATH = 9, 2, 15
Kind: TypeAlias = Literal[1, 3]
POINT: Literal[1] = 1
POLYGON: Literal[3] = 3
Integers: TypeAlias = npt.NDArray[np.int64]


def layer(name: str, shapes: Iterable[tuple[Integers, Integers]], kind: Kind, columns: Mapping[str, Any]) -> bytes:
    """Write a layer; the layers of a tile are simply put one after the other.

    Args:
        name: Of the layer.
        shapes: Groups of shapes with equally many corners: corners (m, k, 2) as x, y in units of the tile, y down, not
            closed; and the row (m,) of each in the columns.
        kind: POINT (then k is 1) or POLYGON.
        columns: Values (n,) by name: text, whole numbers or other numbers.

    Returns:
        The bytes.
    """
    tags, values = _tags(list(columns.values()))
    parts = [_field(1, name.encode())]
    parts += [_features(corners, tags[rows], kind) for corners, rows in shapes if len(rows)]
    parts += [_field(3, key.encode()) for key in columns]
    parts += [_field(4, value) for value in values]
    parts += [b"\x28" + _varint(EXTENT), b"\x78" + _varint(VERSION)]
    return _field(3, b"".join(parts))


def _features(corners: Integers, tags: Integers, kind: Kind) -> bytes:
    """Return features of one kind with equally many corners, each as a field of the layer."""
    geometry = _geometry(corners, kind)
    tag_bytes, geometry_bytes = _sizes(tags).sum(axis=1), _sizes(geometry).sum(axis=1)
    size = 5 + _sizes(tag_bytes) + tag_bytes + _sizes(geometry_bytes) + geometry_bytes - 1
    keys = [np.full(len(corners), key) for key in (0x12, 0x12, 0x18, kind, 0x22)]
    head = (keys[0], size, keys[1], tag_bytes)
    middle = (keys[2], keys[3], keys[4], geometry_bytes)
    return _varints(np.column_stack([*head, tags, *middle, geometry])).tobytes()


def _geometry(corners: Integers, kind: Kind) -> Integers:
    """Return the commands (m, c) that draw shapes, polygons clockwise on screen."""
    count = corners.shape[1]
    if kind == POLYGON:
        x, y = corners[..., 0], corners[..., 1]
        turned = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1) < 0
        corners = np.where(turned[:, None, None], corners[:, ::-1], corners)
    steps = np.diff(corners, axis=1, prepend=np.zeros_like(corners[:, :1]))
    folded = ((steps << 1) ^ (steps >> 63)).reshape(len(corners), -1)  # zigzag: small numbers stay short
    commands = np.full((len(corners), 1), MOVE_TO_ONE)
    if kind == POINT:
        return np.hstack([commands, folded])
    lines = np.full_like(commands, (count - 1) << 3 | LINE_TO)
    return np.hstack([commands, folded[:, :2], lines, folded[:, 2:], np.full_like(commands, CLOSE_PATH)])


def _tags(columns: Sequence[Any]) -> tuple[Integers, list[bytes]]:
    """Return the pairs of key and value (n, 2 c) of each row, and all values, each once per column."""
    tags: list[Integers] = []
    values: list[bytes] = []
    for key, column in enumerate(columns):
        different, codes = np.unique(np.asarray(column), return_inverse=True)
        tags += [np.full(len(codes), key), codes + len(values)]
        values += [_value(value) for value in different.tolist()]
    return np.column_stack(tags), values


def _value(value: str | float) -> bytes:
    if isinstance(value, str):
        return _field(1, value.encode())
    return b"\x28" + _varint(value) if isinstance(value, int) else b"\x19" + struct.pack("<d", value)


def _field(number: int, content: bytes) -> bytes:
    """Return bytes as a field of a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Write one number as `_varints` does; for a single one Python is quicker."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _sizes(values: Integers) -> Integers:
    """Return how many bytes each number takes."""
    sizes = np.ones(values.shape, dtype=np.int64)
    limit = 1 << 7
    while (more := values >= limit).any():
        sizes += more
        limit <<= 7
    return sizes


def _varints(values: Integers) -> npt.NDArray[np.uint8]:
    """Write whole numbers from 0 on to base 128, lowest digits first; all bytes but the last have the top bit set."""
    flat = values.ravel()
    sizes = _sizes(flat)
    ends = np.cumsum(sizes)
    written = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    for place in range(int(sizes.max(initial=0))):
        rows = np.flatnonzero(sizes > place)
        more = (sizes[rows] > place + 1) << 7
        written[ends[rows] - sizes[rows] + place] = (flat[rows] >> 7 * place) & 0x7F | more
    return written
