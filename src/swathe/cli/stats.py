"""`swathe stats`: how many, how sure, how large, and pointing where."""

from __future__ import annotations

import itertools
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
from swathe.cli.notes import answer
from swathe.cli.options import Classes, Json, MinScore, NameProperty, Overwrite, Region, free_output, print_json
from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swathe.statistics import Histogram, Place, Statistics

BAR_WIDTH = 40  # characters
EIGHTHS = " ▏▎▍▌▋▊▉"
FULL = "█"
MOST_PLACES = 30  # scenes or areas printed; --json has all


def stats(
    store: Found,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PICTURE", help="Draw the histograms: .png, .svg or .pdf.")
    ] = None,
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
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Print counts, densities and distributions of score, size and direction; conditions are those of query."""
    from swathe.drawing.histograms import draw_histograms
    from swathe.statistics import summarise
    from swathe.store.files import open_held

    if output is not None:
        _check_picture(output, overwrite=overwrite)
    chosen = find_areas(store, area or (), areas, name_property)
    condition = make_condition(
        box=box,
        polygon=None if polygon is None else read_polygon(polygon),
        areas=chosen,
        near=near,
        acquired=acquired,
        length=length,
        width=width,
        azimuth=azimuth,
        classes=classes,
        min_score=min_score,
        scenes=scenes,
        runs=runs,
    )
    found = answer(open_held(store), condition, one_of_several=True)
    result = summarise(found, chosen or ())
    if output is not None:
        draw_histograms(result, output)
    if json:
        print_json({"event": "summary", **result.to_json(), "file": None if output is None else str(output)})
        return
    echo(*as_text(result))
    if output is not None:
        echo(output)


def as_text(result: Statistics) -> list[str]:
    """Write statistics for people.

    Args:
        result: The numbers.

    Returns:
        Lines with bars of `BAR_WIDTH` characters at most.
    """
    lines = [counted(result.detections, "detection"), ""]
    lines += ["class", *_bars(list(result.per_class), list(result.per_class.values()))]
    for histogram in result.histograms:
        unit = f", {histogram.unit}" if histogram.unit else ""
        lines += ["", f"{histogram.name}{unit}", *_bars(_ranges(histogram), histogram.counts)]
    for title, places in (("scene", result.scenes), ("area", result.areas)):
        if places:
            lines += ["", *_places(title, places)]
    return lines


def _ranges(histogram: Histogram) -> list[str]:
    """Return a label for each bin, aligned on the right."""
    edges = [f"{edge:g}" for edge in histogram.edges]
    wide = max(map(len, edges))
    return [f"{low:>{wide}} – {high:>{wide}}" for low, high in itertools.pairwise(edges)]


def _bars(labels: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Return a line with label, count and bar each; empty bins at both ends are left out."""
    largest = max(counts, default=0)
    if not largest:
        return ["  none"]
    filled = [number for number, count in enumerate(counts) if count]
    keep = range(filled[0], filled[-1] + 1)
    wide, digits = max(len(labels[number]) for number in keep), len(f"{largest:,}")
    return [
        f"  {labels[number]:<{wide}}  {counts[number]:>{digits},}  {bar(counts[number] / largest)}".rstrip()
        for number in keep
    ]


def bar(share: float) -> str:
    """Return a bar of full and partial blocks.

    Args:
        share: Of the longest bar, 0 to 1; what is above 0 shows at least an eighth of a character.

    Returns:
        Up to `BAR_WIDTH` characters.
    """
    eighths = max(round(share * BAR_WIDTH * 8), 1 if share > 0 else 0)
    return (FULL * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def _places(title: str, places: Sequence[Place]) -> list[str]:
    """Return a table of scenes or areas, those with most detections first."""
    best = sorted(places, key=lambda place: (-place.detections, place.name))[:MOST_PLACES]
    rows: list[tuple[str, ...]] = [(title, "detections", "km2", "per km2")]
    for place in best:
        on_ground = [
            "" if value is None else f"{value:,.{digits}f}"
            for value, digits in ((place.square_kilometres, 3), (place.density, 1))
        ]
        rows.append((place.name, f"{place.detections:,}", *on_ground))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(row[n].rjust(widths[n]) for n in (1, 2, 3))]).rstrip() for row in rows
    ]
    rest = len(places) - len(best)
    return [*lines, f"and {rest:,} more; --json prints all"] if rest else lines


def _check_picture(path: Path, *, overwrite: bool) -> None:
    """Make sure, before the work, that histograms can be drawn to a file."""
    import importlib.util

    from swathe.drawing.histograms import SUFFIXES

    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: the name of a picture must end in {', '.join(SUFFIXES)}")
    free_output(path, overwrite=overwrite)
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError(library="matplotlib", extra="plot")
