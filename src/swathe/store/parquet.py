"""One GeoParquet file of detections: written in spatial order, read by row groups that a query may touch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from swathe.detections import NAME_TYPE, SCHEMA, Detections
from swathe.errors import StoreError, UsageError
from swathe.store.geometry import closed_rings, ring_hulls, to_wkb
from swathe.store.keys import spatial_keys
from swathe.store.schema import BBOX_TYPE, BOUNDS, FILE_SCHEMA, GEO_KEY, SWATHE_KEY, FileHead, geo_metadata
from swathe.store.seal import check_footer, seal_footer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swathe.query import Query

ROW_GROUP_ROWS = 50_000  # about 5 MB; a box query reads whole row groups
NAME_COLUMNS = ("run", "scene", "class")


def write_detections(detections: Detections, stream: BinaryIO, *, row_group_rows: int = ROW_GROUP_ROWS) -> None:
    """Write detections as GeoParquet; equal detections give equal bytes in whatever order they come.

    Args:
        detections: What to write; either all scenes are georeferenced or none.
        stream: An empty file, open for reading and writing.
        row_group_rows: Rows of a row group.

    Raises:
        UsageError: If some scenes are georeferenced and others are not, or a run's description is no JSON.
        SourceError: If a footprint has no longitude and latitude.
    """
    georeferenced = detections.georeferenced
    detections = detections.sorted()
    rings = closed_rings(detections.to_polygons("geometry"))
    hulls = ring_hulls(rings)
    order = np.argsort(spatial_keys(hulls), kind="stable")
    rings, hulls, rows = rings[order], hulls[order], detections.take(order).table
    metadata = {
        GEO_KEY: geo_metadata(hulls, georeferenced=georeferenced),
        SWATHE_KEY: FileHead.of(detections).to_json(),
    }
    schema = FILE_SCHEMA.with_metadata(metadata)
    with pq.ParquetWriter(
        stream,
        schema,
        compression="zstd",
        use_dictionary=list(NAME_COLUMNS),
        column_encoding={"id": "DELTA_BYTE_ARRAY"},
        write_page_checksum=True,
    ) as writer:
        for start in range(0, len(rows), row_group_rows):
            group = slice(start, start + row_group_rows)
            writer.write_table(_file_table(rows[group], rings[group], hulls[group], schema), row_group_rows)
    seal_footer(stream)


def _file_table(
    rows: pa.Table, rings: npt.NDArray[np.float64], hulls: npt.NDArray[np.float64], schema: pa.Schema
) -> pa.Table:
    """Add the geometry columns, and give name columns a dictionary that depends on the rows alone."""
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    for name in NAME_COLUMNS:
        columns[name] = columns[name].cast(pa.string()).dictionary_encode()
    columns["bbox"] = pa.StructArray.from_arrays([pa.array(hulls[:, n]) for n in range(4)], fields=list(BBOX_TYPE))
    columns["geometry"] = to_wkb(rings)
    return pa.table([columns[name] for name in schema.names], schema=schema)


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
            check_footer(path)
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            schema = self._file.schema_arrow
        self.head = FileHead.from_metadata(schema.metadata, path)
        missing = [name for name in FILE_SCHEMA.names if name not in schema.names]
        if missing:
            raise StoreError(f"{path} has no column {missing[0]!r}; restore the file, or detect again")

    def scan(self, query: Query) -> Detections:
        """Return the matches of a query, in no particular order and without regard to its limit.

        Args:
            query: What to look for.

        Returns:
            The matches.

        Raises:
            StoreError: If the file is damaged.
        """
        import shapely

        with self._blaming_the_file():
            groups = self._row_groups(query)
            names = SCHEMA.names if query.bounds() is None else FILE_SCHEMA.names
            table = self._file.read_row_groups(groups, columns=names) if groups else None
        if table is None:
            return self._detections(SCHEMA.empty_table())
        found = self._detections(table.select(SCHEMA.names))
        passed = query.column_mask(found)
        if query.bounds() is not None:
            bbox = table.column("bbox").combine_chunks()
            hulls = np.stack([bbox.field(name).to_numpy() for name in BOUNDS], axis=1)
            passed &= query.hull_mask(hulls)
            near = np.flatnonzero(passed)
            with self._blaming_the_file():
                footprints = shapely.from_wkb(table.column("geometry").take(pa.array(near)).to_numpy())
            passed[near] = query.touch_mask(footprints)
        return found.take(passed)

    def _detections(self, table: pa.Table) -> Detections:
        """Make detections of rows as they are stored."""
        scenes = {scene.id: scene for scene in self.head.scenes}
        with self._blaming_the_file():
            columns = [
                column.cast(pa.string()).dictionary_encode() if column_type == NAME_TYPE else column.cast(column_type)
                for column, column_type in zip(table.columns, SCHEMA.types, strict=True)
            ]
            return Detections(pa.table(columns, schema=SCHEMA), scenes, self.head.class_names, self.head.runs)

    def _row_groups(self, query: Query) -> list[int]:
        """Return the row groups whose statistics allow a match."""
        metadata = self._file.metadata
        if self._excluded(query):
            return []
        count = metadata.num_row_groups
        passed = np.ones(count, dtype=np.bool_)
        leaves = {metadata.schema.column(number).path: number for number in range(len(metadata.schema))}
        if query.bounds() is not None:
            lowest = [self._extremes(leaves[f"bbox.{name}"])[:, 0] for name in BOUNDS[:2]]
            highest = [self._extremes(leaves[f"bbox.{name}"])[:, 1] for name in BOUNDS[2:]]
            passed &= query.hull_mask(np.stack([*lowest, *highest], axis=1))
        if query.min_score is not None:
            passed &= self._extremes(leaves["score"])[:, 1] >= query.min_score
        return [int(number) for number in np.flatnonzero(passed)]

    def _excluded(self, query: Query) -> bool:
        """Return whether the head tells that nothing matches."""
        head = self.head
        asked = (
            (query.classes, head.class_names),
            (query.runs, head.runs),
            (query.scenes, [scene.id for scene in head.scenes]),
        )
        return any(names is not None and set(names).isdisjoint(held) for names, held in asked)

    def _extremes(self, leaf: int) -> npt.NDArray[np.float64]:
        """Return the smallest and largest value of a column in each row group (g, 2); unknown ones are infinite."""
        extremes = np.empty((self._file.metadata.num_row_groups, 2))
        for number in range(len(extremes)):
            statistics = self._file.metadata.row_group(number).column(leaf).statistics
            known = statistics is not None and statistics.has_min_max
            extremes[number] = (statistics.min, statistics.max) if known else (-np.inf, np.inf)
        return extremes

    @contextmanager
    def _blaming_the_file(self) -> Iterator[None]:
        """Turn what goes wrong while the file is read into an error that names it."""
        import shapely

        try:
            yield
        except FileNotFoundError as error:
            raise StoreError(f"{self.path} does not exist; check the name") from error
        except (OSError, pa.ArrowException, shapely.errors.ShapelyError, UsageError, KeyError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(
                f"{self.path} cannot be read ({reason}); restore it, or delete it and detect again"
            ) from error
