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


Coded: TypeAlias = tuple[Sequence[Any], Integers]  # different values, and for each row (n,) the place of its own


def coded(values: npt.ArrayLike) -> Coded:
    """Return the different ones of some values (n,), and for each the place of its own among them."""
    different, codes = np.unique(np.asarray(values), return_inverse=True)
    return different.tolist(), codes


def layer(
    name: str,
    shapes: Iterable[tuple[Integers, Integers]],
    kind: Kind,
    columns: Mapping[str, Coded],
    ids: Integers | None = None,
) -> bytes:
    """Write a layer; the layers of a tile are simply put one after the other.

    Args:
        name: Of the layer.
        shapes: Groups of shapes with equally many corners: corners (m, k, 2) as x, y in units of the tile, y down, not
            closed; and the row (m,) of each in the columns.
        kind: POINT (then k is 1) or POLYGON.
        columns: Values by name: text, whole numbers or other numbers.
        ids: Of the features (n,), from 0 on; the place in the columns if not given.

    Returns:
        The bytes.
    """
    tags, values = _tags(list(columns.values()))
    ids = np.arange(len(tags)) if ids is None else ids
    parts = [_field(1, name.encode())]
    parts += [_features(ids[rows], corners, tags[rows], kind) for corners, rows in shapes if len(rows)]
    parts += [_field(3, key.encode()) for key in columns]
    parts += [_field(4, value) for value in values]
    parts += [b"\x28" + _varint(EXTENT), b"\x78" + _varint(VERSION)]
    return _field(3, b"".join(parts))


def _features(ids: Integers, corners: Integers, tags: Integers, kind: Kind) -> bytes:
    """Return features of one kind with equally many corners, each as a field of the layer."""
    geometry = _geometry(corners, kind)
    tag_bytes, geometry_bytes = _sizes(tags).sum(axis=1), _sizes(geometry).sum(axis=1)
    size = 5 + _sizes(ids) + _sizes(tag_bytes) + tag_bytes + _sizes(geometry_bytes) + geometry_bytes
    keys = [np.full(len(corners), key) for key in (0x12, 0x08, 0x12, 0x18, kind, 0x22)]
    head = (keys[0], size, keys[1], ids, keys[2], tag_bytes)
    middle = (keys[3], keys[4], keys[5], geometry_bytes)
    return varints(np.column_stack([*head, tags, *middle, geometry])).tobytes()


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


def _tags(columns: Sequence[Coded]) -> tuple[Integers, list[bytes]]:
    """Return the pairs of key and value (n, 2 c) of each row, and the values of all columns that occur."""
    tags: list[Integers] = []
    values: list[bytes] = []
    for key, (different, codes) in enumerate(columns):
        used, own = np.unique(codes, return_inverse=True)
        tags += [np.full(len(codes), key), own + len(values)]
        values += [_value(different[code]) for code in used.tolist()]
    return np.column_stack(tags), values


def _value(value: str | float) -> bytes:
    if isinstance(value, str):
        return _field(1, value.encode())
    return b"\x28" + _varint(value) if isinstance(value, int) else b"\x19" + struct.pack("<d", value)


def _field(number: int, content: bytes) -> bytes:
    """Return bytes as a field of a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Write one number as `varints` does; for a single one Python is quicker."""
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


def varints(values: Integers) -> npt.NDArray[np.uint8]:
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
