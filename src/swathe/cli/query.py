"""`swathe query`: what a store holds, printed or written elsewhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.conditions import (
    AreaFile,
    AreaNames,
    Azimuth,
    Found,
    Length,
    Near,
    Period,
    PolygonFile,
    Runs,
    Scenes,
    Width,
    Within,
    find_areas,
    make_condition,
    read_polygon,
)
from swathe.cli.found import check_target, print_best, print_columns, print_counts, print_features
from swathe.cli.notes import answer
from swathe.cli.options import Classes, Json, MinScore, NameProperty, Overwrite, Region, names, print_json
from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import Argument, UsageError

if TYPE_CHECKING:
    from swathe.detections import Detections

STREAM = "-"
STREAMED = ("csv", "geojson")
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="File to write: .geojson .gpkg .csv .pmtiles .coco.json ...; a folder (DOTA, YOLO, STAC); or - for CSV.",
    ),
]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="geojson, gpkg, fgb, shp, kml, qml, csv, coco, dota, dota-labels, dior-r, yolo-obb, cvat, "
        "label-studio, stac, parquet, pmtiles; else by the name.",
    ),
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="LIST",
        help="Order by score, class, scene, run, size, length, width, azimuth or acquired; -score for falling.",
    ),
]
ColumnNames = Annotated[
    str | None, typer.Option("--columns", metavar="LIST", help="Only these columns, such as class,score,length_m.")
]
Limit = Annotated[
    int | None, typer.Option(help="At most so many: the first in the order of --sort, or those of the highest scores.")
]
MergeScenes = Annotated[
    bool,
    typer.Option("--merge-scenes", help="Count what several scenes of a run show once, as overlapping sheets do."),
]


def query(
    store: Found,
    box: Region = None,
    polygon: PolygonFile = None,
    area: AreaNames = None,
    areas: AreaFile = None,
    name_property: NameProperty = None,
    near: Near = None,
    within: Within = False,
    acquired: Period = None,
    length: Length = None,
    width: Width = None,
    azimuth: Azimuth = None,
    classes: Classes = None,
    min_score: MinScore = None,
    scenes: Scenes = None,
    runs: Runs = None,
    limit: Limit = None,
    merge_scenes: MergeScenes = False,
    sort: Sort = None,
    columns: ColumnNames = None,
    count: Annotated[bool, typer.Option("--count", help="Print only how many there are of each class.")] = False,
    output: Output = None,
    format: FormatName = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Print what matches, or write it to a file; conditions are combined by "and"."""
    from swathe.detections.order import check_keys
    from swathe.query import Query
    from swathe.store.exports import check_columns, export
    from swathe.store.files import open_held

    streamed = output is not None and str(output) == STREAM
    _check_output(output, format, columns, streamed=streamed, count=count, json=json)
    keys = None if sort is None else check_keys(names("sort", sort))
    chosen = check_columns(names("columns", columns) or None)
    target = None if output is None or streamed else check_target(output, format, overwrite=overwrite)
    condition = make_condition(
        box=box,
        polygon=None if polygon is None else read_polygon(polygon),
        areas=find_areas(store, area or (), areas, name_property),
        near=near,
        within=within,
        acquired=acquired,
        length=length,
        width=width,
        azimuth=azimuth,
        classes=classes,
        min_score=min_score,
        scenes=scenes,
        runs=runs,
        limit=limit,
    )
    late = merge_scenes or keys is not None  # then all are looked at before there is a limit
    found = answer(open_held(store), replace(condition, limit=None) if late else condition)
    if merge_scenes:
        from swathe.engine.across import merge_scenes as merge

        found = merge(found)
    if keys is not None:
        found = found.sort_by(*keys)[:limit]
    elif late:
        found = Query(limit=limit).select(found)
    if output is None:
        _print(found, chosen, in_order=keys is not None, count=count, json=json)
    elif streamed:
        _stream(found, format or STREAMED[0], chosen)
        return
    else:
        export(found, output, target, columns=chosen, keep_order=keys is not None, overwrite=overwrite)
        if not json:
            echo(f"{output}: {counted(len(found), 'detection')}")
        if target == "pmtiles":
            _name_page(output)
    if json:
        file = None if output is None else str(output)
        print_json({"event": "summary", "detections": len(found), "per_class": found.per_class(), "file": file})


def _check_output(
    output: Path | None, format: str | None, columns: str | None, *, streamed: bool, count: bool, json: bool
) -> None:
    """Refuse options that do not go together."""
    if output is None and format is not None:
        raise UsageError(f"--format {format} needs a place to write to; give one with --output")
    if output is not None and count:
        raise UsageError(f"--count prints and --output {output} writes; leave one of them out")
    if columns is not None and (count or (json and output is None)):
        raise UsageError(
            Argument("columns", columns), ": is for tables; leave out ", Argument("count" if count else "json")
        )
    if streamed and (json or format not in (None, *STREAMED)):
        accepted = f"{' or '.join(STREAMED)}, which can be written line by line"
        if json:
            raise UsageError("--output - writes lines of CSV or GeoJSON to the standard output; leave --json out")
        raise UsageError(argument="format", value=format, accepted=accepted)


def _stream(found: Detections, format: str, columns: tuple[str, ...] | None) -> None:
    """Write lines of CSV, or a GeoJSON feature in each line, to the standard output."""
    from swathe.store.exports import features, stream_csv

    if format == "csv":
        stream_csv(found, sys.stdout.buffer, columns)
        return
    for line in features(found, columns):
        typer.echo(line)


def _print(found: Detections, columns: tuple[str, ...] | None, *, in_order: bool, count: bool, json: bool) -> None:
    """Print what was found."""
    if count and not json:
        print_counts(found)
    elif json and not count:
        print_features(found)
    elif columns is not None:
        print_columns(found, columns, in_order=in_order)
    elif not json:
        print_best(found, in_order=in_order)


def _name_page(archive: Path) -> None:
    """Tell where the page of a map lies."""
    from swathe.viewer.page import page_is_built

    if page_is_built():
        echo(f"{archive.with_suffix('.html')} shows it, from any web server", err=True)
    else:
        echo("the page that shows it is not built; run `make frontend`, which needs Node and npm", err=True)
