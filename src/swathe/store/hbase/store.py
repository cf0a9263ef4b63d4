"""The store in HBase: detections under keys by place, and a table of runs and scenes that says which are live."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from swathe.areas import Areas
from swathe.detections import Detections
from swathe.files import open_folder
from swathe.store.hbase import coding
from swathe.store.hbase.catalogue import AREAS, Catalogue, Change, Entry, Known, Set
from swathe.store.hbase.client import Client, interface
from swathe.store.hbase.scans import Reader
from swathe.store.hbase.workspace import HBaseWorkspace
from swathe.store.protocol import Compacted, StoredRun, StoredScene, Written, alone
from swathe.store.rows import begun_row, of_written, stored_scene
from swathe.store.schema import parse_json

if TYPE_CHECKING:
    import numpy.typing as npt

    from swathe.files import Workspace
    from swathe.query import Query
    from swathe.query.cells import Cells

BATCH_ROWS = 50  # of a call that writes: up to 4 MB
BATCH_KEYS = 5000  # of a call that deletes


@dataclass(frozen=True)
class Settings:
    """What is fixed when a store is made."""

    version: int = 2  # of the form of keys and values
    shards: int = 8  # parts of the table, into which the detections of each scene are spread
    ttl: int | None = None  # seconds that detections live; None for ever
    compression: str = "NONE"  # of HBase's names: NONE, GZ, SNAPPY, LZ4, ZSTD, ...
    work: str | None = None  # address of the folder for unfinished work; None: a table


class HBaseStore:
    """A store in HBase; `open_store` opens it."""

    def __init__(self, client: Client, name: str, settings: Settings) -> None:
        """Take tables that exist.

        Args:
            client: Connections to HBase.
            name: Of the table of detections.
            settings: What was fixed when they were made.
        """
        self._client, self._name, self._settings = client, name, settings
        self._table = name.encode()
        self._catalogue = Catalogue(client, catalogue_table(name), settings.ttl)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"hbase://{self._client.host}:{self._client.port}/{self._name}"

    def runs(self) -> tuple[StoredRun, ...]:
        """See `Catalogue`."""
        return self._catalogue.snapshot().rows().stored_runs()

    def scenes(self, run: str | None = None) -> tuple[StoredScene, ...]:
        """See `Catalogue`."""
        return tuple(map(stored_scene, self._catalogue.snapshot().rows().of(run)))

    def scan(self, query: Query | None = None) -> Iterator[Detections]:
        """See `Scans`."""
        return self._reader().scan(query)

    def count(self, query: Query | None = None) -> Mapping[str, int]:
        """See `Scans`."""
        return self._reader().count(query)

    def density(self, query: Query | None, cells: Cells) -> npt.NDArray[np.int64]:
        """See `Scans`."""
        return self._reader().density(query, cells)

    def begin(self, run: str, about: Mapping[str, Any], scenes: Sequence[StoredScene], name: str | None = None) -> None:
        """See `Sink`."""
        now = int(time.time() * 1000)

        def change(known: Known) -> Change:
            return Change({one.scene.id: _begun(known.entries.get(one.scene.id), one, now) for one in scenes})

        self._catalogue.change(run, [one.scene.id for one in scenes], change, about, name)

    def write(self, scene: StoredScene, found: Detections) -> Written:
        """See `Sink`."""
        key, found = (scene.run, scene.scene.id), alone(scene, found)
        entry = self._catalogue.run(scene.run, [scene.scene.id]).entries.get(scene.scene.id)
        since = int(time.time() * 1000) if entry is None else entry.since
        seed = "\0".join([*key, scene.fingerprint, str(since)]).encode()
        rows = coding.encode(found, *key, seed, self._settings.shards)
        self._put(rows.rows, since)
        scores, classes = found.scores, found.classes
        live = Set(rows.mark, since, rows.reach, rows.wide, rows.level)
        facts = {
            "bounds": rows.bounds and list(rows.bounds),
            "classes": list(found.class_names),
            "highest": {name: float(scores[classes == name].max()) for name in found.per_class()},
            "since": since,
            "set": {**asdict(live), "reach": list(rows.reach)},
        }
        file = f"{rows.mark:016x}"
        return Written(replace(scene, state="complete", reason="", per_class=found.per_class(), file=file), facts)

    def commit(self, run: str, written: Sequence[Written], failed: Sequence[StoredScene] = ()) -> None:
        """See `Sink`."""

        def change(known: Known) -> Change:
            entries = {one.scene.scene.id: _complete(one) for one in written}
            for scene in failed:
                old = known.entries.get(scene.scene.id)
                row = begun_row(None if old is None else old.row, replace(scene, state="failed"))
                entries[scene.scene.id] = Entry(row, 0, scene.fingerprint) if old is None else replace(old, row=row)
            return Change(entries)

        ids = [one.scene.id for one in (*(one.scene for one in written), *failed)]
        self._catalogue.change(run, ids, change)

    def remove(self, run: str, scenes: Collection[str] | None = None) -> None:
        """See `Sink`. The rows of detections stay until `compact`, since somebody may be reading them."""

        def change(known: Known) -> Change:
            gone = set(known.entries) if scenes is None else set(known.entries).intersection(scenes)
            return Change(gone=gone, ends=gone == set(known.entries))

        self._catalogue.change(run, None, change)
        if scenes is None:
            work = self.workspace(run)
            work.drop(work.names())

    def workspace(self, run: str) -> Workspace:
        """See `Store`."""
        if self._settings.work is not None:
            return open_folder(self._settings.work).folder(sha256(run.encode()).hexdigest()[:32])
        return HBaseWorkspace(self._client, work_table(self._name), run)

    def areas(self) -> Areas:
        """See `Store`."""
        data, where = self._catalogue.fact(AREAS), f"areas of {self.address}"
        return Areas() if data is None else Areas.from_geojson(parse_json(data, where), where=where)

    def keep_areas(self, areas: Areas) -> None:
        """See `Store`."""
        self._catalogue.keep_fact(AREAS, areas.to_bytes())

    def compact(self, older_than: timedelta) -> Compacted:
        """See `Store`. HBase merges its files itself; what is left is to delete rows that no scene names."""
        oldest = int(time.time() * 1000) - max(0, int(older_than / timedelta(milliseconds=1)))
        snapshot = self._catalogue.snapshot()
        marks, begun_at, deleted = snapshot.marks(), snapshot.begun(), 0
        for page in self._client.rows(self._table, b"", b"", keys_only=True):
            sets = np.frombuffer(b"".join(result.row for result in page), coding.KEY)["set"].astype(np.uint64)
            dead = np.flatnonzero(~np.isin(sets, marks)).tolist()
            times = {number: page[number].columnValues[0].timestamp for number in dead}
            deletes = [
                interface().TDelete(row=page[number].row, timestamp=stamp)
                for number, stamp in times.items()
                if stamp <= oldest and stamp not in begun_at
            ]
            for start in range(0, len(deletes), BATCH_KEYS):
                self._client.call("deleteMultiple", self._table, deletes[start : start + BATCH_KEYS])
            deleted += len(deletes)
        return Compacted(len(marks), len(marks), deleted)

    def _reader(self) -> Reader:
        return Reader(self._client, self._table, self._settings.shards, self._catalogue.snapshot())

    def _put(self, rows: Sequence[coding.Row], since: int) -> None:
        """Put rows with a time that is the same whenever it is done."""
        hbase = interface()
        for start in range(0, len(rows), BATCH_ROWS):
            puts = [
                hbase.TPut(
                    row=key,
                    columnValues=[
                        hbase.TColumnValue(family=coding.FAMILY, qualifier=name, value=value)
                        for name, value in columns.items()
                    ],
                    timestamp=since,
                )
                for key, columns in rows[start : start + BATCH_ROWS]
            ]
            self._client.call("putMultiple", self._table, puts)


def catalogue_table(name: str) -> bytes:
    """Return the name of the table of runs and scenes."""
    return f"{name}.catalogue".encode()


def work_table(name: str) -> bytes:
    """Return the name of the table of unfinished work."""
    return f"{name}.work".encode()


def _begun(old: Entry | None, given: StoredScene, now: int) -> Entry:
    """Return what is known of a scene that a run is going to look at, or has found at another address."""
    row = begun_row(None if old is None else old.row, given)
    if old is None:
        return Entry(row, now, given.fingerprint)
    if given.state == "complete" or (old.row["state"] != "complete" and old.content == given.fingerprint):
        return replace(old, row=row)  # what was written of it already counts
    return replace(old, row=row, since=max(now, old.since + 1), content=given.fingerprint)


def _complete(written: Written) -> Entry:
    """Return what is known of a scene that was written."""
    live = msgspec.convert(written.facts["set"], Set)
    return Entry(of_written(written), int(written.facts["since"]), written.scene.fingerprint, live)
