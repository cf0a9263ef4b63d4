"""`swathe query`: what a store holds, printed or written elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swathe.cli.found import check_target, print_counts, print_features, print_table
from swathe.cli.options import (
    Classes,
    Json,
    MinScore,
    NameProperty,
    Overwrite,
    Region,
    names,
    numbers,
    print_json,
    span,
)
from swathe.errors import SourceError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swathe.areas import Area
    from swathe.detections import Detections, SceneInfo
    from swathe.query import Query

Found = Annotated[Path, typer.Argument(metavar="STORE", help="A store, or a GeoParquet file written by Swathe.")]
Near = Annotated[
    str | None, typer.Option(metavar="LON,LAT,METRES", help="Only what comes so near to this place on the ground.")
]
AreaNames = Annotated[
    list[str] | None,
    typer.Option("--area", metavar="NAME", help="Only what touches this area of the store, or of --areas; repeatable."),
]
AreaFile = Annotated[Path | None, typer.Option("--areas", metavar="FILE", help="GeoJSON file to take the areas from.")]
Period = Annotated[
    str | None, typer.Option("--acquired", metavar="FROM..TO", help="Only scenes taken in this time, TO excluded; UTC.")
]
Length = Annotated[str | None, typer.Option(metavar="MIN..MAX", help="Only what is so long on the ground, metres.")]
Width = Annotated[str | None, typer.Option(metavar="MIN..MAX", help="Only what is so wide on the ground, metres.")]
Azimuth = Annotated[
    str | None,
    typer.Option(
        metavar="FROM..TO", help="Only long sides that point there: degrees from north, 0 to 180; 170..10 is around 0."
    ),
]
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
_OPTIONS = {"classes", "near", "box", "limit", "min_score", "acquired", "length", "width", "azimuth", "scenes", "runs"}


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
    scenes: Annotated[str | None, typer.Option(metavar="LIST", help="Only these scenes, by id.")] = None,
    runs: Annotated[str | None, typer.Option("--runs", "--run", metavar="LIST", help="Only these runs, by id.")] = None,
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
        near=numbers("--near", near),
        acquired=span("--acquired", acquired, str),
        length=span("--length", length, float),
        width=span("--width", width, float),
        azimuth=span("--azimuth", azimuth, float),
        classes=names("--classes", classes) or None,
        min_score=min_score,
        scenes=names("--scenes", scenes) or None,
        runs=names("--runs", runs) or None,
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
        (print_counts if count else print_table)(found)


def make_condition(**values: Any) -> Query:
    """Make a query of the values of options, and let its errors name the options.

    Args:
        **values: Fields of the query.

    Returns:
        The query.

    Raises:
        UsageError: If a condition makes no sense.
    """
    from swathe.query import Query

    try:
        return Query(**values)
    except UsageError as error:
        field, _, rest = str(error).partition(" ")
        if field not in _OPTIONS:
            raise
        raise UsageError(f"--{field.replace('_', '-')} {rest}") from error


def find_areas(
    store: Path, wanted: Sequence[str], file: Path | None, name_property: str | None
) -> tuple[Area, ...] | None:
    """Look up areas by name.

    Args:
        store: The store that holds areas.
        wanted: Their names; with a file and no name, all areas of the file are meant.
        file: GeoJSON file to take them from instead.
        name_property: Property of the file that holds the names.

    Returns:
        The areas, None if none is asked for.

    Raises:
        UsageError: If a name is unknown or has several meanings.
        SourceError: If there are no areas, or the file is damaged.
    """
    from swathe.areas import NAME_PROPERTY, Areas

    if file is None and name_property is not None:
        raise UsageError("--name-property belongs to a file of areas; name it with --areas")
    if file is None and not wanted:
        return None
    if file is None and not store.is_dir():
        raise UsageError(f"--area: {store} is a file and holds no areas; name a file of areas with --areas")
    known = Areas.open(file or store, name_property=name_property or NAME_PROPERTY)
    return tuple(known[name] for name in wanted) if wanted else tuple(known)


def scan(path: Path, condition: Query) -> Detections:
    """Answer a query from a store or from a file.

    Args:
        path: A store, or a GeoParquet file.
        condition: What to look for.

    Returns:
        The matches in canonical order.

    Raises:
        StoreError: If there is nothing at the path, or something else or something damaged.
    """
    from swathe.detections import Detections
    from swathe.store.geoparquet import GeoParquetStore

    if not path.exists():
        raise StoreError(f"{path}: does not exist; give the folder that `swathe detect -o` wrote")
    if path.is_dir():
        return GeoParquetStore(path).scan(condition)
    return Detections.open(path).filter(condition)


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
