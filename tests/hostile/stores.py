"""Damaged and forged stores: finished ones that are queried, and an unfinished one that is resumed."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from hostile.case import GRID, Allowed, Bench, Case, makers_of
from hostile.damage import damaged

MAKERS, maker = makers_of("stores")
FORGED, forger = makers_of("forged stores")
NUMBERS = (float("nan"), float("inf"), -float("inf"), 1e300, -1.0, 1e-320)


def copy_of(bench: Bench, store: Path) -> Path:
    """Copy a store into the case's folder."""
    path = bench.folder / "store"
    shutil.copytree(store, path)
    return path


def _files(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file())


def damage_one(bench: Bench, store: Path) -> str:
    """Damage one file of a store in any way."""
    files = _files(store)
    path = bench.chance.choice(files)
    name = str(path.relative_to(store))
    way = bench.chance.choice(
        ("bytes", "bytes", "bytes", "bytes", "gone", "empty", "folder", "loop", "another's", "twice")
    )
    if way == "bytes":
        return f"{name}: {damage_bytes(path, bench.chance)}"
    if way == "twice":
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    elif way == "another's":
        path.write_bytes(bench.chance.choice(files).read_bytes())
    else:
        path.unlink()
        if way == "folder":
            path.mkdir()
        elif way == "loop":
            path.symlink_to(path.name)
        elif way == "empty":
            path.touch()
    return f"{name}: {way}"


def damage_bytes(path: Path, chance: Random) -> str:
    """Damage a file; of Parquet the pages alone: nothing guards the footer, and Arrow ends the process on some."""
    data = path.read_bytes()
    end = len(data) - 8 - int.from_bytes(data[-8:-4], "little") if path.suffix == ".parquet" else len(data)
    changed, what = damaged(data[:end], chance)
    path.write_bytes(changed + data[end:])
    return what


def _queried(bench: Bench) -> Case:
    store = copy_of(bench, bench.samples.store)
    what = damage_one(bench, store)
    # A log that another text has become may be one of another moment; rows may be those of another file.
    free = "_delta_log" in what or what.endswith(": another's")
    return bench.query(store, what, Allowed.VALID if free else Allowed.SAME)


@maker
def queried(bench: Bench) -> Case:
    """Any file of a store is damaged, then all is queried."""
    return _queried(bench)


@maker
def queried_again(bench: Bench) -> Case:
    """The same; stores have many kinds of files."""
    return _queried(bench)


@maker
def parquet(bench: Bench) -> Case:
    """A file of detections is damaged."""
    store = copy_of(bench, bench.samples.store)
    path = bench.chance.choice(sorted(store.glob("detections/*/*.parquet")))
    what = damage_bytes(path, bench.chance)
    return bench.query(store, f"{path.name}: {what}", Allowed.SAME, culprit=path.name)


@maker
def single_parquet(bench: Bench) -> Case:
    """A file of detections outside of a store is damaged."""
    path = bench.chance.choice(sorted(bench.samples.store.glob("detections/*/*.parquet")))
    copy = bench.write("found.parquet", path.read_bytes())
    return bench.query(copy, damage_bytes(copy, bench.chance), Allowed.VALID, culprit="found.parquet")


@maker
def drawn(bench: Bench) -> Case:
    """A damaged store is drawn."""
    store, output = copy_of(bench, bench.samples.store), bench.folder / "picture.png"
    what = damage_one(bench, store)
    words = ("draw", str(store), "-o", str(output), "--scene", "harbour")
    return Case(f"draw, {what}", words, outputs=(output,))


@maker
def evaluated(bench: Bench) -> Case:
    """A damaged store is evaluated."""
    store = copy_of(bench, bench.samples.finished)
    what = damage_one(bench, store)
    words = ("evaluate", "--truth", str(bench.samples.labels), "--found", str(store))
    return Case(f"evaluate, {what}", words)


@maker
def appended(bench: Bench) -> Case:
    """A run is added to a damaged store."""
    store = copy_of(bench, bench.samples.store)
    what = damage_one(bench, store)
    words = ("detect", str(bench.samples.scene), "-m", str(bench.samples.model), "-o", str(store), *GRID)
    return Case(f"add, {what}", (*words, "--min-score", "0.4"))


@maker
def resumed(bench: Bench) -> Case:
    """A run is resumed whose account is damaged: the result must be the same, or nothing."""
    store = copy_of(bench, bench.samples.unfinished)
    what = damage_one(bench, store)
    allowed = Allowed.VALID if what.endswith(("twice", "another's")) or "_delta_log" in what else Allowed.SAME
    return _resume(bench, store, what, allowed)


def _resume(bench: Bench, store: Path, what: str, allowed: Allowed = Allowed.SAME) -> Case:
    words = ("detect", str(bench.samples.scene), "-m", str(bench.samples.model), "-o", str(store), *GRID)
    return Case(f"resume, {what}", words, allowed, None, (store,), bench.samples.finished)


@maker
def areas(bench: Bench) -> Case:
    """The named areas of a store are damaged or nonsense."""
    store = copy_of(bench, bench.samples.store)
    ring: list[Any] = [[85.0, 27.0], [86.0, 27.0], [86.0, 28.0], [85.0, 27.0]]
    number = bench.chance.choice((1e300, 181, None, "x", float("nan"), [], True, 10**400))
    ring[bench.chance.randrange(4)] = [number, 27.0]
    feature = {"type": "Feature", "properties": {"name": "a"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    text = json.dumps({"type": "FeatureCollection", "features": [feature] * bench.chance.choice((1, 2))})
    text = bench.chance.choice((text, text[: len(text) // 2], "[" * 100_000, "{}", "null", text.replace('"a"', "7")))
    (store / "areas.geojson").write_text(text)
    return bench.query(store, f"areas.geojson: {text[:60]}", Allowed.NOTHING, "--area", "a", culprit="areas.geojson")


@forger
def part_file(bench: Bench) -> Case:
    """A part with a right checksum and a wrong content."""
    store = copy_of(bench, bench.samples.unfinished)
    path = next(path for path in _files(store) if "/part-" in str(path))
    body = bytearray(path.read_bytes()[:-32])
    what = bench.chance.choice(("short", "long", "noise", "empty", "pickle"))
    changed = {
        "short": bytes(body[:-3]),
        "long": bytes(body) + bytes(7),
        "noise": bytes(body[:8]) + bench.chance.randbytes(len(body) - 8),
        "empty": b"",
        "pickle": pickle.dumps({"boxes": 1}),
    }[what]
    path.write_bytes(changed + hashlib.sha256(changed).digest())
    return _resume(bench, store, f"part with {what}", Allowed.SAME if what != "noise" else Allowed.VALID)


@forger
def rows(bench: Bench) -> Case:
    """A file of detections whose rows make no sense."""
    return _forged_rows(bench)


@forger
def rows_again(bench: Bench) -> Case:
    """The same; there are many columns."""
    return _forged_rows(bench)


def _forged_rows(bench: Bench) -> Case:
    import pyarrow as pa

    chance, column = (
        bench.chance,
        bench.chance.choice(("cx", "w", "theta", "score", "geometry", "bbox", "class", "scene", "run")),
    )
    wkb = chance.choice((b"", b"\1", b"\1\3\0\0\0\xff\xff\xff\xff", b"\1\1\0\0\0" + b"\xff" * 16, chance.randbytes(93)))
    number, way = chance.choice(NUMBERS), chance.choice(("value", "null", "type", "gone"))

    def forge(table: pa.Table) -> pa.Table:
        place = table.column_names.index(column) if column in table.column_names else 0
        field, rows = table.schema.field(place), len(table)
        if way == "gone":
            return table.drop_columns([field.name])
        if way == "null":
            array = pa.array([None] * rows, _nullable(field.type))
        elif way == "type":
            array = pa.array(["x"] * rows)
        else:
            array = _filled(field.type, rows, number, wkb)
        return table.set_column(place, field.with_type(array.type).with_nullable(True), array)

    store = copy_of(bench, bench.samples.store)
    path = sorted(store.glob("detections/*/*.parquet"))[0]
    _rewrite(path, forge)
    return bench.query(store, f"{column} {way} {number} {wkb[:6]!r}", Allowed.VALID, "--min-score", "0.01")


def _nullable(kind: Any) -> Any:
    """Return a type that may be null, also within."""
    import pyarrow as pa

    return pa.struct([field.with_nullable(True) for field in kind]) if pa.types.is_struct(kind) else kind


def _filled(kind: Any, rows: int, number: float, wkb: bytes) -> Any:
    """Return a column of one value of a type."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.array([{field.name: number for field in kind}] * rows, kind)
    if pa.types.is_floating(kind):
        return pa.array([number] * rows, kind)
    if pa.types.is_binary(kind):
        return pa.array([wkb] * rows, kind)
    return pa.array(["no\nsuch"] * rows)


def _rewrite(path: Path, forge: Callable[[Any], Any], tell: Callable[[bytes], bytes] = bytes) -> None:
    """Change the table of a Parquet file, and what its metadata tell of it."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, use_threads=False)
    told = {name: tell(value) for name, value in (table.schema.metadata or {}).items()}
    pq.write_table(forge(table).replace_schema_metadata(told), path)


def rename_class(path: Path, old: str, new: str) -> None:
    """Give a class of a file of detections another name, whatever it is."""
    import pyarrow as pa

    def forge(table: pa.Table) -> pa.Table:
        place = table.column_names.index("class")
        names = [new if name == old else name for name in table.column(place).to_pylist()]
        return table.set_column(place, table.schema.field(place).with_type(pa.string()), pa.array(names, pa.string()))

    names = [json.dumps(name, ensure_ascii=False).encode() for name in (old, new)]
    _rewrite(path, forge, lambda text: text.replace(*names))


def rename_class_in_rows(path: Path, old: str, new: str) -> None:
    """Give a class another name in rows of scenes, whatever it is."""
    import pyarrow as pa

    def forge(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        for row in rows:
            for entry in row["per_class"] or ():
                entry["name"] = new if entry["name"] == old else entry["name"]
            names = [new if name == old else name for name in json.loads(row["class_names"] or "[]")]
            row["class_names"] = json.dumps(names)
        return pa.Table.from_pylist(rows, table.schema)

    _rewrite(path, forge)


@forger
def head(bench: Bench) -> Case:
    """A lone file of detections whose description lies."""
    path = bench.chance.choice(sorted(bench.samples.store.glob("detections/*/*.parquet")))
    old, new = bench.chance.choice(
        (
            (b'"schema_version":3', b'"schema_version":9'),
            (b'"width":320', b'"width":-20'),
            (b'"width":320', b'"width":1e9'),
            (b'"classes":["ship"', b'"classes":[12345 '),
            (b'"scenes":[', b'"scenos":['),
            (b'"runs":{', b'"runs":['),
            (b'"transform":[', b'"transform":{'),
            (b'"kind":"detections"', b'"kind":"detectiono"'),
            (b"0.5", b"NaN"),
        )
    )
    copy = bench.write("found.parquet", path.read_bytes())
    _rewrite(copy, lambda table: table, lambda told: told.replace(old, new))
    return bench.query(copy, f"{old.decode()} became {new.decode()}", Allowed.VALID)


@forger
def scene_rows(bench: Bench) -> Case:
    """Rows of scenes that lie."""
    import pyarrow as pa

    store = copy_of(bench, bench.samples.store)
    path = bench.chance.choice(sorted((store / "scenes").glob("*.parquet")))
    column, value = bench.chance.choice(
        (
            ("width", -20),
            ("file", "../../x"),
            ("file", "detections"),
            ("file", "no\nsuch"),
            ("transform", [0.5] * 3),
            ("transform", [float("nan")] * 6),
            ("crs", "nonsense"),
            ("class_names", "{"),
            ("class_names", "[1]"),
            ("about", "["),
            ("state", "?"),
            ("scene", ""),
            ("run", "another"),
            ("per_class", None),
            ("xmin", float("nan")),
        )
    )

    def forge(table: pa.Table) -> pa.Table:
        rows = [{**row, column: value} if row["scene"] or column == "about" else row for row in table.to_pylist()]
        return pa.Table.from_pylist(rows, table.schema)

    _rewrite(path, forge)
    return bench.query(store, f"rows of scenes, {column} is {value!r}", Allowed.VALID)
