"""`swathe query`: what a store holds, printed or written elsewhere."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.options import Classes, Json, MinScore, Overwrite, Region, names, print_json
from swathe.errors import SourceError, StoreError, UsageError

if TYPE_CHECKING:
    from swathe.detections import Detections
    from swathe.query import Query

Found = Annotated[Path, typer.Argument(metavar="STORE", help="A store, or a GeoParquet file written by Swathe.")]
PRINTED_ROWS = 20


class Format(StrEnum):
    """What a query can be written as."""

    GEOJSON = "geojson"
    PARQUET = "parquet"
    DOTA = "dota"


_BY_SUFFIX = {".geojson": Format.GEOJSON, ".json": Format.GEOJSON, ".parquet": Format.PARQUET}


def query(
    store: Found,
    box: Region = None,
    polygon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only what touches the polygon of this GeoJSON file.")
    ] = None,
    classes: Classes = None,
    min_score: MinScore = None,
    scenes: Annotated[str | None, typer.Option(metavar="LIST", help="Only these scenes, by id.")] = None,
    runs: Annotated[str | None, typer.Option(metavar="LIST", help="Only these runs, by id.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many, those of the highest scores.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A .geojson or .parquet file, or a folder of DOTA Task 1 files."),
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="What to write, if the name of the output does not say.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Print what matches, or write it to a file; conditions are combined by "and"."""
    from swathe.query import Query

    if format is not None and output is None:
        raise UsageError(f"--format {format.value} needs a place to write to; give one with --output")
    condition = Query(
        box=box,
        polygon=None if polygon is None else read_polygon(polygon),
        classes=names("--classes", classes) or None,
        min_score=min_score,
        scenes=names("--scenes", scenes) or None,
        runs=names("--runs", runs) or None,
        limit=limit,
    )
    found = scan(store, condition)
    if output is not None:
        write(found, output, format, overwrite=overwrite)
    if json:
        if output is None:
            _print_features(found)
        print_json({"event": "summary", "detections": len(found), "file": None if output is None else str(output)})
    elif output is not None:
        typer.echo(f"{output}: {len(found):,} detections")
    else:
        _print_table(found)


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
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check the name") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{path}: is no GeoJSON of exactly one polygon without holes; save it as one") from error


def write(found: Detections, path: Path, kind: Format | None, *, overwrite: bool) -> None:
    """Write detections in a foreign format.

    Args:
        found: What to write.
        path: File, or folder for DOTA files.
        kind: The format; seen from the suffix if not given.
        overwrite: Whether what exists may be replaced.

    Raises:
        UsageError: If the suffix says nothing and no format is given, or does not fit to it.
        StoreError: If the output exists already or cannot be written.
    """
    from swathe.store.exports import write_dota_task1, write_geojson

    chosen = kind or _BY_SUFFIX.get(path.suffix.lower())
    if chosen is None:
        raise UsageError(f"{path}: its name does not say what to write; add .geojson or .parquet, or give --format")
    if chosen is Format.DOTA:
        write_dota_task1(found, path, overwrite=overwrite)
    elif chosen is Format.GEOJSON:
        write_geojson(found, path, overwrite=overwrite)
    elif path.suffix.lower() == ".parquet":
        found.save(path, overwrite=overwrite)
    else:
        raise UsageError(f"{path}: the name of a GeoParquet file must end in .parquet")


def _print_features(found: Detections) -> None:
    """Print each detection as a line of JSON, corners in geometry coordinates."""
    corners = found.to_polygons("geometry")
    for number, row in enumerate(found.table.to_pylist()):
        print_json({"event": "detection", **row, "polygon": corners[number].tolist()})


def _print_table(found: Detections) -> None:
    """Print the first rows with a line about the rest; each scene's places are of its own kind."""
    centres = found.to_polygons("geometry").mean(axis=1)
    kinds = {scene.georeferenced for scene in found.scenes.values()}
    places = ("lon or x", "lat or y") if len(kinds) > 1 else ("longitude", "latitude") if True in kinds else ("x", "y")
    titles = ("scene", "class", "score", *places, "long px", "short px", "angle")
    lines = [titles]
    best = found.scores.argsort(kind="stable")[::-1][:PRINTED_ROWS]
    for number in best:
        _, _, long_side, short_side, theta = found.boxes[number]
        decimals = 7 if found.scenes[found.scene_ids[number]].georeferenced else 1
        place = (f"{value:.{decimals}f}" for value in centres[number])
        sizes = (f"{long_side:.1f}", f"{short_side:.1f}", f"{math.degrees(theta):.1f}")
        lines.append((found.scene_ids[number], found.classes[number], f"{found.scores[number]:.3f}", *place, *sizes))
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    rest = f", the best {len(best)} shown; -o FILE writes all" if len(found) > len(best) else ""
    typer.echo(f"{len(found):,} detections{rest}")
