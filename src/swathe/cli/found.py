"""Detections on the terminal, and the files that commands write them to."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from swathe.cli.options import free_output, print_json
from swathe.cli.output import echo
from swathe.cli.tables import print_table
from swathe.counts import counted
from swathe.times import utc_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swathe.detections import Detections
    from swathe.store.exports import Format

PRINTED_ROWS = 20


def check_target(path: Path, name: str | None, *, overwrite: bool) -> Format:
    """Make sure, before the work, that detections can be written to a place.

    Args:
        path: A file, or a folder for formats of several files.
        name: Name of the format; seen from the end of the path if not given.
        overwrite: Whether what exists may be replaced.

    Returns:
        The format.

    Raises:
        UsageError: If there is no such format, or the path does not tell one.
        MissingExtraError: If the format needs a library that is not installed.
        StoreError: If the path exists and may not be replaced, or its folder does not exist.
    """
    from swathe.store.exports import chosen_format

    chosen = chosen_format(path, name)
    if not chosen.is_folder or (path.exists() and not path.is_dir()):
        free_output(path, overwrite=overwrite)
    return chosen


def print_features(found: Detections) -> None:
    """Print each detection as a line of JSON, corners in geometry coordinates, measures in metres and degrees."""
    from swathe.store.schema import MEASURES

    corners = found.to_polygons("geometry")
    measures = [[None if math.isnan(value) else value for value in row] for row in found.measures().tolist()]
    for number, row in enumerate(found.table.to_pylist()):
        on_ground = dict(zip(MEASURES, measures[number], strict=True))
        print_json({"event": "detection", **row, **on_ground, "polygon": corners[number].tolist()})


def print_counts(found: Detections) -> None:
    """Print how many detections there are of each class, and of all."""
    total, unit = counted(len(found), "detection").split()
    lines = [*((f"{count:,}", name) for name, count in found.per_class().items()), (total, unit)]
    width = max(len(count) for count, _ in lines)
    echo(*(f"{count:>{width}}  {name}" for count, name in lines))


def print_best(found: Detections, *, in_order: bool = False) -> None:
    """Print the rows of the highest scores with a line about the rest; each scene's places are of its own kind.

    Args:
        found: What was found.
        in_order: Whether the first rows are meant instead.
    """
    kinds = {scene.georeferenced for scene in found.scenes.values()}
    places = ("lon or x", "lat or y") if len(kinds) > 1 else ("longitude", "latitude") if True in kinds else ("x", "y")
    titles = ("scene", "class", "score", *places, "long px", "short px", "angle", "long m", "short m", "azimuth")
    best = _first(found, in_order=in_order)
    shown = len(titles) if True in kinds else titles.index("long m")
    rows = [line[:shown] for line in _lines(best)]
    if len(found.runs) > 1:
        rows = [[str(run), *row] for run, row in zip(best.run_ids, rows, strict=True)]
    print_table([*(["run"] if len(found.runs) > 1 else []), *titles[:shown]], rows)
    _say_rest(found, best, in_order=in_order)


def print_columns(found: Detections, columns: Sequence[str], *, in_order: bool) -> None:
    """Print columns of exports of the first rows, or of those of the highest scores, with a line about the rest."""
    from swathe.store.exports import attributes

    best = _first(found, in_order=in_order)
    rows = [
        ["" if value is None else _text(value) for value in row.values()]
        for row in attributes(best, columns).to_pylist()
    ]
    print_table(columns, rows)
    _say_rest(found, best, in_order=in_order)


def _first(found: Detections, *, in_order: bool) -> Detections:
    """Return the rows that are printed."""
    order = range(len(found)) if in_order else found.scores.argsort(kind="stable")[::-1]
    return found.take(order[:PRINTED_ROWS])


def _say_rest(found: Detections, printed: Detections, *, in_order: bool) -> None:
    """Print how many there are beside those that were printed."""
    which = "first" if in_order else "best"
    rest = f", the {which} {len(printed)} shown; -o FILE writes all" if len(found) > len(printed) else ""
    echo(f"{counted(len(found), 'detection')}{rest}")


def _text(value: object) -> str:
    """Return a value of a column as text."""
    if isinstance(value, datetime):
        return utc_text(value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _lines(found: Detections) -> list[Sequence[str]]:
    """Return detections as the fields of a table; what is on the ground is empty without georeference."""
    centres, measures, boxes = found.centres().tolist(), found.measures().tolist(), found.boxes.tolist()
    lines: list[Sequence[str]] = []
    rows = zip(found.scene_ids, found.classes, found.scores, boxes, centres, measures, strict=True)
    for scene, name, score, (cx, cy, long_side, short_side, theta), centre, (length, width, azimuth) in rows:
        on_ground = not math.isnan(length)
        place = [f"{value:.7f}" for value in centre] if on_ground else [f"{cx:.1f}", f"{cy:.1f}"]
        sizes = [f"{long_side:.1f}", f"{short_side:.1f}", f"{math.degrees(theta):.1f}"]
        metres = [f"{length:.1f}", f"{width:.1f}", f"{azimuth:.1f}"] if on_ground else [""] * 3
        lines.append([str(scene), str(name), f"{score:.3f}", *place, *sizes, *metres])
    return lines
