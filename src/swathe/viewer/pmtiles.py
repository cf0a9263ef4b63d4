"""Detections as a PMTiles archive, version 3: a map in one file, which any host of files serves piece by piece.

The header and the root of the directory come first, then the tiles in the order of their numbers, then the rest.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from swathe.atomic import published_file
from swathe.colours import class_colours
from swathe.errors import UsageError
from swathe.store.exports.rows import json_text
from swathe.viewer.boxes import MOST_BOXES, Placed
from swathe.viewer.frames import GroundFrame
from swathe.viewer.mvt import EXTENT, varints

if TYPE_CHECKING:
    from pathlib import Path

    from swathe.detections import Detections
    from swathe.viewer.boxes import Integers
    from swathe.viewer.frames import Floats

START = 16384  # bytes of header and root: what readers fetch first
HEADER = struct.Struct("<7sB11Q6B4iB2i")
ENTRIES = 4096  # of a leaf of the directory
GZIP, VECTOR = 2, 1  # codes of the format
DEEPEST = 18  # zoom
FINEST = 25  # units of a tile across the narrow side of a box, at the deepest zoom


def write_pmtiles(detections: Detections, path: Path, *, overwrite: bool = False) -> None:
    """Write detections as vector tiles: boxes where they are few, counts in cells where they are many.

    Args:
        detections: What to write, of scenes with georeference.
        path: The file.
        overwrite: Whether an existing file may be replaced.

    Raises:
        UsageError: If scenes have no georeference.
        SourceError: If a corner has no longitude and latitude.
        StoreError: If the file exists already or cannot be written.
    """
    if not detections.georeferenced:
        raise UsageError(
            f"{path}: a map needs scenes with a georeference, and these have none; write another format, or look at "
            "them with `swathe serve`"
        )
    placed = Placed.on(GroundFrame(0, 0, 0), detections)
    placed.corners[..., 0] -= np.round(placed.corners[..., 0] - placed.corners[:, :1, 0])  # in one piece across 180
    bounds = _bounds(detections)
    about = {
        "name": path.stem,
        "attribution": "",
        "vector_layers": _layers(),
        "swathe": {
            "classes": detections.per_class(),
            "colours": {
                name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in class_colours(detections.class_names).items()
            },
        },
    }
    with published_file(path, overwrite=overwrite) as stream:
        _write(stream, placed, bounds, json_text(about).encode())


def _bounds(detections: Detections) -> tuple[float, float, float, float]:
    """Return west, south, east, north of the centres; the whole world of none."""
    centres = detections.centres()
    if not len(centres):
        return -180.0, -85.0, 180.0, 85.0
    (west, south), (east, north) = centres.min(axis=0).tolist(), centres.max(axis=0).tolist()
    return west, south, east, north


def _layers() -> list[dict[str, object]]:
    fields = {"run": "String", "scene": "String", "class": "String", "score": "Number"}
    kinds = {"boxes": fields, "points": fields, "cells": {"count": "Number"}}
    return [{"id": name, "fields": kind} for name, kind in kinds.items()]


def _write(stream: BinaryIO, placed: Placed, bounds: tuple[float, float, float, float], about: bytes) -> None:
    deepest, numbers, lengths = _deepest(placed.corners), [], []
    stream.seek(START)
    for number, tile in _tiles(placed, deepest):
        content = gzip.compress(tile, 6, mtime=0)
        stream.write(content)
        numbers.append(number)
        lengths.append(len(content))
    ids, sizes = np.asarray(numbers, dtype=np.int64), np.asarray(lengths, dtype=np.int64)
    root, leaves = _directories(ids, sizes)
    metadata, tiles = gzip.compress(about, mtime=0), int(sizes.sum())
    stream.write(leaves)
    stream.write(metadata)
    places = (HEADER.size, len(root), START + tiles + len(leaves), len(metadata), START + tiles, len(leaves))
    degrees = [round(value * 1e7) for value in bounds]
    middle = [(degrees[0] + degrees[2]) // 2, (degrees[1] + degrees[3]) // 2]
    stream.seek(0)
    kinds = (1, GZIP, GZIP, VECTOR, 0, deepest)  # tiles lie in the order of their numbers
    counts = (len(ids),) * 3
    stream.write(HEADER.pack(b"PMTiles", 3, *places, START, tiles, *counts, *kinds, *degrees, 0, *middle))
    stream.write(root)


def _deepest(corners: Floats) -> int:
    """Return the zoom at which no tile holds too many boxes, and boxes are not distorted by rounding."""
    if not len(corners):
        return 0
    sides = np.linalg.norm(np.diff(corners[:, :3], axis=1), axis=2).min(axis=1)
    fine = FINEST / EXTENT / max(float(np.median(sides)), 1e-12)
    zoom = int(np.clip(np.ceil(np.log2(fine)), 0, DEEPEST))
    middles = corners.mean(axis=1)
    while zoom < DEEPEST and np.unique(np.floor(middles * 2**zoom), axis=0, return_counts=True)[1].max() > MOST_BOXES:
        zoom += 1
    return zoom


def _tiles(placed: Placed, deepest: int) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each tile, by number."""
    for zoom in range(deepest + 1):
        side = 1 << zoom
        rows, places = _touched(placed.corners * side)
        places[:, 1] = np.clip(places[:, 1], 0, side - 1)
        ids = tile_ids(zoom, places[:, 0] % side, places[:, 1])
        order = np.argsort(ids, kind="stable")
        starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
        for group in np.split(order, starts[1:]) if len(order) else []:
            own = placed.take(rows[group])
            # Boxes across 180 degrees reach tiles on the other side, each from its own end.
            tile = Placed(own.corners * side - places[group][:, None], own.numbers, own.codes, own.values)
            # Maps that zoom in further enlarge the deepest tiles.
            yield int(ids[group[0]]), tile.to_boxes(smallest=0.0) if zoom == deepest else tile.to_tile()


def _touched(corners: Floats) -> tuple[Integers, Integers]:
    """Return pairs of a box and the column and row of a tile that its upright hull touches, tiles being of size 1."""
    low, high = (np.floor(edge(axis=1)).astype(np.int64) for edge in (corners.min, corners.max))
    wide, tall = (high - low + 1).T
    rows = np.repeat(np.arange(len(corners)), wide * tall)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(wide * tall) - wide * tall, wide * tall)
    lines, columns = np.divmod(within, wide[rows])
    return rows, low[rows] + np.column_stack([columns, lines])


def tile_ids(zoom: int, columns: Integers, rows: Integers) -> Integers:
    """Number tiles of a zoom along Hilbert's curve, after all tiles of lower zooms.

    Args:
        zoom: Of the tiles.
        columns: Of the tiles (n,).
        rows: Of the tiles (n,).

    Returns:
        Numbers (n,).
    """
    x, y = columns.astype(np.int64), rows.astype(np.int64)
    ids = np.full(len(x), (4**zoom - 1) // 3)
    for bit in reversed(range(zoom)):
        right, below = x >> bit & 1, y >> bit & 1
        ids += (3 * right ^ below) << 2 * bit
        turned = below == 0
        mirrored = np.where(turned & (right == 1), (1 << bit) - 1, 0)
        x, y = x ^ mirrored, y ^ mirrored
        x, y = np.where(turned, y, x), np.where(turned, x, y)
    return ids


def _directories(ids: Integers, sizes: Integers) -> tuple[bytes, bytes]:
    """Return the root of the directory, which fits at the beginning of the file, and its leaves if it needs some."""
    offsets = np.cumsum(sizes) - sizes
    root, step = _directory(ids, sizes, offsets, 1), ENTRIES
    leaves: list[bytes] = []
    while len(root) > START - HEADER.size:
        parts = [slice(first, first + step) for first in range(0, len(ids), step)]
        leaves = [_directory(ids[part], sizes[part], offsets[part], 1) for part in parts]
        lengths = np.asarray([len(leaf) for leaf in leaves])
        root, step = _directory(ids[::step], lengths, np.cumsum(lengths) - lengths, 0), 2 * step
    return root, b"".join(leaves)


def _directory(ids: Integers, sizes: Integers, offsets: Integers, run: int) -> bytes:
    """Write entries that lie one after the other: numbers as steps, and 0 for an offset that follows from the last."""
    steps, follows = np.diff(ids, prepend=0), np.zeros_like(offsets)
    follows[:1] = offsets[:1] + 1
    entries = np.concatenate([[len(ids)], steps, np.full(len(ids), run), sizes, follows])
    return gzip.compress(varints(entries.astype(np.int64)).tobytes(), mtime=0)
