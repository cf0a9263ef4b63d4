"""The store on local disks, object stores and HDFS: GeoParquet files in a Delta table, and one of scenes beside it.

See docs/reference/store-format.md. Our readers believe the table of scenes alone; that of detections serves others.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from swathe.areas import FILE_NAME, Areas
from swathe.detections import Detections
from swathe.errors import StoreError
from swathe.store import scans
from swathe.store.delta import LiveFile, Log
from swathe.store.merges import plan_merges
from swathe.store.parquet import write_detections
from swathe.store.protocol import RECORD, Compacted, StoredRun, StoredScene, Written, alone
from swathe.store.rows import ROW_FILE, ROWS, Row, Rows, begun_row, of_written, run_row, stored_scene
from swathe.store.schema import BOUNDS, FILE_SCHEMA, parse_json, to_json

if TYPE_CHECKING:
    import numpy.typing as npt

    from swathe.files import Folder, Workspace
    from swathe.query import Query
    from swathe.query.cells import Cells

DETECTIONS, SCENES, WORK = "detections", "scenes", ".work"
MOST_ROWS = 1000  # of a file of rows: a commit writes those anew that hold a row which changes
MOST_SMALL_FILES = 20  # of rows; more are written as one
_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGITS = 16  # of hashes in names
_LONGEST_LABEL = 60  # characters of a scene id in the name of its file
_ATTEMPTS = 5  # of reading rows while others replace and delete their files


@dataclass(frozen=True)
class Changed:
    """What a commit does to the rows of the scenes of a run."""

    rows: Sequence[Row] = ()  # new rows of scenes, in place of earlier ones
    gone: Collection[str] = ()  # scene ids of rows that go
    files: Sequence[LiveFile] = ()  # of detections, that come; those that no row names any more go
    ends: bool = False  # the row of the run goes, too


class LakeStore:
    """A store in a folder; `open_store` opens it."""

    def __init__(self, folder: Folder) -> None:
        """Take a folder that holds a store; nothing is read yet."""
        self.folder = folder
        columns = [column for column in FILE_SCHEMA if column.name != "run"]
        self._detections = Log(f"{folder.address}/{DETECTIONS}", pa.schema([*columns, ("run", pa.string())]), ("run",))
        self._scenes = Log(f"{folder.address}/{SCENES}", ROWS)
        self._known: dict[str, pa.Table] = {}  # files of rows, by name

    @property
    def address(self) -> str:
        """Where it is."""
        return self.folder.address

    def create(self) -> None:
        """Make both tables in the folder, as far as they are not there.

        Raises:
            StoreError: If they cannot be made.
        """
        self._detections.create()
        self._scenes.create()

    def runs(self) -> tuple[StoredRun, ...]:
        """See `Catalogue`."""
        return self._rows().stored_runs()

    def scenes(self, run: str | None = None) -> tuple[StoredScene, ...]:
        """See `Catalogue`."""
        return tuple(map(stored_scene, self._rows().of(run)))

    def scan(self, query: Query | None = None) -> Iterator[Detections]:
        """See `Scans`."""
        return scans.scan(self.folder, self._rows(), query)

    def count(self, query: Query | None = None) -> Mapping[str, int]:
        """See `Scans`."""
        return scans.count(self.folder, self._rows(), query)

    def density(self, query: Query | None, cells: Cells) -> npt.NDArray[np.int64]:
        """See `Scans`."""
        return scans.density(self.folder, self._rows(), query, cells)

    def begin(self, run: str, about: Mapping[str, Any], scenes: Sequence[StoredScene], name: str | None = None) -> None:
        """See `Sink`."""

        def change(rows: Rows) -> Changed:
            old = {row["scene"]: row for row in rows.of(run, [scene.scene.id for scene in scenes])}
            return Changed([begun_row(old.get(scene.scene.id), scene) for scene in scenes])

        self._change(run, change, about, name)

    def write(self, scene: StoredScene, found: Detections) -> Written:
        """See `Sink`."""
        own = alone(scene, found)
        file, facts = self._put(own, scene.run, scene.scene.id)
        written = replace(scene, state="complete", reason="", per_class=own.per_class(), file=file)
        return Written(written, facts)

    def commit(self, run: str, written: Sequence[Written], failed: Sequence[StoredScene] = ()) -> None:
        """See `Sink`."""
        written = list({one.scene.scene.id: one for one in written}.values())

        def change(rows: Rows) -> Changed:
            ids = [stored.scene.id for stored in (*(one.scene for one in written), *failed)]
            old = {row["scene"]: row for row in rows.of(run, ids)}
            new = [of_written(one) for one in written]
            new += [begun_row(old.get(scene.scene.id), replace(scene, state="failed")) for scene in failed]
            files = [_live(one.scene.file, run, one.scene.detections, one.facts) for one in written]
            replaced = [old[one.scene.scene.id] for one in written if one.scene.scene.id in old]
            rest = self._without(rows, replaced)
            return Changed([*new, *rest.rows], files=[*files, *rest.files])

        self._change(run, change)

    def remove(self, run: str, scenes: Collection[str] | None = None) -> None:
        """See `Sink`."""
        dropped = set[str]()

        def change(rows: Rows) -> Changed:
            going, all_rows = rows.of(run, scenes), rows.of(run)
            dropped.update(row["file"] for row in going if row["file"])
            rest = self._without(rows, going)
            return Changed(rest.rows, [row["scene"] for row in going], rest.files, len(going) == len(all_rows))

        self._change(run, change)
        self.folder.drop(dropped)
        work = self.workspace(run)
        if scenes is None:
            work.drop(work.names())

    def workspace(self, run: str) -> Workspace:
        """See `Store`."""
        return self.folder.folder(f"{WORK}/{_safe(run)}")

    def areas(self) -> Areas:
        """See `Store`."""
        data, where = self.folder.get(FILE_NAME), f"areas {self.address}/{FILE_NAME}"
        return Areas() if data is None else Areas.from_geojson(parse_json(data, where), where=where)

    def keep_areas(self, areas: Areas) -> None:
        """See `Store`."""
        self.folder.put(FILE_NAME, areas.to_bytes())

    def compact(self, older_than: timedelta) -> Compacted:
        """See `Store`."""
        rows = self._rows()
        for run in rows.runs:
            for group in plan_merges(rows.of(run)):
                self._change(run, partial(self._merged, group), touch=False)
        hours = max(0, int(older_than / timedelta(hours=1)))
        self._drop_records(frozenset(self._detections.vacuum(hours, is_trial=True)))
        deleted = len(self._detections.vacuum(hours)) + len(self._scenes.vacuum(hours))
        return Compacted(len(rows.files()), len(self._rows().files()), deleted)

    def _drop_records(self, dying: frozenset[str]) -> None:
        """Forget what killed drivers have written and not committed: a call that goes on must not trust it."""
        work = self.folder.folder(WORK)
        for name in work.names() if dying else ():
            data = work.get(name) if name.endswith(f"/{RECORD}") else None
            if data is not None and _inner(Written.from_json(data).scene.file) in dying:
                work.drop([name])

    def _merged(self, names: list[str], rows: Rows) -> Changed:
        """Write files as one."""
        scenes = rows.in_files(names)
        if {row["file"] for row in scenes} != set(names):  # one has gone meanwhile
            return Changed()
        found = scans.read_files(self.folder, rows, names)
        label = scenes[0]["scene"] if len(scenes) == 1 else f"{len(scenes)}-scenes"
        file, facts = self._put(found, scenes[0]["run"], label)
        live = _live(file, scenes[0]["run"], len(found), facts)
        return Changed([{**row, "file": file} for row in scenes], files=[live])

    def _without(self, rows: Rows, going: Sequence[Row]) -> Changed:
        """Write anew the files that hold scenes that go along with others that stay."""
        keys = {(row["run"], row["scene"]) for row in going}
        new, files = list[Row](), list[LiveFile]()
        for name in sorted({row["file"] for row in going if row["file"]}):
            scenes = rows.in_files([name])
            staying = {(row["run"], row["scene"]): row for row in scenes if (row["run"], row["scene"]) not in keys}
            if staying:
                found = scans.read_files(self.folder, rows, [name])
                held, codes = found.scene_codes()
                rest = found.take(np.isin(codes, [number for number, key in enumerate(held) if key in staying]))
                rest = replace(rest, scenes={key: info for key, info in found.scenes.items() if key in staying})
                run = scenes[0]["run"]
                file, facts = self._put(rest, run, f"{len(staying)}-scenes")
                new += [{**row, "file": file} for row in staying.values()]
                files.append(_live(file, run, len(rest), facts))
        return Changed(new, files=files)

    def _put(self, found: Detections, run: str, label: str) -> tuple[str, dict[str, Any]]:
        """Write a file of detections under a name that follows from its content, and return what is known of it."""
        stream = io.BytesIO()
        bounds = write_detections(found, stream)
        data = stream.getbuffer()
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", label).lstrip("_-")[:_LONGEST_LABEL] or "scene"  # _ hides a file
        name = f"{DETECTIONS}/{_safe(run)}/{plain}-{sha256(data).hexdigest()[:_DIGITS]}.parquet"
        self.folder.put(name, data)
        scores, classes = found.scores, found.classes
        highest = {name: float(scores[classes == name].max()) for name in found.per_class()}
        facts = {
            "size": len(data),
            "bounds": bounds and list(bounds),
            "highest": highest,
            "classes": list(found.class_names),
        }
        return name, facts

    def _change(
        self,
        run: str,
        decide: Callable[[Rows], Changed],
        about: Mapping[str, Any] | None = None,
        name: str | None = None,
        *,
        touch: bool = True,
    ) -> None:
        """Change rows of a run in one commit, after the files of detections that they name."""

        def change(live: frozenset[str]) -> tuple[list[LiveFile], frozenset[str]] | None:
            rows = self._rows(live)
            changed = decide(rows)
            own = [] if changed.ends or not touch else [_run_row(rows.runs.get(run), run, about, name)]
            scenes = {*changed.gone, *(row["scene"] for row in changed.rows)}
            if not scenes and not touch:
                return None
            kept = rows.without(run, scenes, with_run=touch)
            new = pa.Table.from_pylist([*own, *changed.rows], ROWS)
            dead = rows.files() - kept.files() - Rows(new).files()
            if changed.files or dead:
                self._detections.change(lambda _: (changed.files, {_inner(file) for file in dead}))
            replaced = rows.row_files() if len(kept.small_files()) > MOST_SMALL_FILES else rows.changed_files(kept)
            return self._put_rows(kept, new, replaced), replaced

        self._scenes.change(change)

    def _put_rows(self, kept: Rows, new: pa.Table, replaced: frozenset[str]) -> list[LiveFile]:
        """Write the rows of files that are replaced, as far as they are kept, and new ones."""
        old = kept.table.filter(pc.is_in(kept.table.column(ROW_FILE), pa.array(sorted(replaced), pa.string())))
        table = pa.concat_tables([old.select(ROWS.names), new]).sort_by([("run", "ascending"), ("scene", "ascending")])
        is_run = pc.is_null(table.column("scene"))
        parts = [table.filter(is_run), table.filter(pc.invert(is_run))]
        chunks = [part.slice(start, MOST_ROWS) for part in parts for start in range(0, len(part), MOST_ROWS)]
        return [self._put_chunk(chunk) for chunk in chunks]

    def _put_chunk(self, chunk: pa.Table) -> LiveFile:
        """Write rows as a file."""
        sink = pa.BufferOutputStream()
        pq.write_table(chunk, sink, compression="zstd", write_page_checksum=True)
        data = sink.getvalue().to_pybytes()
        name = f"{sha256(data).hexdigest()[:_DIGITS]}.parquet"
        self.folder.put(f"{SCENES}/{name}", data)
        self._known[name] = chunk.append_column(ROW_FILE, pa.array([name] * len(chunk), pa.string()))
        return LiveFile(name, len(data), len(chunk), {}, {})

    def _rows(self, live: frozenset[str] | None = None) -> Rows:
        """Read the rows of files that were not read before; files never change."""
        for _ in range(_ATTEMPTS):
            names = self._scenes.files() if live is None else live
            tables = [self._row_table(name) for name in sorted(names)]
            if None not in tables:
                self._known = dict(zip(sorted(names), tables, strict=True))
                empty = ROWS.append(pa.field(ROW_FILE, pa.string())).empty_table()
                return Rows(pa.concat_tables([empty, *tables]))
            live = None  # a file was deleted after it was replaced
        raise StoreError(f"{self.address}/{SCENES}: a file of its table is missing; restore the store")

    def _row_table(self, name: str) -> pa.Table | None:
        """Return the rows of a file; None if it is gone."""
        known = self._known.get(name)
        if known is not None:
            return known
        data = self.folder.get(f"{SCENES}/{name}")
        if data is None:
            return None
        try:
            table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True).select(ROWS.names).cast(ROWS)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise StoreError(f"{self.address}/{SCENES}/{name} is damaged ({error}); restore the store") from error
        return table.append_column(ROW_FILE, pa.array([name] * len(table), pa.string()))


def _run_row(old: Row | None, run: str, about: Mapping[str, Any] | None, name: str | None) -> Row:
    """Return the row of a run that changes now; what is not given stays."""
    old = old or run_row(run, None, {}, datetime.now(UTC))
    told = old["about"] if about is None else to_json(about)
    return {**old, "about": told, "name": name or old["name"], "updated": datetime.now(UTC)}


def _live(file: str, run: str, detections: int, facts: Mapping[str, Any]) -> LiveFile:
    """Describe a file of detections for the log."""
    statistics: dict[str, Any] = {}
    if facts["bounds"]:
        bounds = dict(zip(BOUNDS, facts["bounds"], strict=True))
        low, high = ({name: bounds[name] for name in names} for names in (BOUNDS[:2], BOUNDS[2:]))
        scores = {"score": max(facts["highest"].values())}
        statistics = {"minValues": {"bbox": low}, "maxValues": {"bbox": high, **scores}}
    return LiveFile(_inner(file), facts["size"], detections, {"run": run}, statistics)


def _inner(file: str) -> str:
    """Return the name of a file of detections as the table has it."""
    return file.removeprefix(f"{DETECTIONS}/")


def _safe(run: str) -> str:
    """Return a name of a folder for a run: its id, or a hash of an id that could not be a name."""
    return run if _SAFE.fullmatch(run) else sha256(run.encode()).hexdigest()[: 2 * _DIGITS]
