"""Answers of the commands, and what they do not say by themselves: unknown names, unfinished runs, several runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import Argument, UsageError

if TYPE_CHECKING:
    from swathe.detections import Detections, SceneInfo
    from swathe.query import Query
    from swathe.store.files import Held
    from swathe.store.protocol import StoredRun


def answer(held: Held, condition: Query, *, one_of_several: bool = False) -> Detections:
    """Read what a query asks for, and print what could mislead a reader of the answer, on the standard error.

    Args:
        held: The store or file that is asked.
        condition: What is asked for; runs as a user names them.
        one_of_several: Whether only the latest run counts where several have looked at a scene, unless one is named.

    Returns:
        The matches in canonical order.

    Raises:
        StoreError: If something is damaged.
        UsageError: If a run is unknown, or a box or polygon lies beyond all degrees, and all scenes are placed by
            degrees.
    """
    from swathe.store import read

    runs, lines = choose_runs(held, condition, one_of_several=one_of_several)
    condition = replace(condition, runs=runs)
    outside = _beyond_degrees(condition)
    placed = condition.on_ground or condition.acquired is not None
    scenes = [one.scene for one in held.scenes()] if placed or outside or condition.scenes is not None else []
    if outside and scenes and all(scene.georeferenced for scene in scenes):
        hint = "convert it to EPSG:4326" if _exchanged(condition) is None else "longitude comes first"
        raise UsageError(
            Argument(outside, getattr(condition, outside)),
            f": is not in longitude and latitude, by which all scenes here are placed; {hint}",
        )
    found = read(held, condition)
    if not len(found) and (other := _exchanged(condition)) is not None and (count := sum(held.count(other).values())):
        lines.append(
            f"nothing is found there, but {counted(count, 'detection')} with longitude and latitude exchanged; "
            "longitude comes first"
        )
    lines += _unknown("scene", condition.scenes, {scene.id for scene in scenes})
    lines += _unknown("class", condition.classes, found.class_names) if found.scenes else []
    say([*lines, *(_unmatched(condition, scenes) if placed else [])])
    return found


def choose_runs(
    held: Held, condition: Query, *, one_of_several: bool = False
) -> tuple[tuple[str, ...] | None, list[str]]:
    """Find the runs that a query means.

    Args:
        held: The store or file that is asked.
        condition: What is asked for; runs as a user names them.
        one_of_several: Whether only the latest run counts where several have looked at a scene, unless one is named.

    Returns:
        Their ids, None for all; and what is to know about them.

    Raises:
        StoreError: If the store is damaged.
        UsageError: If a run is unknown.
    """
    from swathe.store import find_run
    from swathe.store.opening import label

    runs = held.runs()
    if condition.runs is not None:
        asked = [find_run(runs, given) for given in condition.runs]
        return tuple(run.id for run in asked), incomplete(asked)
    overlapping = _overlapping(held, condition) if len(runs) > 1 else {}
    several = sum(len(names) > 1 for names in overlapping.values())
    if not several:
        return None, incomplete(runs)
    seen = f"{counted(several, 'scene has', 'scenes have')} detections of several runs"
    if not one_of_several:
        lines = [f"{seen}, and an object counts once in each; choose a run with --run, such as --run latest"]
        return None, [*incomplete(runs), *lines]
    involved = set().union(*(names for names in overlapping.values() if len(names) > 1))
    latest = [run for run in runs if run.id in involved][-1]
    lines = [f"{seen}; this is of the latest run alone, {label(latest)}: choose another one with --run"]
    return (latest.id,), [*incomplete([latest]), *lines]


def say(lines: Iterable[str]) -> None:
    """Print notes on the standard error."""
    for line in lines:
        echo(f"note: {line}", err=True)


def incomplete(runs: Sequence[StoredRun]) -> list[str]:
    """Say which runs have not looked at all of their scenes.

    Args:
        runs: Some runs.

    Returns:
        A line for each of them that has not.
    """
    from swathe.store.opening import label

    return [
        f"run {label(run)} is not complete: {run.complete:,} of {counted(run.scenes, 'scene')} so far"
        + (f", {run.failed:,} failed" if run.failed else "")
        for run in runs
        if run.pending or run.failed
    ]


def _overlapping(held: Held, condition: Query) -> dict[str, set[str]]:
    """Return the runs that have looked at each scene that is asked for, by scene id."""
    runs: dict[str, set[str]] = {}
    for one in held.scenes():
        if one.detections and (condition.scenes is None or one.scene.id in condition.scenes):
            runs.setdefault(one.scene.id, set()).add(one.run)
    return runs


def _beyond_degrees(condition: Query) -> str | None:
    """Name the condition, if there is one, whose numbers cannot be longitude and latitude."""
    box, polygon = condition.box, condition.polygon
    corners = {"box": () if box is None else (box[:2], box[2:]), "polygon": polygon or ()}
    return next((name for name, places in corners.items() if any(abs(x) > 360 or abs(y) > 90 for x, y in places)), None)


def _exchanged(condition: Query) -> Query | None:
    """Return the same query with the axes of box and polygon exchanged; None if that makes no degrees either."""
    if condition.box is None and condition.polygon is None:
        return None
    box = None
    if condition.box is not None:
        xmin, ymin, xmax, ymax = condition.box
        box = (ymin, xmin, ymax, xmax)
    polygon = None if condition.polygon is None else tuple((y, x) for x, y in condition.polygon)
    try:
        other = replace(condition, box=box, polygon=polygon)
    except UsageError:
        return None
    return None if _beyond_degrees(other) else other


def _unknown(kind: str, wanted: Sequence[str] | None, known: Iterable[str]) -> list[str]:
    """Say which names of a query nothing bears, so that a misspelling is not taken for an empty place."""
    lines, names = [], sorted(set(known))
    for name in wanted or ():
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            lines.append(f"there is no {kind} {name!r} here{f'; did you mean {close[0]!r}?' if close else ''}")
    return lines


def _unmatched(condition: Query, scenes: Sequence[SceneInfo]) -> list[str]:
    """Say once which scenes can never match, for want of what a condition asks for."""
    asked = [scene for scene in scenes if condition.scenes is None or scene.id in condition.scenes]
    lines = []
    unplaced = sum(not scene.georeferenced for scene in asked)
    if condition.on_ground and unplaced:
        lines.append(
            f"{unplaced:,} of {len(asked):,} scenes have no georeference; conditions on the ground (areas, "
            "--near, --length, --width, --azimuth, a --box across the antimeridian) never match them"
        )
    untimed = sum(scene.acquired is None for scene in asked)
    if condition.acquired is not None and untimed:
        lines.append(
            f"of {untimed:,} of {len(asked):,} scenes it is not known when they were taken; --acquired never "
            "matches them; `swathe detect --acquired TIME` tells it"
        )
    return lines
