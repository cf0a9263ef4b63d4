"""Detections as rows of HBase, and back.

A row holds the detections of one set in one cell of the Z-order curve: HBase does the same work for a row, whether it
has 100 bytes or 20,000. A set is what one call of `write` has made of one scene; its mark is a hash of run, scene and
content. Keys are shard, kind of place, first place of the cell, set and part of the cell, big-endian, so that they sort
by place. Columns are arrays of records of a fixed size, little-endian: `p` where and what, `b` the box; `i` holds ids
that are not `run/scene/number`, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from swathe.detections.table import BOX_COLUMNS, SCHEMA
from swathe.store.hbase import curve

if TYPE_CHECKING:
    from swathe.detections import Detections

FloatArray: TypeAlias = npt.NDArray[np.float64]
Strings: TypeAlias = list[str]
Row: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]  # key, values by column

GROUND, IMAGE, WIDE = 0, 1, 2  # kinds of places: longitude and latitude; pixels; hulls too wide for a place
EXTENTS = {GROUND: curve.LONLAT, IMAGE: curve.PIXELS}
WIDEST = {GROUND: 0.5, IMAGE: 4096.0}  # of a hull that has a place, in degrees or pixels; few objects are larger
KEY = np.dtype([("shard", "u1"), ("kind", "u1"), ("place", ">u8"), ("set", ">u8"), ("part", ">u4")])
PLACED = np.dtype([("class", "<u2"), ("score", "<f8"), ("hull", "<f8", 4)])
BOXED = np.dtype([("number", "<u4"), ("cut", "u1"), ("box", "<f8", 5)])
FAMILY = b"d"
PLACES, BOXES, IDS = b"p", b"b", b"i"  # columns
LEAST_ROWS = 128  # detections that a cell of a set holds on average at least
MOST_ROWS = 1024  # detections of a row; a cell with more has several
SLICE = 65_536  # rows whose footprints are in memory at once


@dataclass(frozen=True)
class Encoded:
    """The detections of one scene, ready to be put."""

    mark: int  # of the set
    rows: Sequence[Row]  # by key
    level: int  # cells are 4**level places
    bounds: tuple[float, ...] | None  # of all hulls: xmin, ymin, xmax, ymax; None without detections
    reach: tuple[float, float]  # half of the largest width and height of a hull that has a place
    wide: int  # hulls that have none


@dataclass(frozen=True)
class Decoded:
    """Detections that were read."""

    sets: npt.NDArray[np.uint64]  # (n,) marks
    placed: npt.NDArray[np.void]  # (n,) of PLACED
    boxed: npt.NDArray[np.void]  # (n,) of BOXED; (0,) if boxes were not asked for
    ids: Sequence[str | None] | None  # (n,), None for `run/scene/number`; None if there is no other

    def take(self, chosen: npt.NDArray[Any]) -> Decoded:
        """Return some of them, by mask or index."""
        ids = None if self.ids is None else np.asarray(self.ids, dtype=object)[chosen].tolist()
        boxed = self.boxed[chosen] if len(self.boxed) else self.boxed
        return Decoded(self.sets[chosen], self.placed[chosen], boxed, ids)


def hulls_of(detections: Detections) -> FloatArray:
    """Return the upright hulls (n, 4) of the footprints, xmin, ymin, xmax, ymax in geometry coordinates."""
    import shapely

    hulls = np.empty((len(detections), 4))
    for start in range(0, len(detections), SLICE):
        rows = np.arange(start, min(start + SLICE, len(detections)))
        hulls[rows] = shapely.bounds(detections.take(rows).footprints()).reshape(-1, 4)
    return hulls


def encode(found: Detections, run: str, scene: str, seed: bytes, shards: int) -> Encoded:
    """Make rows of the detections of one scene.

    Args:
        found: The detections.
        run: Their run.
        scene: Their scene.
        seed: What sets apart this writing of the scene from earlier ones.
        shards: How many parts the table has.

    Returns:
        The rows; equal detections give equal ones in whatever order they come.
    """
    found = found.take(found.canonical_order())
    count, kind = len(found), GROUND if found.georeferenced else IMAGE
    hulls = hulls_of(found)
    placed, boxed = np.zeros(count, PLACED), np.zeros(count, BOXED)
    placed["class"], placed["score"], placed["hull"] = _class_codes(found), found.scores, hulls
    boxed["number"], boxed["cut"], boxed["box"] = np.arange(count), found.cut, found.boxes
    ids = _ids(found, run, scene)
    digest = blake2b(seed, digest_size=8)
    for content in ("\0".join(found.class_names).encode(), placed.tobytes(), boxed.tobytes(), msgspec.json.encode(ids)):
        digest.update(content)
    mark = int.from_bytes(digest.digest())
    sizes = hulls[:, 2:] - hulls[:, :2]
    wide = (sizes > WIDEST[kind]).any(axis=1)
    centres = 0.5 * (hulls[:, :2] + hulls[:, 2:])
    kinds = np.where(wide, WIDE, kind)
    level, cells = _cells(np.where(wide, np.uint64(0), curve.places(centres, EXTENTS[kind])), kinds)
    rows = list[Row]()
    for number, (part, chosen) in enumerate(_parts(kinds, cells)):
        key = np.array([(number % shards, kinds[chosen[0]], cells[chosen[0]], mark, part)], KEY)
        columns = {PLACES: placed[chosen].tobytes(), BOXES: boxed[chosen].tobytes()}
        if ids is not None:
            columns[IDS] = msgspec.json.encode([ids[index] for index in chosen.tolist()])
        rows.append((key.tobytes(), columns))
    bounds = (*hulls[:, :2].min(axis=0).tolist(), *hulls[:, 2:].max(axis=0).tolist()) if count else None
    reach = (0.5 * sizes[~wide]).max(axis=0, initial=0.0).tolist()
    return Encoded(mark, sorted(rows), level, bounds, (reach[0], reach[1]), int(wide.sum()))


def _cells(places: npt.NDArray[np.uint64], kinds: npt.NDArray[np.int64]) -> tuple[int, npt.NDArray[np.uint64]]:
    """Return the smallest size of cells that hold enough, and the first place (n,) of the cell of each place."""
    most = max(1, int(np.count_nonzero(kinds != WIDE)) // LEAST_ROWS)
    for level in range(curve.BITS + 1):
        cells = curve.first_places(places, level)
        if len(np.unique(cells[kinds != WIDE])) <= most:
            break
    return level, cells


def _parts(kinds: npt.NDArray[np.int64], cells: npt.NDArray[np.uint64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield what one row holds: the part of its cell, and indexes in ascending order."""
    order = np.lexsort((cells, kinds))
    ends = (np.diff(cells[order]) != 0) | (np.diff(kinds[order]) != 0)
    for cell in np.split(order, np.flatnonzero(ends) + 1):
        for part, start in enumerate(range(0, len(cell), MOST_ROWS)):
            yield part, cell[start : start + MOST_ROWS]


def decode(rows: Sequence[Row]) -> Decoded:
    """Take rows apart.

    Args:
        rows: Keys and columns; those of boxes and ids may be left out in all.

    Returns:
        The detections.

    Raises:
        ValueError: If columns do not belong together.
        KeyError: If there is no column of places.
    """
    placed = np.frombuffer(b"".join(columns[PLACES] for _, columns in rows), PLACED)
    boxed = np.frombuffer(b"".join(columns.get(BOXES, b"") for _, columns in rows), BOXED)
    counts = [len(columns[PLACES]) // PLACED.itemsize for _, columns in rows]
    marks = np.frombuffer(b"".join(key for key, _ in rows), KEY)["set"].astype(np.uint64)
    ids: list[str | None] | None = None
    if any(IDS in columns for _, columns in rows):
        own = (columns.get(IDS) for _, columns in rows)
        parts = (
            [None] * count if part is None else msgspec.json.decode(part)
            for part, count in zip(own, counts, strict=True)
        )
        ids = [one for part in parts for one in part]
    if len(boxed) not in (0, len(placed)) or (ids is not None and len(ids) != len(placed)):
        raise ValueError("columns of different lengths")
    return Decoded(np.repeat(marks, counts), placed, boxed, ids)


def table_of(
    rows: Decoded, owners: npt.NDArray[np.int64], scenes: Sequence[tuple[str, str]], classes: Sequence[Strings]
) -> tuple[pa.Table, tuple[str, ...]]:
    """Make the table of detections.

    Args:
        rows: What was read.
        owners: For each row (n,) the place of its scene.
        scenes: Run and id of the scenes.
        classes: Names of the classes of each scene, which the rows number.

    Returns:
        A table of `SCHEMA`, and all class names.
    """
    names = tuple(dict.fromkeys(name for own in classes for name in own))
    places = {name: number for number, name in enumerate(names)}
    lookup = np.array([places[name] for own in classes for name in own], dtype=np.int32)
    starts = np.cumsum([0, *map(len, classes)])[:-1]
    codes = lookup[starts[owners] + rows.placed["class"]] if len(owners) else np.empty(0, np.int32)
    run, scene = (_coded([key[part] for key in scenes], owners) for part in (0, 1))
    numbers = pa.array(rows.boxed["number"].astype(np.int64)).cast(pa.string())
    ids = pc.binary_join_element_wise(run.cast(pa.string()), scene.cast(pa.string()), numbers, "/")
    if rows.ids is not None:
        ids = pc.coalesce(pa.array(rows.ids, pa.string()), ids)
    boxes = rows.boxed["box"]
    columns = [
        ids,
        run,
        scene,
        pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())),
        pa.array(rows.placed["score"].astype(np.float64)),
        *(pa.array(boxes[:, number].astype(np.float64)) for number in range(len(BOX_COLUMNS))),
        pa.array(rows.boxed["cut"].astype(np.bool_)),
    ]
    return pa.table(columns, schema=SCHEMA), names


def _coded(names: Strings, codes: npt.NDArray[np.int64]) -> pa.DictionaryArray:
    """Return a dictionary column of names that may come more than once."""
    once = list(dict.fromkeys(names))
    places = np.array([once.index(name) for name in names], dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(places[codes].astype(np.int32)), pa.array(once, pa.string()))


def _class_codes(found: Detections) -> npt.NDArray[np.int64]:
    """Return for each row (n,) the number of its class among `class_names`."""
    column = found.table.column("class").combine_chunks()
    places = {name: number for number, name in enumerate(found.class_names)}
    lookup = np.array([places.get(name, 0) for name in column.dictionary.to_pylist()], dtype=np.int64)
    return lookup[column.indices.to_numpy()] if len(column) else np.empty(0, np.int64)


def _ids(found: Detections, run: str, scene: str) -> list[str | None] | None:
    """Return the ids that do not follow from run, scene and number, None for those that do; None if all do."""
    expected = pc.binary_join_element_wise(run, scene, pa.array(np.arange(len(found))).cast(pa.string()), "/")
    ids = found.table.column("id").combine_chunks()
    if ids.equals(expected):
        return None
    both = zip(ids.to_pylist(), expected.to_pylist(), strict=True)
    return [None if own == rule else own for own, rule in both]
