"""What an HBase store knows of its runs and scenes.

One row of HBase for each run, with one column for each of its scenes: HBase changes a row in one step, so that readers
see a commit of many scenes as a whole or not at all. A change names the version that it is made from, and is made again
if somebody else was faster.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from swathe.errors import StoreError
from swathe.store.hbase.client import Client, interface
from swathe.store.rows import ROW_FILE, ROWS, Row, Rows, run_row
from swathe.store.schema import to_json
from swathe.times import parse_utc

Key: TypeAlias = tuple[str, str]  # run, scene id

FACTS, SCENES = b"r", b"s"  # column families: of the run itself; of its scenes
VERSION, RUN, SETTINGS, AREAS = b"version", b"run", b"settings", b"areas"
PREFIX, PREFIX_END = b"run/", b"run0"  # of the rows of runs
STORE = b"store"  # the row of the store itself
TIMES = ("acquired", "updated")
_ATTEMPTS = 60  # of a change that others are faster than


@dataclass(frozen=True)
class Set:
    """The rows of detections of a scene that are live."""

    mark: int
    since: int  # time of their cells, milliseconds
    reach: tuple[float, float]  # half of the largest width and height of a hull, geometry coordinates
    wide: int  # hulls without a place
    level: int  # cells of its rows are 4**level places


@dataclass(frozen=True)
class Entry:
    """What is known of a scene."""

    row: Row  # as the lake store has it
    since: int  # when it was begun, milliseconds: the time of all cells that are written of it
    content: str  # fingerprint of what was begun
    live: Set | None = None

    def to_json(self) -> bytes:
        """Serialise."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Entry:
        """Read what `to_json` has written."""
        entry = msgspec.json.decode(data, type=cls)
        return cls(_with_times(entry.row), entry.since, entry.content, entry.live)


@dataclass(frozen=True)
class Change:
    """What a commit does to the scenes of a run."""

    entries: Mapping[str, Entry] = field(default_factory=dict)  # new ones by scene id, in place of earlier ones
    gone: Collection[str] = ()
    ends: bool = False  # the run goes, too


@dataclass(frozen=True)
class Known:
    """A run at one moment."""

    version: bytes | None  # None: there is no such run
    row: Row | None
    entries: Mapping[str, Entry]


@dataclass(frozen=True)
class Snapshot:
    """All runs at one moment."""

    runs: Mapping[str, Known]

    def rows(self) -> Rows:
        """Return them as the lake store has them, for questions that no detection need be read for."""
        found = [known.row for known in self.runs.values() if known.row is not None]
        found += [entry.row for known in self.runs.values() for entry in known.entries.values()]
        table = pa.Table.from_pylist(found, ROWS)
        return Rows(table.append_column(ROW_FILE, pa.array([""] * len(table), pa.string())))

    def entry(self, key: Key) -> Entry:
        """Return what is known of a scene."""
        return self.runs[key[0]].entries[key[1]]

    def marks(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return the marks of all live sets."""
        live = [entry.live.mark for known in self.runs.values() for entry in known.entries.values() if entry.live]
        return np.array(sorted(live), dtype=np.uint64)

    def begun(self) -> frozenset[int]:
        """Return the times of scenes that are still to be looked at."""
        entries = (entry for known in self.runs.values() for entry in known.entries.values())
        return frozenset(entry.since for entry in entries if entry.row["state"] != "complete")


class Catalogue:
    """The table of runs and scenes."""

    def __init__(self, client: Client, table: bytes, seconds: int | None) -> None:
        """Take a table.

        Args:
            client: Connections to HBase.
            table: Name of the table.
            seconds: How long detections live; None for ever.
        """
        self._client, self._table, self._seconds = client, table, seconds
        self._known: dict[str, Known] = {}

    def snapshot(self) -> Snapshot:
        """Read all runs; those that have not changed since the last time are not read again.

        Returns:
            The runs.

        Raises:
            StoreError: If HBase does not answer, or a row is damaged.
        """
        versions = dict[str, bytes]()
        for page in self._pages(PREFIX, PREFIX_END):
            for result in page:
                versions[result.row[len(PREFIX) :].decode()] = result.columnValues[0].value
        for run in set(self._known) - set(versions):
            del self._known[run]
        for run, version in versions.items():
            if run not in self._known or self._known[run].version != version:
                self._known[run] = self.run(run)
        return Snapshot({run: self._alive(known) for run, known in self._known.items() if known.row is not None})

    def run(self, run: str, scenes: Iterable[str] | None = None) -> Known:
        """Read a run.

        Args:
            run: Its id.
            scenes: Scenes that are wanted; None for all.

        Returns:
            What is known of it, at one moment.

        Raises:
            StoreError: If HBase does not answer, or the row is damaged.
        """
        hbase = interface()
        columns = None
        if scenes is not None:
            columns = [hbase.TColumn(family=FACTS)]
            columns += [hbase.TColumn(family=SCENES, qualifier=scene.encode()) for scene in scenes]
        result = self._client.call("get", self._table, hbase.TGet(row=PREFIX + run.encode(), columns=columns))
        facts = {cell.qualifier: cell.value for cell in result.columnValues if cell.family == FACTS}
        if VERSION not in facts:
            return Known(None, None, {})
        try:
            cells = {cell.qualifier.decode(): cell.value for cell in result.columnValues if cell.family == SCENES}
            entries = {scene: Entry.from_json(value) for scene, value in cells.items()}
            return Known(facts[VERSION], _with_times(msgspec.json.decode(facts[RUN])), entries)
        except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as error:
            raise StoreError(
                f"what is known of run {run!r} in {self._table.decode()} is damaged ({error}); remove the run"
            ) from error

    def change(
        self,
        run: str,
        scenes: Iterable[str] | None,
        decide: Callable[[Known], Change],
        about: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        """Change a run in one step.

        Args:
            run: Its id.
            scenes: Scenes that the change looks at; None for all.
            decide: Gets what is known of them, and says what changes; may be asked again.
            about: Model and settings, None for those that it has.
            name: Of the run, None for the one that it has.

        Raises:
            StoreError: If HBase does not answer, or others are faster all the time.
        """
        hbase, key = interface(), PREFIX + run.encode()
        wanted = None if scenes is None else list(scenes)
        for attempt in range(_ATTEMPTS):
            known = self.run(run, wanted)
            change = decide(known)
            if change.ends and known.version is None:
                return
            if change.ends:
                mutations = [hbase.TMutation(deleteSingle=hbase.TDelete(row=key))]
            else:
                mutations = self._mutations(run, known, change, about, name)
            arguments = (key, FACTS, VERSION, hbase.TCompareOperator.EQUAL, known.version or b"")
            # An empty value means that there is none; for no value at all the server fails.
            rows = hbase.TRowMutations(row=key, mutations=mutations)
            if self._client.call("checkAndMutate", self._table, *arguments, rows):
                return
            time.sleep(random.uniform(0.0, min(2.0, 0.01 * 2**attempt)))
        raise StoreError(f"run {run!r} cannot be changed: others are faster all the time; run the same command again")

    def _mutations(
        self, run: str, known: Known, change: Change, about: Mapping[str, Any] | None, name: str | None
    ) -> list[Any]:
        """Return what makes the change."""
        hbase, key = interface(), PREFIX + run.encode()
        old = known.row or run_row(run, None, {}, datetime.now(UTC))
        told = old["about"] if about is None else to_json(about)
        row = {**old, "about": told, "name": name or old["name"], "updated": datetime.now(UTC)}
        cells = {(FACTS, VERSION): uuid.uuid4().bytes, (FACTS, RUN): msgspec.json.encode(row)}
        cells |= {(SCENES, scene.encode()): entry.to_json() for scene, entry in change.entries.items()}
        values = [
            hbase.TColumnValue(family=family, qualifier=qualifier, value=value)
            for (family, qualifier), value in cells.items()
        ]
        mutations = [hbase.TMutation(put=hbase.TPut(row=key, columnValues=values))]
        if change.gone:
            columns = [hbase.TColumn(family=SCENES, qualifier=scene.encode()) for scene in sorted(change.gone)]
            mutations.append(hbase.TMutation(deleteSingle=hbase.TDelete(row=key, columns=columns)))
        return mutations

    def fact(self, name: bytes) -> bytes | None:
        """Read a fact of the store itself.

        Args:
            name: Its name.

        Returns:
            Its value, None if there is none.

        Raises:
            StoreError: If HBase does not answer.
        """
        hbase = interface()
        columns = [hbase.TColumn(family=FACTS, qualifier=name)]
        result = self._client.call("get", self._table, hbase.TGet(row=STORE, columns=columns))
        return result.columnValues[0].value if result.columnValues else None

    def keep_fact(self, name: bytes, value: bytes) -> None:
        """Keep a fact of the store itself, in place of an earlier one.

        Args:
            name: Its name.
            value: Its value.

        Raises:
            StoreError: If HBase does not answer.
        """
        hbase = interface()
        cell = hbase.TColumnValue(family=FACTS, qualifier=name, value=value)
        self._client.call("putMultiple", self._table, [hbase.TPut(row=STORE, columnValues=[cell])])

    def _pages(self, start: bytes, stop: bytes) -> Iterable[Any]:
        column = interface().TColumn(family=FACTS, qualifier=VERSION)
        return self._client.rows(self._table, start, stop, columns=[column])

    def _alive(self, known: Known) -> Known:
        """Leave out scenes whose detections have come to their age: HBase drops them at any moment."""
        if self._seconds is None:
            return known
        oldest = (time.time() - self._seconds) * 1000
        entries = {name: one for name, one in known.entries.items() if one.live is None or one.live.since > oldest}
        return Known(known.version, known.row, entries)


def _with_times(row: Row) -> Row:
    """Read the times in a row that was JSON."""
    return {name: parse_utc(value) if name in TIMES and value is not None else value for name, value in row.items()}
