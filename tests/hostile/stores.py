"""Damaged and forged stores: finished ones that are queried, and an unfinished one that is resumed."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

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
        data, what = damaged(path.read_bytes(), bench.chance)
        path.write_bytes(data)
        return f"{name}: {what}"
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


def _queried(bench: Bench) -> Case:
    store = copy_of(bench, bench.samples.store)
    what = damage_one(bench, store)
    # A file that is gone with its index cannot be missed; one that is copied is refused or its rows are there twice.
    gone = what.endswith((": gone", ": twice", ": another's"))
    return bench.query(store, what, Allowed.VALID if gone else Allowed.SAME)


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
    path = bench.chance.choice(sorted((store / "detections").glob("*.parquet")))
    data, what = damaged(path.read_bytes(), bench.chance)
    path.write_bytes(data)
    return bench.query(store, f"{path.name}: {what}", Allowed.SAME, culprit=path.name)


@maker
def single_parquet(bench: Bench) -> Case:
    """A file of detections outside of a store is damaged."""
    path = bench.chance.choice(sorted((bench.samples.store / "detections").glob("*.parquet")))
    data, what = damaged(path.read_bytes(), bench.chance)
    return bench.query(bench.write("found.parquet", data), what, Allowed.VALID, culprit="found.parquet")


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
    words = ("detect", str(bench.samples.scene), "-m", str(bench.samples.model), "-o", str(store), *GRID, "--append")
    return Case(f"append, {what}", (*words, "--min-score", "0.4"))


@maker
def resumed(bench: Bench) -> Case:
    """A run is resumed whose account is damaged: the result must be the same, or nothing."""
    store = copy_of(bench, bench.samples.unfinished)
    what = damage_one(bench, store)
    allowed = Allowed.VALID if what.endswith("twice") else Allowed.SAME
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
    """A part file with a right checksum and a wrong content: pickles, bombs, lies, nonsense."""
    store = copy_of(bench, bench.samples.unfinished)
    path = next(path for path in _files(store) if path.suffix == ".npz")
    what = bench.chance.choice(
        ("pickle", "bomb", "shape", "no zip", "missing", "nan", "classes", "lengths", "types", "names")
    )
    data = _forged_part(bench, what, path.read_bytes()[:-32])
    path.write_bytes(data + hashlib.sha256(data).digest())
    return _resume(bench, store, f"part with {what}", Allowed.SAME)


def _forged_part(bench: Bench, what: str, good: bytes) -> bytes:
    """Return the archive of a part that is not what it should be."""
    if what == "pickle":
        return (
            pickle.dumps({"boxes": 1}) if bench.chance.random() < 0.5 else _npz({"head": np.array([{}], dtype=object)})
        )
    if what == "no zip":
        return bench.chance.randbytes(100)
    with np.load(io.BytesIO(good)) as archive:
        columns = {name: archive[name] for name in archive.files}
    if what == "missing":
        columns.pop(bench.chance.choice(sorted(columns)))
    elif what == "nan":
        columns["boxes"] = np.full_like(columns["boxes"], bench.chance.choice(NUMBERS))
    elif what == "classes":
        columns["classes"] = columns["classes"] + bench.chance.choice((2, -5, 2**40))
    elif what == "lengths":
        columns["scores"] = columns["scores"][:-1]
    elif what == "types":
        columns["windows"] = columns["windows"].astype("U5")
    elif what == "names":
        return _npz({f"../../{name}": column for name, column in columns.items()})
    if what in {"bomb", "shape"}:
        return _bomb(columns, honest=what == "bomb")
    return _npz(columns)


def _npz(columns: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **columns)
    return stream.getvalue()


def _bomb(columns: dict[str, Any], *, honest: bool) -> bytes:
    """Return an archive whose boxes unpack to gigabytes, or whose header says so."""
    stream = io.BytesIO()
    rows = 60_000_000 if honest else 10**13
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, 5), }}".ljust(117) + "\n"
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, column in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                if name != "boxes":
                    np.save(file, column)
                    continue
                file.write(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode())
                for _ in range(rows * 40 >> 24 if honest else 1):
                    file.write(bytes(1 << 24))
    return stream.getvalue()


@forger
def sealed_rows(bench: Bench) -> Case:
    """A file of detections with a right seal and rows that make no sense."""
    return _forged_rows(bench)


@forger
def sealed_rows_again(bench: Bench) -> Case:
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
    path = sorted((store / "detections").glob("*.parquet"))[0]
    _rewrite(path, forge)
    return bench.query(store, f"sealed, {column} {way} {number} {wkb[:6]!r}", Allowed.VALID, "--min-score", "0.01")


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
    """Change the table of a Parquet file, and what its metadata tell of it, and seal it again."""
    import pyarrow.parquet as pq

    from swathe.store.seal import seal_footer

    table = pq.read_table(path, use_threads=False)
    told = {name: tell(value) for name, value in table.schema.metadata.items()}
    pq.write_table(forge(table).replace_schema_metadata(told), path)
    with path.open("r+b") as stream:
        seal_footer(stream)


def rename_class(path: Path, old: str, new: str) -> None:
    """Give a class of a file of detections another name, whatever it is, and seal the file again."""
    import pyarrow as pa

    def forge(table: pa.Table) -> pa.Table:
        place = table.column_names.index("class")
        names = [new if name == old else name for name in table.column(place).to_pylist()]
        return table.set_column(place, table.schema.field(place).with_type(pa.string()), pa.array(names, pa.string()))

    names = [json.dumps(name, ensure_ascii=False).encode() for name in (old, new)]
    _rewrite(path, forge, lambda text: text.replace(*names))


@forger
def sealed_head(bench: Bench) -> Case:
    """A file of detections with a right seal whose description lies."""
    import pyarrow as pa

    def forge(table: pa.Table) -> pa.Table:
        return table

    store = copy_of(bench, bench.samples.store)
    path = sorted((store / "detections").glob("*.parquet"))[0]
    _rewrite(path, forge)
    data = path.read_bytes()
    old, new = bench.chance.choice(
        (
            (b'"schema_version":2', b'"schema_version":9'),
            (b'"width":320', b'"width":-20'),
            (b'"width":320', b'"width":1e9'),
            (b'"classes":["ship"', b'"classes":[12345 '),
            (b'"scenes":[', b'"scenos":['),
            (b'"runs":{', b'"runs":['),
            (b'"transform":[', b'"transform":{'),
            (b'"kind":"detections"', b'"kind":"detectiono"'),
            (b'"counts":[[', b'"counts":[{'),
            (b"0.5", b"NaN"),
        )
    )
    path.write_bytes(data.replace(old, new))
    _reseal(path)
    return bench.query(store, f"sealed, {old.decode()} became {new.decode()}", Allowed.VALID)


def flip_sealed_footer(path: Path, chance: Random) -> str:
    """Flip one to four bits of a Parquet footer and seal it anew; return what was done."""
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    places = [len(data) - 8 - length + chance.randrange(length) for _ in range(chance.choice((1, 1, 2, 4)))]
    for place in places:
        data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(data))
    _reseal(path)
    return f"sealed anew, bits flipped at {places}"


def _reseal(path: Path) -> None:
    """Write a seal that fits the footer as it is now."""
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[-8:-4], "little") + 8
    data[-length - 32 : -length] = hashlib.sha256(data[-length:]).digest()
    path.write_bytes(bytes(data))


@forger
def index(bench: Bench) -> Case:
    """An index that lies about files which bear the seals that it names."""
    store = copy_of(bench, bench.samples.store)
    path = bench.chance.choice(sorted((store / "index").glob("*")) or _files(store))
    old, new = bench.chance.choice(
        (
            ('"rows":', '"rows":9'),
            ('"rows":', '"rows":-'),
            ('"bounds":[', '"bounds":[[],'),
            ('"head":{', '"head":{"a":1,'),
        )
    )
    path.write_text(path.read_text().replace(old, new))
    return bench.query(store, f"index, {old} became {new}", Allowed.SAME)
