"""The rows by which a lake store knows its runs and scenes: one of each run, one of each of its scenes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from swathe.detections import SceneInfo
from swathe.errors import StoreError
from swathe.store.protocol import StoredRun, StoredScene, Written, begun
from swathe.store.schema import BOUNDS, TIME_TYPE, parse_json, to_json
from swathe.times import parse_utc, utc_text

if TYPE_CHECKING:
    from swathe.query import Query

Key: TypeAlias = tuple[str, str]  # run, scene id
Row: TypeAlias = dict[str, Any]  # by the columns of ROWS

CLASS = pa.struct([("name", pa.string()), ("detections", pa.int64()), ("highest", pa.float64())])
ROWS = pa.schema(
    [
        pa.field("run", pa.string()),
        pa.field("scene", pa.string()),  # id; null: this is the row of the run
        pa.field("name", pa.string()),  # of the run
        pa.field("about", pa.string()),  # model and settings of the run, JSON
        pa.field("updated", TIME_TYPE),  # of the run
        pa.field("uri", pa.string()),
        pa.field("width", pa.int64()),
        pa.field("height", pa.int64()),
        pa.field("crs", pa.string()),
        pa.field("transform", pa.list_(pa.float64())),
        pa.field("acquired", TIME_TYPE),
        pa.field("fingerprint", pa.string()),
        pa.field("state", pa.string()),
        pa.field("windows", pa.int64()),
        pa.field("skipped", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("file", pa.string()),  # relative to the store; null while there is none
        *(pa.field(name, pa.float64()) for name in BOUNDS),  # of all footprints, geometry coordinates
        pa.field("class_names", pa.string()),  # classes that were looked for, JSON
        pa.field("per_class", pa.list_(CLASS)),
        pa.field("detections", pa.int64()),
    ]
)
ROW_FILE = "row_file"
FEW_ROWS = 500  # of a file that had better be written as one with others
_SCENE_COLUMNS = ("run", "scene", "uri", "width", "height", "crs", "transform", "acquired")


def run_row(run: str, name: str | None, about: Mapping[str, Any], updated: datetime) -> Row:
    """Make the row of a run; raises `UsageError` if what is told of it is not JSON."""
    return {"run": run, "name": name, "about": to_json(about), "updated": updated}


def scene_row(stored: StoredScene, facts: Mapping[str, Any] | None = None) -> Row:
    """Make the row of a scene.

    Args:
        stored: The scene.
        facts: What `write` has told of its file.

    Returns:
        The row.
    """
    facts, scene = facts or {}, stored.scene
    highest = facts.get("highest", {})
    return {
        "run": stored.run,
        "scene": scene.id,
        "uri": scene.uri,
        "width": scene.width,
        "height": scene.height,
        "crs": scene.crs,
        "transform": scene.transform,
        "acquired": None if scene.acquired is None else parse_utc(scene.acquired),
        "fingerprint": stored.fingerprint,
        "state": stored.state,
        "windows": stored.windows,
        "skipped": stored.skipped,
        "reason": stored.reason or None,
        "file": stored.file or None,
        **dict(zip(BOUNDS, facts.get("bounds") or (None,) * len(BOUNDS), strict=True)),
        "class_names": json.dumps(list(facts.get("classes", ())), ensure_ascii=False),
        "per_class": [
            {"name": name, "detections": count, "highest": highest.get(name, 1.0)}
            for name, count in stored.per_class.items()
        ],
        "detections": stored.detections,
    }


def stored_scene(row: Row) -> StoredScene:
    """Return the scene of a row."""
    per_class = {entry["name"]: entry["detections"] for entry in row["per_class"]}
    return StoredScene(
        row["run"],
        scene_info(row),
        row["fingerprint"],
        row["state"],
        row["windows"],
        row["skipped"],
        per_class,
        row["reason"] or "",
        row["file"] or "",
    )


def scene_info(row: Row) -> SceneInfo:
    """Return what places the detections of a row."""
    acquired = None if row["acquired"] is None else utc_text(row["acquired"])
    transform = None if row["transform"] is None else tuple(row["transform"])
    return SceneInfo(row["scene"], row["uri"], row["width"], row["height"], row["crs"], transform, acquired)


def begun_row(old: Row | None, given: StoredScene) -> Row:
    """Return the row of a scene that a run is going to look at, see `begun`."""
    if old is None or not old["file"]:
        return scene_row(given)
    new = begun(stored_scene(old), given)
    return {**old, "uri": new.scene.uri, "state": new.state, "reason": new.reason or None}


@dataclass(frozen=True)
class Rows:
    """All rows of a store at one moment."""

    table: pa.Table  # columns of ROWS and `row_file`, the file that holds the row

    @cached_property
    def runs(self) -> dict[str, Row]:
        """The rows of runs, by id."""
        rows = self.table.filter(pc.is_null(self.table.column("scene"))).to_pylist()
        return {row["run"]: row for row in rows}

    @cached_property
    def scenes(self) -> pa.Table:
        """The rows of scenes, sorted by run and scene."""
        table = self.table.filter(pc.is_valid(self.table.column("scene")))
        return table.sort_by([("run", "ascending"), ("scene", "ascending")])

    def stored_runs(self) -> tuple[StoredRun, ...]:
        """Return all runs, the one that was changed last at the end."""
        counted = self.scenes.group_by(["run", "state"]).aggregate([([], "count_all"), ("detections", "sum")])
        counts: dict[str, dict[str, int]] = {}
        for row in counted.to_pylist():
            own = counts.setdefault(row["run"], {})
            own[row["state"]] = row["count_all"]
            own["detections"] = own.get("detections", 0) + row["detections_sum"]
        runs = []
        for run, row in self.runs.items():
            own = counts.get(run, {})
            runs.append(
                StoredRun(
                    run,
                    row["name"],
                    parse_json(row["about"].encode(), f"the row of run {run}"),
                    utc_text(row["updated"]),
                    own.get("complete", 0),
                    own.get("pending", 0),
                    own.get("failed", 0),
                    own.get("detections", 0),
                )
            )
        return tuple(sorted(runs, key=lambda run: (parse_utc(run.updated), run.id)))

    def of(self, run: str | None = None, scenes: Collection[str] | None = None) -> list[Row]:
        """Return the rows of scenes, by run and scene."""
        table = self.scenes
        if run is not None:
            table = table.filter(pc.equal(table.column("run"), run))
        if scenes is not None:
            table = table.filter(pc.is_in(table.column("scene"), pa.array(sorted(scenes), pa.string())))
        return [dict(row) for row in table.to_pylist()]

    def files(self) -> frozenset[str]:
        """Return the files of detections that rows name."""
        return frozenset(filter(None, pc.unique(self.table.column("file")).to_pylist()))

    def in_files(self, files: Collection[str]) -> list[Row]:
        """Return the rows of scenes whose detections lie in some files."""
        wanted = pc.is_in(self.scenes.column("file"), pa.array(sorted(files), pa.string()))
        return [dict(row) for row in self.scenes.filter(wanted).to_pylist()]

    def without(self, run: str, scenes: Collection[str], *, with_run: bool) -> Rows:
        """Return the rows that stay when some scenes of a run go, and its own row, too, if that is said."""
        scene = self.table.column("scene")
        gone = pc.fill_null(pc.is_in(scene, pa.array(sorted(scenes), pa.string())), fill_value=False)
        gone = pc.or_(gone, pc.is_null(scene)) if with_run else pc.and_(gone, pc.is_valid(scene))
        return Rows(self.table.filter(pc.invert(pc.and_(gone, pc.equal(self.table.column("run"), run)))))

    def row_files(self) -> frozenset[str]:
        """Return the files that hold rows."""
        return frozenset(pc.unique(self.table.column(ROW_FILE)).to_pylist())

    def changed_files(self, kept: Rows) -> frozenset[str]:
        """Return the files of which not all rows are kept."""
        before, after = self._counts(), kept._counts()
        return frozenset(name for name, count in before.items() if after.get(name) != count)

    def small_files(self) -> frozenset[str]:
        """Return the files that hold few rows."""
        return frozenset(name for name, count in self._counts().items() if count < FEW_ROWS)

    def _counts(self) -> dict[str, int]:
        """Return how many rows each file holds."""
        counted = pc.value_counts(self.table.column(ROW_FILE)).to_pylist()
        return {entry["values"]: entry["counts"] for entry in counted}

    def asked(self, query: Query) -> pa.Table:
        """Return the rows of scenes that were looked at and that a query names, or does not exclude by name."""
        table = self.scenes.filter(pc.is_valid(self.scenes.column("file")))
        for column, names in (("run", query.runs), ("scene", query.scenes)):
            if names is not None:
                table = table.filter(pc.is_in(table.column(column), pa.array(names, pa.string())))
        return table


def may_match(rows: pa.Table, query: Query) -> npt.NDArray[np.bool_]:
    """Tell which scenes may hold a match.

    Args:
        rows: Rows of scenes that were looked at.
        query: What is looked for.

    Returns:
        Mask (n,).
    """
    passed = _numbers(rows, "detections") > 0
    if query.on_ground:
        placed = pc.and_(pc.is_valid(rows.column("crs")), pc.is_valid(rows.column("transform")))
        passed &= placed.to_numpy()
    if query.acquired is not None:
        times, (begin, end) = rows.column("acquired"), query.acquired
        passed &= pc.is_valid(times).to_numpy()
        if begin is not None:
            passed &= _known(pc.greater_equal(times, pa.scalar(begin, TIME_TYPE)))
        if end is not None:
            passed &= _known(pc.less(times, pa.scalar(end, TIME_TYPE)))
    if query.regions:
        passed &= query.hull_mask(bounds_of(rows))
    if query.classes is not None or query.min_score is not None:
        passed &= _reached(rows, query)
    return passed


def _reached(rows: pa.Table, query: Query) -> npt.NDArray[np.bool_]:
    """Tell in which scenes a class that is looked for reaches the score that is looked for."""
    classes = rows.column("per_class").combine_chunks()
    owners, entries = pc.list_parent_indices(classes).to_numpy(), classes.flatten()
    passed = np.ones(len(owners), dtype=np.bool_)
    if query.classes is not None:
        wanted = pc.is_in(entries.field("name"), pa.array(query.classes, pa.string()))
        passed &= wanted.to_numpy(zero_copy_only=False)
    if query.min_score is not None:
        passed &= entries.field("highest").to_numpy(zero_copy_only=False) >= query.min_score
    reached = np.zeros(len(rows), dtype=np.bool_)
    reached[owners[passed]] = True
    return reached


def bounds_of(rows: pa.Table) -> npt.NDArray[np.float64]:
    """Return the bounds of scenes (n, 4) as xmin, ymin, xmax, ymax in geometry coordinates, NaN without detections."""
    return np.stack([_numbers(rows, name) for name in BOUNDS], axis=1)


def described(rows: pa.Table) -> dict[Key, SceneInfo]:
    """Return the scenes of rows, by run and id."""
    return {(row["run"], row["scene"]): scene_info(row) for row in rows.select(_SCENE_COLUMNS).to_pylist()}


def class_names(rows: pa.Table) -> tuple[str, ...]:
    """Return the classes that were looked for, in the order in which they first appear."""
    lists: Iterable[str] = pc.unique(rows.column("class_names")).to_pylist()
    return tuple(dict.fromkeys(name for text in lists for name in class_list(text)))


@lru_cache(maxsize=256)
def class_list(text: str) -> tuple[str, ...]:
    """Read the classes of a row; raises `StoreError` if they are damaged."""
    try:
        return tuple(map(str, json.loads(text)))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"the classes {text[:40]!r} in a row of the store are damaged; restore the store") from error


def of_written(written: Written) -> Row:
    """Return the row of a scene that was written."""
    return scene_row(replace(written.scene, state="complete", reason=""), written.facts)


def _numbers(rows: pa.Table, column: str) -> npt.NDArray[np.float64]:
    """Return a column of numbers (n,), NaN where there is none."""
    return np.asarray(rows.column(column).cast(pa.float64()).to_numpy(), dtype=np.float64)


def _known(mask: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return a mask (n,), false where it is null."""
    return np.asarray(pc.fill_null(mask, fill_value=False).to_numpy(), dtype=np.bool_)
