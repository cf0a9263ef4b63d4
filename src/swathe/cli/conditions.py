"""Which detections a command looks at: the conditions of `swathe query`, which other commands share, and the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swathe.cli.options import RUN, names, numbers, span
from swathe.errors import Argument, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swathe.areas import Area
    from swathe.query import Query

Found = Annotated[str, typer.Argument(metavar="STORE", help="A store, or a GeoParquet file of detections.")]
Near = Annotated[
    str | None, typer.Option(metavar="LON,LAT,METRES", help="Only what comes so near to this place on the ground.")
]
AreaNames = Annotated[
    list[str] | None,
    typer.Option("--area", metavar="NAME", help="Only what touches this area of the store, or of --areas; repeatable."),
]
AreaFile = Annotated[
    Path | None,
    typer.Option("--areas", metavar="FILE", help="File of polygons to take the areas from: .geojson .gpkg .shp"),
]
Within = Annotated[
    bool, typer.Option("--within", help="Only what has its centre in these regions; touching is not enough.")
]
PolygonFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Only what touches the polygon of this file, .geojson .gpkg .shp")
]
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
Scenes = Annotated[str | None, typer.Option("--scenes", "--scene", metavar="LIST", help="Only these scenes, by id.")]
Runs = Annotated[str | None, typer.Option("--runs", "--run", metavar="LIST", help=f"Only these runs, each by {RUN}.")]

_READ: dict[str, Callable[[str, str | None], Any]] = {
    "near": numbers,
    "acquired": lambda argument, text: span(argument, text, str),
    "length": lambda argument, text: span(argument, text, float),
    "width": lambda argument, text: span(argument, text, float),
    "azimuth": lambda argument, text: span(argument, text, float),
    "classes": names,
    "scenes": names,
    "runs": names,
}


def make_condition(**given: Any) -> Query:
    """Make a query of the values of options.

    Args:
        **given: Fields of the query; those that an option gives as text are read.

    Returns:
        The query.

    Raises:
        UsageError: If a value cannot be read, or a condition makes no sense.
    """
    from swathe.query import Query

    texts = {name: read(name, given[name]) or None for name, read in _READ.items() if name in given}
    return Query(**{**given, **texts})


def read_polygon(path: Path) -> tuple[tuple[float, float], ...]:
    """Read the outer ring of the only polygon of a GeoJSON file.

    Args:
        path: A geometry, a feature, or a collection of one feature.

    Returns:
        The corners: longitude, latitude if the file names a reference system, otherwise as they are.

    Raises:
        SourceError: If the file cannot be read or holds anything else than one simple polygon without holes.
    """
    import shapely

    from swathe.geojson import LONGITUDE_LATITUDE, read_polygons
    from swathe.query.values import ring
    from swathe.raster.georeference import convert

    polygons = read_polygons(path, "polygon")
    outlines = [feature.geometry for feature in polygons.features if feature.geometry is not None]
    if [outline.geom_type for outline in outlines] != ["Polygon"] or outlines[0].interiors:
        hint = "holds something else than one polygon without holes; save it so, or give the file as "
        raise SourceError(f"polygon {path}: {hint}", Argument("areas"))
    corners = shapely.get_coordinates(outlines[0].exterior)
    try:
        placed = polygons.crs == LONGITUDE_LATITUDE
        return ring(corners if placed else convert(polygons.crs, LONGITUDE_LATITUDE, corners))
    except (SourceError, UsageError) as error:
        raise SourceError(f"polygon {path}: ", *error.args) from error


def find_areas(
    store: str, wanted: Sequence[str], file: Path | None, name_property: str | None
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
    from swathe.store.files import open_held

    if file is None and name_property is not None:
        raise UsageError("--name-property belongs to a file of areas; name it with --areas")
    if file is None and not wanted:
        return None
    if file is not None:
        known = Areas.open(file, name_property=name_property or NAME_PROPERTY)
    else:
        known = open_held(store).areas()
        if not len(known):
            hint = "add some with `swathe areas`, or name a file with --areas"
            raise SourceError(f"there are no areas in {store}; {hint}")
    return tuple(known[name] for name in wanted) if wanted else tuple(known)
