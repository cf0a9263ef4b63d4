"""Reading a GeoParquet file of detections: the row groups that a query may touch, then the rows that match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from swathe.detections import NAME_TYPE, SCHEMA, Detections
from swathe.detections.table import pair_codes
from swathe.errors import StoreError, UsageError
from swathe.query.regions import hulls_touch
from swathe.store.schema import BOUNDS, FILE_SCHEMA, MEASURES, NAME_COLUMNS, SWATHE_KEY, FileHead

if TYPE_CHECKING:
    from pathlib import Path

    from swathe.query import Query
    from swathe.query.values import Bounds

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class DetectionsFile:
    """An open GeoParquet file of detections; its head is read and checked at once, rows when they are asked for."""

    def __init__(self, source: BinaryIO, name: str, head: FileHead | None = None) -> None:
        """Read the head of a file.

        Args:
            source: The file.
            name: Its name, for messages.
            head: What is known of its scenes and classes; what the file itself says if not given.

        Raises:
            StoreError: If it is damaged, or does not hold detections.
        """
        self.name = name
        # A thread of Arrow that holds a file of Python's when the interpreter ends brings the process down with it.
        path = getattr(source, "name", None)
        self._threads = isinstance(path, str)
        with self._reading():
            if self._threads:
                source.close()
                source = pa.OSFile(path)
            try:
                self._file = pq.ParquetFile(source, read_dictionary=list(NAME_COLUMNS), page_checksum_verification=True)
            except KeyError:  # of a column of names, which is told below
                self._file = pq.ParquetFile(source)
            schema = self._file.schema_arrow
        missing = [field.name for field in SCHEMA if _is_wrong(schema, field)]
        if missing:
            raise StoreError(
                f"{name} does not hold detections: its column {missing[0]!r} is missing or of another kind; name "
                "another file, or restore it"
            )
        parquet = self._file.metadata.schema
        self._leaves = {parquet.column(number).path: number for number in range(len(parquet))}
        self._is_whole = not any(_is_wrong(schema, field) for field in FILE_SCHEMA)
        known = SWATHE_KEY in (schema.metadata or {})
        self.head = head or (FileHead.from_metadata(schema.metadata, name) if known else self._guessed())

    @classmethod
    def open(cls, path: Path) -> DetectionsFile:
        """Open a file on a disk.

        Args:
            path: The file.

        Returns:
            The open file.

        Raises:
            StoreError: If it is missing, damaged, or does not hold detections.
        """
        try:
            if path.exists() and not path.is_file():
                raise StoreError(f"{path} is not a file that can be read; name a store or a Parquet file")
            return cls(path.open("rb"), str(path))
        except FileNotFoundError as error:
            raise StoreError(f"{path} does not exist; check the name") from error
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}); check its rights") from error

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._file.metadata.num_rows)

    def hulls(self) -> FloatArray:
        """Return the rectangles around the geometries of each row group (g, 4), as its statistics have them."""
        with self._reading():
            lowest = [self._extremes(f"bbox.{name}")[:, 0] for name in BOUNDS[:2]]
            highest = [self._extremes(f"bbox.{name}")[:, 1] for name in BOUNDS[2:]]
        return np.stack([*lowest, *highest], axis=1)

    def scan(self, query: Query) -> Detections:
        """Return the matches of a query, in no particular order and without regard to its limit.

        Args:
            query: What to look for.

        Returns:
            The matches.

        Raises:
            StoreError: If the file is damaged.
        """
        return self._detections(self.matches(query, SCHEMA.names))

    def count(self, query: Query) -> dict[str, int]:
        """Count the matches of a query without regard to its limit.

        Args:
            query: What to look for.

        Returns:
            Matches by class name.

        Raises:
            StoreError: If the file is damaged.
        """
        names = _named(self.matches(query, ["class"]).column("class")).combine_chunks()
        counts = np.bincount(names.indices.to_numpy(), minlength=len(names.dictionary)).tolist()
        return {name: count for name, count in zip(names.dictionary.to_pylist(), counts, strict=True) if count}

    def match_hulls(self, query: Query, near: Bounds) -> FloatArray:
        """Return the upright hulls of the matches of a query, without regard to its limit.

        Args:
            query: What to look for.
            near: Those that lie outside of this rectangle, in geometry coordinates, may be left out.

        Returns:
            Rectangles (n, 4) as xmin, ymin, xmax, ymax in geometry coordinates.

        Raises:
            StoreError: If the file is damaged.
        """
        if self._is_whole:
            return _hulls(self.matches(query, ["bbox"], near))
        import shapely

        return np.asarray(shapely.bounds(self.scan(query).footprints())).reshape(-1, 4)

    def matches(self, query: Query, columns: Sequence[str], near: Bounds | None = None) -> pa.Table:
        """Return columns of the rows that match a query, in no particular order and without regard to its limit.

        Args:
            query: What to look for.
            columns: Names of columns.
            near: What lies outside of this rectangle, in geometry coordinates, may be left out.

        Returns:
            Table of these columns.

        Raises:
            StoreError: If the file is damaged.
        """
        if not self._is_whole and (query.regions or query.measured):
            with self._reading():
                return query.select(self._detections(self._read(self._all_groups, SCHEMA.names))).table.select(columns)
        groups = self._row_groups(query, near)
        owners, places = self._rows(groups)
        passing, table = self._first_mask(query, groups)
        measured = MEASURES if query.measured else ()
        regional = ("bbox", *(SCHEMA.names if query.within else ())) if query.regions else ()
        needed = list(dict.fromkeys([*columns, *measured, *regional]))
        if set(needed) <= set(table.column_names):
            table = table.filter(pa.array(passing))
        else:
            groups = np.unique(owners[passing]).tolist()
            table = self._read(groups, needed).filter(pa.array(passing[np.isin(owners, groups)]))
        passed = np.ones(len(table), dtype=np.bool_)
        if measured:
            passed &= query.measure_mask(_columns(table, MEASURES))
        if regional:
            owners, places = owners[passing], places[passing]
            doubtful = np.flatnonzero(passed & ~query.sure_mask(_hulls(table)))
            if query.within:
                passed[doubtful] = query.place_mask(self._detections(table.select(SCHEMA.names).take(doubtful)))
            else:
                passed[doubtful] = query.touch_mask(self._footprints(owners[doubtful], places[doubtful]))
        return table.select(columns) if passed.all() else table.select(columns).filter(pa.array(passed))

    @cached_property
    def _all_groups(self) -> list[int]:
        return list(range(self._file.metadata.num_row_groups))

    def _rows(self, groups: list[int]) -> tuple[IndexArray, IndexArray]:
        """Return for each row of row groups the group and the place in it."""
        sizes = [self._file.metadata.row_group(group).num_rows for group in groups]
        places = np.concatenate([np.arange(0), *map(np.arange, sizes)])
        return np.repeat(np.asarray(groups, dtype=np.int64), sizes), places

    def _first_mask(self, query: Query, groups: list[int]) -> tuple[Mask, pa.Table]:
        """Tell which rows may match by what is quick to read, and return it: many row groups need no more reading."""
        masks: dict[tuple[str, ...], Callable[[pa.Table], Mask]] = {}
        if query.regions:
            masks["bbox",] = lambda table: query.hull_mask(_hulls(table))
        if query.min_score is not None:
            masks["score",] = lambda table: table.column("score").to_numpy() >= query.min_score
        if query.classes is not None:
            masks["class",] = partial(_bears, names=query.classes)
        if not all(self._admitted(query).values()):
            masks["run", "scene"] = partial(self._is_admitted, query)
        passed = np.ones(sum(self._file.metadata.row_group(group).num_rows for group in groups), dtype=np.bool_)
        table = self._read(groups, [name for names in masks for name in names]) if masks else pa.table({})
        for mask in masks.values():
            passed &= mask(table)
        return passed, table

    def _admitted(self, query: Query) -> dict[tuple[str, str], bool]:
        """Tell of each scene, by run and id, whether it can hold a match."""
        runs = query.runs
        return {
            key: (runs is None or key[0] in runs) and query.admits(scene) for key, scene in self.head.scenes.items()
        }

    def _is_admitted(self, query: Query, table: pa.Table) -> Mask:
        """Tell which rows lie in a scene that can hold a match."""
        keys, codes = pair_codes(_named(table.column("run")), _named(table.column("scene")))
        admitted = self._admitted(query)
        return np.asarray([admitted.get(key, False) for key in keys], dtype=np.bool_)[codes]

    def _footprints(self, owners: IndexArray, places: IndexArray) -> npt.NDArray[np.object_]:
        """Read geometries: of which row group, and which row in it."""
        import shapely

        footprints = np.empty(len(owners), dtype=np.object_)
        for group in np.unique(owners).tolist():
            own = owners == group
            binary = self._read([group], ["geometry"]).column("geometry").take(pa.array(places[own]))
            with self._reading():
                footprints[own] = shapely.from_wkb(binary.to_numpy())
        return footprints

    def _read(self, groups: list[int], names: Sequence[str]) -> pa.Table:
        """Read columns of row groups."""
        with self._reading():
            return self._file.read_row_groups(groups, columns=list(names), use_threads=self._threads)

    def _detections(self, table: pa.Table) -> Detections:
        """Make detections of rows as they are stored."""
        with self._reading():
            columns = [
                _named(column) if column_type == NAME_TYPE else column.cast(column_type)
                for column, column_type in zip(table.columns, SCHEMA.types, strict=True)
            ]
            return Detections(pa.table(columns, schema=SCHEMA), self.head.scenes, self.head.class_names, self.head.runs)

    def _row_groups(self, query: Query, near: Bounds | None) -> list[int]:
        """Return the row groups whose statistics allow a match."""
        unknown = query.classes is not None and set(query.classes).isdisjoint(self.head.class_names)
        if unknown or not any(self._admitted(query).values()):
            return []
        passed = np.ones(self._file.metadata.num_row_groups, dtype=np.bool_)
        if query.regions:
            passed &= query.hull_mask(self.hulls())
        if near is not None:
            passed &= hulls_touch(self.hulls(), np.array([near]))
        if query.min_score is not None:
            with self._reading():
                passed &= self._extremes("score")[:, 1] >= query.min_score
        return [int(number) for number in np.flatnonzero(passed)]

    def _extremes(self, leaf: str) -> FloatArray:
        """Return the smallest and largest value of a column in each row group (g, 2); unknown ones are infinite."""
        extremes = np.empty((self._file.metadata.num_row_groups, 2))
        for number in range(len(extremes)):
            statistics = self._file.metadata.row_group(number).column(self._leaves[leaf]).statistics
            known = statistics is not None and statistics.has_min_max
            extremes[number] = (statistics.min, statistics.max) if known else (-np.inf, np.inf)
        return extremes

    def _guessed(self) -> FileHead:
        """Describe the scenes of a file that another program has written anew, by what its columns say."""
        table = self._read(self._all_groups, ["run", "scene", "class", "cx", "cy", "w", "h"])
        with self._reading():
            return FileHead.guessed(
                _named(table.column("run")),
                _named(table.column("scene")),
                _named(table.column("class")),
                _columns(table, ("cx", "cy", "w", "h")),
                self.name,
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what goes wrong while the file is read into an error that names it."""
        import shapely

        # A name that is not UTF-8 passes Arrow, and fails where Python reads it.
        broken = (OSError, pa.ArrowException, shapely.errors.ShapelyError, UsageError, KeyError, UnicodeDecodeError)
        try:
            yield
        except broken as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(
                f"{self.name} cannot be read ({reason}); restore it, or remove it and detect again"
            ) from error


def _is_wrong(schema: pa.Schema, wanted: pa.Field) -> bool:
    """Tell whether a column is missing, or holds something else than it must."""
    if wanted.name not in schema.names:
        return True
    kind, needed = schema.field(wanted.name).type, wanted.type
    if pa.types.is_struct(needed):
        return not pa.types.is_struct(kind) or any(_is_wrong(pa.schema(kind.fields), part) for part in needed.fields)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_floating(needed):
        return not pa.types.is_floating(kind)
    if pa.types.is_binary(needed):
        return not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    if pa.types.is_string(needed) or needed == NAME_TYPE:
        return not (pa.types.is_string(kind) or pa.types.is_large_string(kind))
    return bool(pa.types.is_boolean(needed)) and not pa.types.is_boolean(kind)


def _hulls(table: pa.Table) -> FloatArray:
    """Return the column `bbox` as rectangles (n, 4)."""
    bbox = table.column("bbox").combine_chunks()
    # Laid out by columns, as they are compared: by rows, a million take longer to rearrange than to read.
    return np.stack([pc.struct_field(bbox, name).to_numpy(zero_copy_only=False) for name in BOUNDS]).T


def _bears(table: pa.Table, names: tuple[str, ...]) -> Mask:
    """Tell which rows bear one of some class names, by looking at each name once."""
    chunks = _named(table.column("class")).chunks
    wanted = [pc.is_in(chunk.dictionary, pa.array(names, pa.string())) for chunk in chunks]
    parts = [np.asarray(mask)[chunk.indices.to_numpy()] for mask, chunk in zip(wanted, chunks, strict=True)]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *parts])


def _columns(table: pa.Table, names: tuple[str, ...]) -> FloatArray:
    """Return columns of numbers (n, k), NaN for null."""
    return np.stack([table.column(name).to_numpy() for name in names], axis=1)


def _named(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of names with one dictionary; files of others may hold plain text."""
    if column.type != NAME_TYPE:
        column = column.cast(pa.string()).dictionary_encode()
    return column.unify_dictionaries()
