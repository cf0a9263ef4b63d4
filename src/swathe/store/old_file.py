"""Reading a GeoParquet file of detections: the row groups that a query may touch, then the rows that match."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from swathe.detections import NAME_TYPE, SCHEMA, Detections
from swathe.errors import StoreError, UsageError
from swathe.store.schema import BOUNDS, FILE_SCHEMA, MEASURES, NAME_COLUMNS, FileHead
from swathe.store.seal import check_footer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from swathe.query import Query

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


class DetectionsFile:
    """An open GeoParquet file of detections; its head is read and checked at once, rows when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Args:
            path: The file.

        Raises:
            StoreError: If it is missing, damaged, or none of ours.
        """
        self.path = path
        with self._blaming_the_file():
            if not stat.S_ISREG(path.stat().st_mode):
                raise StoreError(f"{path} is no file that can be read; name a store or a Parquet file")
            source = pa.OSFile(os.fspath(path))  # opened once: by name there may be another one a moment later
            self.seal = check_footer(source, path)
            self._file = pq.ParquetFile(source, read_dictionary=list(NAME_COLUMNS), page_checksum_verification=True)
            schema = self._file.schema_arrow
        self.head = FileHead.from_metadata(schema.metadata, path)
        missing = [name for name in FILE_SCHEMA.names if name not in schema.names]
        if missing:
            raise StoreError(f"{path} has no column {missing[0]!r}; restore the file, or detect again")
        wrong = [field.name for field in FILE_SCHEMA if _is_wrong(schema.field(field.name), field)]
        if wrong:
            raise StoreError(f"{path}: its column {wrong[0]!r} holds no numbers; restore the file, or detect again")
        parquet = self._file.metadata.schema
        self._leaves = {parquet.column(number).path: number for number in range(len(parquet))}

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._file.metadata.num_rows)

    def hulls(self) -> FloatArray:
        """Read the rectangles around the geometries of each row group, as its statistics have them.

        Returns:
            Rectangles (g, 4) as xmin, ymin, xmax, ymax in geometry coordinates.

        Raises:
            StoreError: If the file is damaged.
        """
        with self._blaming_the_file():
            lowest = [self._extremes(f"bbox.{name}")[:, 0] for name in BOUNDS[:2]]
            highest = [self._extremes(f"bbox.{name}")[:, 1] for name in BOUNDS[2:]]
        return np.stack([*lowest, *highest], axis=1)

    def highest_scores(self) -> FloatArray:
        """Read the highest score of each row group.

        Returns:
            Scores (g,); infinite where the statistics do not tell.

        Raises:
            StoreError: If the file is damaged.
        """
        with self._blaming_the_file():
            return self._extremes("score")[:, 1]

    def class_scores(self) -> dict[str, float]:
        """Read the highest score of each class that has rows.

        Returns:
            Class name -> score, by name.

        Raises:
            StoreError: If the file is damaged.
        """
        table = self._read(list(range(self._file.metadata.num_row_groups)), ["class", "score"])
        names, scores = _named(table.column("class")).combine_chunks(), table.column("score").to_numpy()
        highest = np.full(len(names.dictionary), -np.inf)
        np.maximum.at(highest, names.indices.to_numpy(), scores)
        found = zip(names.dictionary.to_pylist(), highest.tolist(), strict=True)
        return {name: score for name, score in sorted(found) if score > -np.inf}

    def scan(self, query: Query) -> Detections:
        """Return the matches of a query, in no particular order and without regard to its limit.

        Args:
            query: What to look for.

        Returns:
            The matches.

        Raises:
            StoreError: If the file is damaged.
        """
        groups = self._row_groups(query)
        owners, places = self._rows(groups)
        near = self._first_mask(query, groups)
        groups = np.unique(owners[near]).tolist()
        if not groups:
            return self._detections(SCHEMA.empty_table())
        measured, regional = MEASURES if query.measured else (), ("bbox",) if query.regions else ()
        table = self._read(groups, [*SCHEMA.names, *measured, *regional])
        table = table.filter(pa.array(near[np.isin(owners, groups)]))
        found = self._detections(table.select(SCHEMA.names))
        passed = query.column_mask(found, _columns(table, MEASURES) if measured else None)
        if regional:
            owners, places = owners[near], places[near]
            doubtful = np.flatnonzero(passed & ~query.sure_mask(_hulls(table)))
            passed[doubtful] = query.touch_mask(self._footprints(owners[doubtful], places[doubtful]))
        return found.take(passed)

    def _rows(self, groups: list[int]) -> tuple[IndexArray, IndexArray]:
        """Return for each row of row groups the group and the place in it."""
        sizes = [self._file.metadata.row_group(group).num_rows for group in groups]
        places = np.concatenate([np.arange(0), *map(np.arange, sizes)])
        return np.repeat(np.asarray(groups, dtype=np.int64), sizes), places

    def _first_mask(self, query: Query, groups: list[int]) -> npt.NDArray[np.bool_]:
        """Tell which rows may match by what is quick to read: many row groups need not be read any further."""
        masks: dict[str, Callable[[pa.Table], npt.NDArray[np.bool_]]] = {}
        if query.regions:
            masks["bbox"] = lambda table: query.hull_mask(_hulls(table))
        if query.min_score is not None:
            masks["score"] = lambda table: table.column("score").to_numpy() >= query.min_score
        for name, wanted in (("class", query.classes), ("scene", query.scenes)):
            if wanted is not None:
                masks[name] = partial(_bears, column=name, names=wanted)
        passed = np.ones(sum(self._file.metadata.row_group(group).num_rows for group in groups), dtype=np.bool_)
        if masks:
            table = self._read(groups, list(masks))
            for mask in masks.values():
                passed &= mask(table)
        return passed

    def _footprints(self, owners: IndexArray, places: IndexArray) -> npt.NDArray[np.object_]:
        """Read geometries: of which row group, and which row in it."""
        import shapely

        footprints = np.empty(len(owners), dtype=np.object_)
        for group in np.unique(owners).tolist():
            own = owners == group
            binary = self._read([group], ["geometry"]).column("geometry").take(pa.array(places[own]))
            with self._blaming_the_file():
                footprints[own] = shapely.from_wkb(binary.to_numpy())
        return footprints

    def _read(self, groups: list[int], names: list[str]) -> pa.Table:
        """Read columns of row groups."""
        with self._blaming_the_file():
            return self._file.read_row_groups(groups, columns=names)

    def _detections(self, table: pa.Table) -> Detections:
        """Make detections of rows as they are stored."""
        with self._blaming_the_file():
            columns = [
                _named(column) if column_type == NAME_TYPE else column.cast(column_type)
                for column, column_type in zip(table.columns, SCHEMA.types, strict=True)
            ]
            return Detections(pa.table(columns, schema=SCHEMA), self.head.scenes, self.head.class_names, self.head.runs)

    def _row_groups(self, query: Query) -> list[int]:
        """Return the row groups whose statistics allow a match."""
        if not self.head.may_match(query):
            return []
        passed = np.ones(self._file.metadata.num_row_groups, dtype=np.bool_)
        if query.regions:
            passed &= query.hull_mask(self.hulls())
        if query.min_score is not None:
            passed &= self.highest_scores() >= query.min_score
        return [int(number) for number in np.flatnonzero(passed)]

    def _extremes(self, leaf: str) -> FloatArray:
        """Return the smallest and largest value of a column in each row group (g, 2); unknown ones are infinite."""
        extremes = np.empty((self._file.metadata.num_row_groups, 2))
        for number in range(len(extremes)):
            statistics = self._file.metadata.row_group(number).column(self._leaves[leaf]).statistics
            known = statistics is not None and statistics.has_min_max
            extremes[number] = (statistics.min, statistics.max) if known else (-np.inf, np.inf)
        return extremes

    @contextmanager
    def _blaming_the_file(self) -> Iterator[None]:
        """Turn what goes wrong while the file is read into an error that names it."""
        import shapely

        # A name that is no UTF-8 passes Arrow, and fails where Python reads it.
        broken = (OSError, pa.ArrowException, shapely.errors.ShapelyError, UsageError, KeyError, UnicodeDecodeError)
        try:
            yield
        except FileNotFoundError as error:
            raise StoreError(f"{self.path} does not exist; check the name") from error
        except broken as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(
                f"{self.path} cannot be read ({reason}); restore it, or delete it and detect again"
            ) from error


def _is_wrong(field: pa.Field, wanted: pa.Field) -> bool:
    """Tell whether a column that must hold fractions, alone or in a structure, holds something else."""
    if pa.types.is_struct(wanted.type):
        known = {part.name: part for part in field.type} if pa.types.is_struct(field.type) else {}
        return any(part.name not in known or _is_wrong(known[part.name], part) for part in wanted.type)
    return bool(pa.types.is_floating(wanted.type)) and not pa.types.is_floating(field.type)


def _hulls(table: pa.Table) -> FloatArray:
    """Return the column `bbox` as rectangles (n, 4)."""
    bbox = table.column("bbox").combine_chunks()
    return np.stack([pc.struct_field(bbox, name).to_numpy(zero_copy_only=False) for name in BOUNDS], axis=1)


def _bears(table: pa.Table, column: str, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Tell which rows bear one of some names in a column, by looking at each name once."""
    chunks = _named(table.column(column)).chunks
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
