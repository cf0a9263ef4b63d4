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
    Runs,
    Scenes,
    Width,
    find_areas,
    make_condition,
    scan,
)
from swathe.cli.found import check_target, print_best, print_counts, print_features
from swathe.cli.options import Classes, Json, MinScore, NameProperty, Overwrite, Region, print_json
from swathe.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swathe.detections import Detections, SceneInfo
    from swathe.query import Query

Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="File to write: .geojson .gpkg .fgb .csv .coco.json .parquet; or a folder for DOTA."
    ),
]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="geojson, gpkg, fgb, csv, coco, dota or parquet, if the name of the output does not say.",
    ),
]


def query(
    store: Found,
    box: Region = None,
    polygon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only what touches the polygon of this GeoJSON file.")
    ] = None,
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
    found = scan(store, condition)
    if condition.on_ground or condition.acquired is not None:
        for note in unmatched(condition, scenes_at(store)):
            typer.echo(note, err=True)
    if output is not None:
        export(found, output, target, overwrite=overwrite)
    _report(found, output, count=count, json=json)


def _report(found: Detections, output: Path | None, *, count: bool, json: bool) -> None:
    """Print what was found, or where it was written."""
    if json:
        if output is None and not count:
            print_features(found)
        file = None if output is None else str(output)
        print_json({"event": "summary", "detections": len(found), "per_class": found.per_class(), "file": file})
    elif output is not None:
        typer.echo(f"{output}: {len(found):,} detections")
    else:
        (print_counts if count else print_best)(found)


def scenes_at(path: Path) -> tuple[SceneInfo, ...]:
    """Return the scenes of a store or of a GeoParquet file.

    Args:
        path: The store or file.

    Returns:
        All scenes, those without detections too.

    Raises:
        StoreError: If something is damaged.
    """
    from swathe.store.detections_file import DetectionsFile
    from swathe.store.geoparquet import GeoParquetStore

    return GeoParquetStore(path).scenes() if path.is_dir() else DetectionsFile(path).head.scenes


def unmatched(condition: Query, scenes: Sequence[SceneInfo]) -> list[str]:
    """Say once which scenes can never match, for want of what a condition asks for.

    Args:
        condition: The query.
        scenes: All scenes that were asked.

    Returns:
        Lines for the user.
    """
    asked = [scene for scene in scenes if condition.scenes is None or scene.id in condition.scenes]
    lines = []
    unplaced = sum(not scene.georeferenced for scene in asked)
    if condition.on_ground and unplaced:
        lines.append(
            f"note: {unplaced:,} of {len(asked):,} scenes have no georeference; conditions on the ground (areas, "
            "--near, --length, --width, --azimuth, a --box across the antimeridian) never match them"
        )
    untimed = sum(scene.acquired is None for scene in asked)
    if condition.acquired is not None and untimed:
        lines.append(
            f"note: of {untimed:,} of {len(asked):,} scenes it is not known when they were taken; --acquired never "
            "matches them; `swathe detect --acquired TIME` tells it"
        )
    return lines


def read_polygon(path: Path) -> tuple[tuple[float, float], ...]:
    """Read the outer ring of the only polygon of a GeoJSON file.

    Args:
        path: A geometry, a feature, or a collection of one feature.

    Returns:
        The corners (x, y).

    Raises:
        SourceError: If the file cannot be read or holds anything else than one polygon without holes.
    """
    import json

    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["type"] == "FeatureCollection":
            (value,) = value["features"]
        if value["type"] == "Feature":
            value = value["geometry"]
        rings = value["coordinates"] if value["type"] == "Polygon" else []
        (ring,) = rings
        return tuple((float(x), float(y)) for x, y, *_ in ring)
    except OSError as error:
        raise SourceError(f"--polygon {path}: cannot be read ({error.strerror}); check the name") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SourceError(
            f"--polygon {path}: is no GeoJSON of exactly one polygon without holes; save it so, or give it to --areas"
        ) from error
