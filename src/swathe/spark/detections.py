"""Detections of any store as a data source: `spark.read.format("swathe")` and `df.write.format("swathe")`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.datasource import (
    DataSource,
    DataSourceArrowWriter,
    DataSourceReader,
    InputPartition,
    WriterCommitMessage,
)
from pyspark.sql.pandas.types import from_arrow_schema

from swathe.detections import Detections, SceneInfo
from swathe.detections.table import BOX_COLUMNS
from swathe.errors import UsageError
from swathe.query import Query
from swathe.raster.environment import capture, restore
from swathe.spark.options import Option, list_of, parse, path_of
from swathe.store import find_run, open_store
from swathe.store.opening import is_store
from swathe.store.parquet import file_rows
from swathe.store.protocol import StoredScene, Written
from swathe.store.schema import FILE_SCHEMA

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

NAME = "swathe"
# Scenes with few detections share a partition until it has as many.
PARTITION_ROWS = 100_000
BATCH_ROWS = 16_384  # footprints are made for as many at once
NEEDED = ("scene", "class", "score", *BOX_COLUMNS)
READING = {
    "run": Option(str, "a run"),
    "classes": Option(list_of(str), "class names with commas between them"),
    "min_score": Option(float, "a number"),
    "box": Option(list_of(float), "xmin,ymin,xmax,ymax"),
}
WRITING = {
    "run": Option(str, "a name"),
    "scenes": Option(str, "a store, or images"),
    "scenes_run": Option(str, "a run of that store"),
    "classes": Option(list_of(str), "class names with commas between them"),
}


class DetectionSource(DataSource):
    """Reads detections from a store, and writes them into one."""

    @classmethod
    def name(cls) -> str:
        """Return what it is called in `format`."""
        return NAME

    def schema(self) -> StructType:
        """Return the columns: those of the files of a store."""
        return from_arrow_schema(FILE_SCHEMA)

    def reader(self, schema: StructType) -> DetectionReader:  # noqa: ARG002
        """Return what reads."""
        options = parse(NAME, self.options, READING)
        return DetectionReader(path_of(NAME, self.options, "a store"), options)

    def writer(self, schema: StructType, overwrite: bool) -> DetectionWriter:
        """Return what writes.

        Args:
            schema: Columns of the data frame.
            overwrite: Whether the mode is "overwrite".

        Returns:
            The writer.

        Raises:
            UsageError: If columns or options are missing, or everything else in the store would have to go.
        """
        if overwrite:
            raise UsageError(
                'scenes of a run are replaced one by one: write with mode("append"), or remove the run first'
            )
        missing = [name for name in NEEDED if name not in schema.fieldNames()]
        if missing:
            raise UsageError(f"the data frame has no column {', '.join(missing)}; detections need {', '.join(NEEDED)}")
        options = parse(NAME, self.options, WRITING)
        for name in ("run", "scenes"):
            if name not in options:
                raise UsageError(f"{NAME} needs the option {name!r} to write: {WRITING[name].accepted}")
        return DetectionWriter(path_of(NAME, self.options, "a store"), options)


class DetectionReader(DataSourceReader):
    """Reads what a store has, some scenes in each task."""

    def __init__(self, address: str, options: Mapping[str, Any]) -> None:
        self._address, self._environment = address, capture()
        store, conditions = open_store(address), dict(options)
        run = conditions.pop("run", None)
        self._query = Query(**conditions, runs=None if run is None else (find_run(store.runs(), run).id,))

    def partitions(self) -> Sequence[InputPartition]:
        """Share out the scenes that have detections."""
        groups: list[tuple[str, list[str]]] = []
        rows = 0
        for scene in open_store(self._address).scenes():
            if not scene.detections or (self._query.runs is not None and scene.run not in self._query.runs):
                continue
            if not groups or scene.run != groups[-1][0] or rows + scene.detections > PARTITION_ROWS:
                groups.append((scene.run, []))
                rows = 0
            groups[-1][1].append(scene.scene.id)
            rows += scene.detections
        return [InputPartition(replace(self._query, runs=(run,), scenes=tuple(names))) for run, names in groups]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the detections of some scenes."""
        query: Query = partition.value
        with restore(self._environment):
            for found in open_store(self._address).scan(query):
                for start in range(0, len(found), BATCH_ROWS):
                    rows = found.take(np.arange(start, min(start + BATCH_ROWS, len(found))))
                    yield from file_rows(rows).to_batches()


@dataclass(frozen=True)
class Told(WriterCommitMessage):
    """What a task has written, invisible until it is committed."""

    records: tuple[bytes, ...]  # Written, as JSON


class DetectionWriter(DataSourceArrowWriter):
    """Writes scenes, each by the task that has its rows; the driver makes them visible in one step."""

    def __init__(self, address: str, options: Mapping[str, Any]) -> None:
        self._address, self._environment = address, capture()
        self._run, self._classes = options["run"], options.get("classes", ())
        self._scenes = _described(options["scenes"], options.get("scenes_run"))
        pending = [StoredScene(self._run, scene, "", "pending", 0) for scene in self._scenes.values()]
        open_store(address, create=True).begin(self._run, {}, pending)

    def write(self, iterator: Iterator[pa.RecordBatch]) -> Told:
        """Write the scenes that a partition has rows of."""
        batches = list(iterator)
        if not batches:
            return Told(())
        table = pa.Table.from_batches(batches)
        with restore(self._environment):
            names = pc.unique(table.column("scene")).to_pylist()
            written = [self._write(name, table.filter(pc.equal(table.column("scene"), name))) for name in sorted(names)]
        return Told(tuple(one.to_json() for one in written))

    def commit(self, messages: list[WriterCommitMessage | None]) -> None:
        """Make all scenes visible; those without a row were looked at, too."""
        told = [record for message in messages if isinstance(message, Told) for record in message.records]
        written = [Written.from_json(record) for record in told]
        counts = Counter(one.scene.scene.id for one in written)
        torn = sorted(name for name, count in counts.items() if count > 1)
        if torn:
            raise UsageError(
                f"rows of scene {torn[0]!r} lie in several partitions; nothing was written. Bring the rows of a scene "
                'together first: df.repartition("scene")'
            )
        with restore(self._environment):
            written += [self._write(name, None) for name in self._scenes if name not in counts]
            open_store(self._address).commit(self._run, written)

    def abort(self, messages: list[WriterCommitMessage | None]) -> None:
        """Leave what was written: nobody sees it, and compacting the store removes it."""

    def _write(self, name: str, rows: pa.Table | None) -> Written:
        """Write the rows of a scene."""
        if name not in self._scenes:
            known = ", ".join(sorted(self._scenes)[:3])
            raise UsageError(f"scene {name!r} is none of those that the option 'scenes' names ({known}, ...)")
        scene = self._scenes[name]
        if rows is not None:
            found = self._detections(scene, rows)
        else:
            found = Detections.empty(self._classes, {(self._run, name): scene}, {self._run: {}})
        return open_store(self._address).write(StoredScene(self._run, scene, "", "complete", 0), found)

    def _detections(self, scene: SceneInfo, rows: pa.Table) -> Detections:
        columns = {name: rows.column(name).to_numpy() for name in rows.column_names if name in (*NEEDED, "cut")}
        classes = self._classes or tuple(sorted(set(columns["class"].tolist())))
        places = {name: place for place, name in enumerate(classes)}
        unknown = sorted(set(columns["class"].tolist()) - set(places))
        if unknown:
            raise UsageError(
                argument="classes", value=",".join(classes), accepted=f"all that occur, {unknown[0]!r} too"
            )
        return Detections.from_arrays(
            np.column_stack([columns[name] for name in BOX_COLUMNS]),
            columns["score"],
            np.array([places[name] for name in columns["class"]], dtype=np.int64),
            classes,
            scene,
            self._run,
            cut=columns.get("cut"),
        )


def _described(place: str, run: str | None) -> dict[str, SceneInfo]:
    """Describe scenes by id, as a run of a store knows those that it has looked at, or as their images do."""
    if is_store(place):
        store = open_store(place)
        runs = store.runs()
        if run is None and len(runs) > 1:
            raise UsageError(f"{place} has {len(runs)} runs: name the one whose scenes are meant as 'scenes_run'")
        scenes = store.scenes(find_run(runs, "latest" if run is None else run).id)
        return {scene.scene.id: scene.scene for scene in scenes if scene.state == "complete"}
    from swathe.engine.plan import scene_info
    from swathe.opened import open_readable

    return {scene.id: scene_info(scene) for scene in open_readable([place]).scenes}
