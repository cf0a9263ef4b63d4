"""Answers to queries from files of detections: which files are opened, by what is known of their scenes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from swathe.arguments import instance
from swathe.detections import Detections
from swathe.errors import StoreError
from swathe.query import Query
from swathe.query.regions import hulls_touch
from swathe.store.detections_file import DetectionsFile
from swathe.store.rows import Rows, bounds_of, class_list, class_names, described, may_match
from swathe.store.schema import FileHead, parse_json

if TYPE_CHECKING:
    from swathe.files import Folder
    from swathe.query.cells import Cells

IntArray = npt.NDArray[np.int64]


def scan(folder: Folder, rows: Rows, query: Query | None) -> Iterator[Detections]:
    """Yield what a query asks for, see `Scans.scan`.

    Args:
        folder: The store.
        rows: What is known of its scenes.
        query: What to look for.

    Yields:
        Detections in canonical order; the first batch describes all scenes and has no rows.

    Raises:
        StoreError: If a file is damaged, or was merged or removed meanwhile.
    """
    query = _checked(query)
    asked = rows.asked(query)
    runs = {
        run: parse_json(rows.runs[run]["about"].encode(), f"the row of run {run}")
        for run in sorted(set(asked.column("run").to_pylist()))
    }
    yield Detections.empty(class_names(asked), described(asked), runs)
    files = _files(folder, rows, query)
    if query.limit is None:
        yield from _in_order(files, query)
        return
    best = Detections.empty()
    for _, file in files:
        best = query.finish(Detections.concat([best, file.scan(query)]))
    yield best


def count(folder: Folder, rows: Rows, query: Query | None) -> dict[str, int]:
    """Count what a query asks for by class, see `Scans.count`.

    Args:
        folder: The store.
        rows: What is known of its scenes.
        query: What to look for.

    Returns:
        Detections by class name, in the order of the classes.

    Raises:
        StoreError: If a file is damaged, or was merged or removed meanwhile.
    """
    query = _checked(query)
    asked = rows.asked(query)
    counts = dict.fromkeys(class_names(asked), 0)
    if query.limit is not None:
        parts = [batch.per_class() for batch in scan(folder, rows, query)]
    elif query.regions or query.measured or query.min_score is not None:
        parts = [file.count(query) for _, file in _files(folder, rows, query)]
    else:
        entries = asked.filter(pa.array(may_match(asked, query))).column("per_class").to_pylist()
        parts = [{entry["name"]: entry["detections"] for entry in own} for own in entries]
    for part in parts:
        for name, number in part.items():
            counts[name] = counts.get(name, 0) + number
    wanted = query.classes
    return {name: number for name, number in counts.items() if number and (wanted is None or name in wanted)}


def density(folder: Folder, rows: Rows, query: Query | None, cells: Cells) -> IntArray:
    """Count what a query asks for by the cells of a grid, see `Scans.density`.

    Args:
        folder: The store.
        rows: What is known of its scenes.
        query: What to look for.
        cells: The grid.

    Returns:
        Counts (rows, columns), the first row at the top.

    Raises:
        StoreError: If a file is damaged, or was merged or removed meanwhile.
    """
    import shapely

    query = _checked(query)
    if query.limit is not None:
        hulls = [shapely.bounds(batch.footprints()).reshape(-1, 4) for batch in scan(folder, rows, query)]
        return cells.count(np.concatenate(hulls))
    counts = np.zeros((cells.rows, cells.columns), dtype=np.int64)
    for _, file in _files(folder, rows, query, cells):
        counts += cells.count(file.match_hulls(query, cells.box))
    return counts


def read_files(folder: Folder, rows: Rows, names: list[str]) -> Detections:
    """Read whole files.

    Args:
        folder: The store.
        rows: What is known of its scenes.
        names: The files.

    Returns:
        All that lies in them, in no particular order.

    Raises:
        StoreError: If a file is damaged, or was merged or removed meanwhile.
    """
    return Detections.concat([file.scan(Query()) for _, file in _opened(folder, rows, set(names))])


def _files(
    folder: Folder, rows: Rows, query: Query, cells: Cells | None = None
) -> Iterator[tuple[str, DetectionsFile]]:
    """Yield the files that may hold a match, with the first scene in each, by that scene."""
    asked = rows.asked(query)
    passed = may_match(asked, query)
    if cells is not None:
        passed &= hulls_touch(bounds_of(asked), np.array([cells.box]))
    return _opened(folder, rows, set(pc.unique(asked.column("file").filter(pa.array(passed))).to_pylist()))


def _opened(folder: Folder, rows: Rows, names: set[str]) -> Iterator[tuple[str, DetectionsFile]]:
    """Yield files with the first scene in each, by that scene."""
    held: dict[str, list[int]] = {}
    table = rows.scenes.filter(pc.is_in(rows.scenes.column("file"), pa.array(sorted(names), pa.string())))
    for number, name in enumerate(table.column("file").to_pylist()):
        held.setdefault(name, []).append(number)
    scenes, infos = table.column("scene").to_pylist(), list(described(table).items())
    classes = table.column("class_names").to_pylist()
    for name, numbers in sorted(held.items(), key=lambda item: (min(scenes[number] for number in item[1]), item[0])):
        known = dict(infos[number] for number in numbers)
        own_classes = dict.fromkeys(part for number in numbers for part in class_list(classes[number]))
        head = FileHead(known, tuple(own_classes), {run: {} for run, _ in known})
        where = f"{folder.address}/{name}"
        try:
            source = folder.open(name)
        except FileNotFoundError as error:
            raise StoreError(
                f"{where} is missing: it was merged or removed a moment ago, or the store is damaged; try again"
            ) from error
        with source:
            yield min(scenes[number] for number in numbers), DetectionsFile(source, where, head)


def _in_order(files: Iterator[tuple[str, DetectionsFile]], query: Query) -> Iterator[Detections]:
    """Yield the matches of files that come by their first scene, in canonical order; files may hold many scenes."""
    held = Detections.empty()
    for first, file in files:
        done = held.scene_ids < first
        found = query.forget_others(file.scan(query))
        if done.any():
            yield held.take(done).sorted()
        held = found if done.all() else Detections.concat([held.take(~done), found])
    yield held.sorted()


def _checked(query: Query | None) -> Query:
    return Query() if query is None else instance("query", query, Query, "a Query, or None for everything")
