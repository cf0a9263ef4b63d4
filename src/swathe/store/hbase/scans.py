"""Answers to queries from HBase: which ranges of keys are read, by what is known of the scenes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from swathe.arguments import instance
from swathe.detections import Detections
from swathe.errors import StoreError
from swathe.query import Query
from swathe.store.hbase import coding, curve
from swathe.store.hbase.catalogue import Key, Snapshot
from swathe.store.hbase.client import Client, interface
from swathe.store.rows import bounds_of, class_names, described, may_match

if TYPE_CHECKING:
    from swathe.query.cells import Cells

FloatArray: TypeAlias = npt.NDArray[np.float64]

GROUP_ROWS = 500_000  # detections of scenes that are read and sorted together, in memory
MOST_RECTANGLES = 16  # scenes whose own rectangles are looked at; of more, the one around all
READERS = 8  # calls at once


@dataclass(frozen=True)
class Reader:
    """The table of detections, and what is known of what lies in it."""

    client: Client
    table: bytes
    shards: int
    snapshot: Snapshot

    def scan(self, query: Query | None) -> Iterator[Detections]:
        """See `Scans`; the first batch describes all scenes and has no rows."""
        query = _checked(query)
        asked = self.snapshot.rows().asked(query)
        keys = sorted(set(asked.column("run").to_pylist()))
        runs = {run: json.loads((self.snapshot.runs[run].row or {})["about"]) for run in keys}
        yield Detections.empty(class_names(asked), described(asked), runs)
        best = Detections.empty()
        for scenes in self._groups(query, asked):
            matches = self.matches(query, scenes)
            if query.limit is None:
                yield matches.sorted()
            else:
                best = query.finish(Detections.concat([best, matches]))
        if query.limit is not None:
            yield best

    def count(self, query: Query | None) -> dict[str, int]:
        """See `Scans`; what the catalogue knows is not read again."""
        query = _checked(query)
        asked = self.snapshot.rows().asked(query)
        if query.limit is not None:
            parts = [batch.per_class() for batch in self.scan(query)]
        elif query.regions or query.measured or query.min_score is not None:
            parts = [self.matches(query, scenes).per_class() for scenes in self._groups(query, asked)]
        else:
            entries = asked.filter(pa.array(may_match(asked, query))).column("per_class").to_pylist()
            parts = [{entry["name"]: entry["detections"] for entry in own} for own in entries]
        counts = dict.fromkeys(class_names(asked), 0)
        for part in parts:
            for name, number in part.items():
                counts[name] = counts.get(name, 0) + number
        wanted = query.classes
        return {name: number for name, number in counts.items() if number and (wanted is None or name in wanted)}

    def density(self, query: Query | None, cells: Cells) -> npt.NDArray[np.int64]:
        """See `Scans`."""
        query = _checked(query)
        if query.limit is not None:
            return cells.count(np.concatenate([coding.hulls_of(batch) for batch in self.scan(query)]))
        counts = np.zeros((cells.rows, cells.columns), dtype=np.int64)
        asked = self.snapshot.rows().asked(query)
        simple = query.classes is None and not query.regions and not query.measured
        for scenes in self._groups(query, asked):
            rows, owners = self._read(query, scenes, cells, boxes=not simple)
            hulls = rows.placed["hull"]
            counts += cells.count(hulls if simple else hulls[self._matching(query, scenes, rows, owners)[1]])
        return counts

    def matches(self, query: Query, scenes: pa.Table) -> Detections:
        """Read the matches in some scenes, in no particular order and without regard to the limit."""
        rows, owners = self._read(query, scenes)
        found, passed = self._matching(query, scenes, rows, owners)
        return found.take(passed)

    def _groups(self, query: Query, asked: pa.Table) -> Iterator[pa.Table]:
        """Yield rows of scenes that may hold a match, those that are sorted together."""
        table = asked.filter(pa.array(may_match(asked, query))).sort_by([("scene", "ascending"), ("run", "ascending")])
        names, sizes = table.column("scene").to_pylist(), table.column("detections").to_pylist()
        start, held = 0, 0
        for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
            # Scenes of one name, from several runs, are not parted: their rows come one among the other.
            if held and held + size > GROUP_ROWS and name != names[number - 1]:
                yield table.slice(start, number - start)
                start, held = number, 0
            held += size
        if held:
            yield table.slice(start)

    def _read(
        self, query: Query, scenes: pa.Table, cells: Cells | None = None, *, boxes: bool = True
    ) -> tuple[coding.Decoded, npt.NDArray[np.int64]]:
        """Read the detections of scenes that may match, and the scene of each by its place."""
        keys = list(zip(scenes.column("run").to_pylist(), scenes.column("scene").to_pylist(), strict=True))
        live = [entry.live for entry in map(self.snapshot.entry, keys) if entry.live is not None]
        marks = np.array([one.mark for one in live], dtype=np.uint64)
        reach = np.array([one.reach for one in live]).reshape(-1, 2)
        level = max(one.level for one in live)
        infos = list(described(scenes).values())
        kinds = np.array([coding.GROUND if scene.georeferenced else coding.IMAGE for scene in infos], dtype=np.int64)
        ranges = [(coding.WIDE, (0, 0))] if any(one.wide for one in live) else []
        for kind, extent in coding.EXTENTS.items():
            own = kinds == kind
            if own.any():
                rectangles = _rectangles(query, bounds_of(scenes)[own], reach[own].max(axis=0), cells)
                ranges += [(kind, part) for part in curve.ranges(rectangles, extent, level)]
        try:
            found = coding.decode(self._fetch(ranges, boxes=boxes))
        except (ValueError, KeyError) as error:
            raise self._damaged(error) from error
        order = np.argsort(marks)
        places = np.minimum(np.searchsorted(marks[order], found.sets), len(marks) - 1)
        owners = order[places]
        passed = marks[owners] == found.sets
        if query.min_score is not None:
            passed &= found.placed["score"] >= query.min_score
        passed &= query.hull_mask(found.placed["hull"])
        return found.take(passed), owners[passed]

    def _fetch(self, ranges: Sequence[tuple[int, tuple[int, int]]], *, boxes: bool) -> list[coding.Row]:
        """Read ranges of all shards, several at once."""
        bounds = []
        for shard in range(self.shards):
            for kind, (first, last) in ranges:
                head = bytes([shard, kind])
                bounds.append((head + first.to_bytes(8), head + (last + 1).to_bytes(8)))
        columns = None if boxes else [interface().TColumn(family=coding.FAMILY, qualifier=coding.PLACES)]

        def read(bounds: tuple[bytes, bytes]) -> list[coding.Row]:
            pages = self.client.rows(self.table, *bounds, columns=columns)
            return [
                (result.row, {cell.qualifier: cell.value for cell in result.columnValues})
                for page in pages
                for result in page
            ]

        with ThreadPoolExecutor(READERS) as pool:
            return [row for rows in pool.map(read, bounds) for row in rows]

    def _matching(
        self, query: Query, scenes: pa.Table, rows: coding.Decoded, owners: npt.NDArray[np.int64]
    ) -> tuple[Detections, npt.NDArray[np.bool_]]:
        """Make detections of what was read, and tell which match."""
        infos = described(scenes)
        keys: list[Key] = list(infos)
        classes = [json.loads(text) for text in scenes.column("class_names").to_pylist()]
        try:
            table, names = coding.table_of(rows, owners, keys, classes)
        except IndexError as error:
            raise self._damaged(error) from error
        found = Detections(table, infos, names, {run: {} for run, _ in keys})
        passed = query.column_mask(found)
        if query.regions:
            doubtful = np.flatnonzero(passed & ~query.sure_mask(rows.placed["hull"]))
            passed[doubtful] = query.place_mask(found.take(doubtful))
        return found, passed

    def _damaged(self, error: Exception) -> StoreError:
        return StoreError(f"{self.table.decode()}: a row is damaged ({error}); detect its scene again")


def _rectangles(query: Query, bounds: FloatArray, reach: FloatArray, cells: Cells | None) -> FloatArray:
    """Return rectangles (m, 4) that hold the centres of all matches."""
    if len(bounds) > MOST_RECTANGLES:
        bounds = np.concatenate([bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)])[None]
    limits = [] if cells is None else [np.array([cells.box])]
    if query.regions:
        asked = query.regions[0].rectangles() if len(query.regions) == 1 else np.array([query.bounds()])
        limits.append(asked + np.concatenate([-reach, reach]))
    for limit in limits:
        low = np.maximum(bounds[:, None, :2], limit[None, :, :2]).reshape(-1, 2)
        high = np.minimum(bounds[:, None, 2:], limit[None, :, 2:]).reshape(-1, 2)
        bounds = np.concatenate([low, high], axis=1)[(low <= high).all(axis=1)]
    return bounds


def _checked(query: Query | None) -> Query:
    return Query() if query is None else instance("query", query, Query, "a Query, or None for everything")
