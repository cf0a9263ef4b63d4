"""`swathe query`: what a store holds, printed or written elsewhere."""

from __future__ import annotations

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
    find_areas,
    make_condition,
    read_polygon,
)
from swathe.cli.found import check_target, print_best, print_counts, print_features
from swathe.cli.notes import answer
from swathe.cli.options import Classes, Json, MinScore, NameProperty, Overwrite, Region, print_json
from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.detections import Detections

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="File to write: .geojson .gpkg .csv .pmtiles .coco.json ...; or a folder (DOTA, YOLO).",
    ),
]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="geojson, gpkg, fgb, csv, coco, dota, yolo-obb, cvat, label-studio, parquet, pmtiles; else by the name.",
    ),
]


def query(
    store: Found,
    box: Region = None,
    polygon: PolygonFile = None,
    area: AreaNames = None,
    areas: AreaFile = None,
    name_property: NameProperty = None,
    near: Near = None,
    acquired: Period = None,
    length: Length = None,
    width: Width = None,
    azimuth: Azimuth = None,
    classes: Classes = None,
    min_score: MinScore = None,
    scenes: Scenes = None,
    runs: Runs = None,
    limit: Annotated[int | None, typer.Option(help="At most so many, those of the highest scores.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Print only how many there are of each class.")] = False,
    output: Output = None,
    format: FormatName = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Print what matches, or write it to a file; conditions are combined by "and"."""
    from swathe.store.exports import export
    from swathe.store.files import open_held

    if output is None and format is not None:
        raise UsageError(f"--format {format} needs a place to write to; give one with --output")
    if output is not None and count:
        raise UsageError(f"--count prints and --output {output} writes; leave one of them out")
    target = None if output is None else check_target(output, format, overwrite=overwrite)
    condition = make_condition(
        box=box,
        polygon=None if polygon is None else read_polygon(polygon),
        areas=find_areas(store, area or (), areas, name_property),
        near=near,
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
    found = answer(open_held(store), condition)
    if output is not None:
        export(found, output, target, overwrite=overwrite)
    _report(found, output, count=count, json=json)
    if output is not None and target == "pmtiles":
        _name_page(output)


def _report(found: Detections, output: Path | None, *, count: bool, json: bool) -> None:
    """Print what was found, or where it was written."""
    if json:
        if output is None and not count:
            print_features(found)
        file = None if output is None else str(output)
        print_json({"event": "summary", "detections": len(found), "per_class": found.per_class(), "file": file})
    elif output is not None:
        echo(f"{output}: {counted(len(found), 'detection')}")
    else:
        (print_counts if count else print_best)(found)


def _name_page(archive: Path) -> None:
    """Tell where the page of a map lies."""
    from swathe.viewer.page import page_is_built

    if page_is_built():
        echo(f"{archive.with_suffix('.html')} shows it, from any web server", err=True)
    else:
        echo("the page that shows it is not built; run `make frontend`, which needs Node and npm", err=True)
