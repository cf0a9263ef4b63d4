"""Detections as rows of HBase, and back.

A key is shard, kind of place, place on the Z-order curve, set and number, big-endian, so that keys sort by place. A set
is what one call of `write` has made of one scene; its mark is a hash of run, scene and content. A value is fixed in
size: class, flag, score, box and upright hull, little-endian; an id that is not `run/scene/number` follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

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

GROUND, IMAGE, WIDE = 0, 1, 2  # kinds of places: longitude and latitude; pixels; hulls too wide for a place
EXTENTS = {GROUND: curve.LONLAT, IMAGE: curve.PIXELS}
WIDEST = {GROUND: 0.5, IMAGE: 4096.0}  # of a hull that has a place, in degrees or pixels; few objects are larger
KEY = np.dtype([("shard", "u1"), ("kind", "u1"), ("place", ">u8"), ("set", ">u8"), ("number", ">u4")])
VALUE = np.dtype([("class", "<u2"), ("cut", "u1"), ("score", "<f8"), ("box", "<f8", 5), ("hull", "<f8", 4)])
SLICE = 65_536  # rows whose footprints are in memory at once


@dataclass(frozen=True)
class Encoded:
    """The detections of one scene, ready to be put."""

    mark: int  # of the set
    keys: npt.NDArray[np.void]  # (n,) of KEY
    values: list[bytes]
    bounds: tuple[float, ...] | None  # of all hulls: xmin, ymin, xmax, ymax; None without detections
    reach: tuple[float, float]  # half of the largest width and height of a hull that has a place
    wide: int  # hulls that have none


@dataclass(frozen=True)
class Decoded:
    """Rows that were read."""

    keys: npt.NDArray[np.void]  # (n,) of KEY
    values: npt.NDArray[np.void]  # (n,) of VALUE
    tails: Sequence[bytes] | None  # ids that are not `run/scene/number`; None if there is none

    def take(self, chosen: npt.NDArray[Any]) -> Decoded:
        """Return some rows, by mask or index."""
        tails = None if self.tails is None else np.asarray(self.tails, dtype=object)[chosen].tolist()
        return Decoded(self.keys[chosen], self.values[chosen], tails)


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
    values = np.zeros(count, VALUE)
    values["class"], values["cut"], values["score"] = _class_codes(found), found.cut, found.scores
    values["box"], values["hull"] = found.boxes, hulls
    raw = values.tobytes()
    fixed = [raw[start : start + VALUE.itemsize] for start in range(0, len(raw), VALUE.itemsize)]
    tails = _tails(found, run, scene)
    contents = fixed if tails is None else [value + tail for value, tail in zip(fixed, tails, strict=True)]
    digest = blake2b(seed, digest_size=8)
    digest.update("\0".join(found.class_names).encode())
    for content in contents:
        digest.update(content)
    sizes = hulls[:, 2:] - hulls[:, :2]
    wide = (sizes > WIDEST[kind]).any(axis=1)
    keys = np.zeros(count, KEY)
    keys["number"] = np.arange(count)
    keys["shard"] = keys["number"] % shards
    keys["kind"] = np.where(wide, WIDE, kind)
    centres = 0.5 * (hulls[:, :2] + hulls[:, 2:])
    keys["place"] = np.where(wide, 0, curve.places(centres, EXTENTS[kind]))
    mark = int.from_bytes(digest.digest())
    keys["set"] = mark
    bounds = (*hulls[:, :2].min(axis=0).tolist(), *hulls[:, 2:].max(axis=0).tolist()) if count else None
    reach = (0.5 * sizes[~wide]).max(axis=0, initial=0.0).tolist()
    return Encoded(mark, keys, contents, bounds, (reach[0], reach[1]), int(wide.sum()))


def key_bytes(keys: npt.NDArray[np.void]) -> Iterator[bytes]:
    """Yield keys as HBase has them."""
    raw = keys.tobytes()
    for start in range(0, len(raw), KEY.itemsize):
        yield raw[start : start + KEY.itemsize]


def decode(keys: Sequence[bytes], values: Sequence[bytes]) -> Decoded:
    """Take rows apart.

    Args:
        keys: Their keys (n,).
        values: Their values (n,).

    Returns:
        The rows.

    Raises:
        ValueError: If one is too short.
    """
    joined = b"".join(values)
    plain = len(joined) == len(values) * VALUE.itemsize and {*map(len, values)} <= {VALUE.itemsize}
    fixed = joined if plain else b"".join(value[: VALUE.itemsize] for value in values)
    tails = None if plain else [value[VALUE.itemsize :] for value in values]
    return Decoded(np.frombuffer(b"".join(keys), KEY), np.frombuffer(fixed, VALUE), tails)


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
    codes = lookup[starts[owners] + rows.values["class"]] if len(owners) else np.empty(0, np.int32)
    run, scene = (_coded([key[part] for key in scenes], owners) for part in (0, 1))
    numbers = pa.array(rows.keys["number"].astype(np.int64)).cast(pa.string())
    ids = pc.binary_join_element_wise(run.cast(pa.string()), scene.cast(pa.string()), numbers, "/")
    if rows.tails is not None:
        own = pa.array([tail.decode() or None for tail in rows.tails], pa.string())
        ids = pc.coalesce(own, ids)
    boxes = rows.values["box"]
    columns = [
        ids,
        run,
        scene,
        pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())),
        pa.array(rows.values["score"].astype(np.float64)),
        *(pa.array(boxes[:, number].astype(np.float64)) for number in range(len(BOX_COLUMNS))),
        pa.array(rows.values["cut"].astype(np.bool_)),
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


def _tails(found: Detections, run: str, scene: str) -> list[bytes] | None:
    """Return the ids that do not follow from run, scene and number; None if all do."""
    expected = pc.binary_join_element_wise(run, scene, pa.array(np.arange(len(found))).cast(pa.string()), "/")
    ids = found.table.column("id").combine_chunks()
    if ids.equals(expected):
        return None
    return [
        b"" if own == rule else own.encode() for own, rule in zip(ids.to_pylist(), expected.to_pylist(), strict=True)
    ]
