"""What an answer does not say by itself: names that nothing bears, scenes that cannot match, runs that overlap."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from swathe.cli.output import echo
from swathe.errors import Argument, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from swathe.detections import Detections, SceneInfo
    from swathe.query import Query
    from swathe.store.schema import FileHead


def say_notes(path: Path, condition: Query, found: Detections) -> None:
    """Print what could mislead a reader of an answer, on the standard error.

    Args:
        path: The store or GeoParquet file that was asked.
        condition: What was asked for.
        found: The answer.

    Raises:
        StoreError: If something is damaged.
        UsageError: If a box or polygon lies beyond all degrees, and all scenes are placed by degrees.
    """
    named = any(names is not None for names in (condition.classes, condition.scenes, condition.runs))
    placed = condition.on_ground or condition.acquired is not None
    outside = _beyond_degrees(condition)
    heads = _heads(path) if named or placed or outside else ()
    scenes = sorted({scene for head in heads for scene in head.scenes.values()}, key=lambda scene: scene.id)
    if outside and scenes and all(scene.georeferenced for scene in scenes):
        raise UsageError(
            Argument(outside, getattr(condition, outside)),
            ": is not in longitude and latitude, by which all scenes here are placed; convert it to EPSG:4326",
        )
    lines = _unknown(condition, heads) if named else []
    if placed:
        lines += _unmatched(condition, scenes)
    for line in lines + _overlapping(found):
        echo(f"note: {line}", err=True)


def _beyond_degrees(condition: Query) -> str | None:
    """Name the condition, if there is one, whose numbers cannot be longitude and latitude."""
    box, polygon = condition.box, condition.polygon
    corners = {"box": () if box is None else (box[:2], box[2:]), "polygon": polygon or ()}
    return next((name for name, places in corners.items() if any(abs(x) > 360 or abs(y) > 90 for x, y in places)), None)


def _heads(path: Path) -> Sequence[FileHead]:
    """Return what the files of a store, or a single one, tell of themselves."""
    from swathe.store.geoparquet import GeoParquetStore
    from swathe.store.old_file import DetectionsFile

    if path.is_dir():
        return [entry.head for entry in GeoParquetStore(path).files.entries()]
    return [DetectionsFile(path).head]


def _unknown(condition: Query, heads: Sequence[FileHead]) -> list[str]:
    """Say which names of a query nothing bears, so that a misspelling is not taken for an empty place."""
    lines = []
    for kind, wanted, known in (
        ("class", condition.classes, {name for head in heads for name in head.class_names}),
        ("scene", condition.scenes, {scene for head in heads for _, scene in head.scenes}),
        ("run", condition.runs, {run for head in heads for run in head.runs}),
    ):
        for name in wanted or ():
            if name not in known:
                close = difflib.get_close_matches(name, sorted(known), n=1)
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


def _overlapping(found: Detections) -> list[str]:
    """Say that objects are counted once for each run that found them."""
    if len(found.runs) < 2:
        return []
    import numpy as np

    pairs = np.unique(np.stack([found.scene_ids, found.run_ids]), axis=1)
    several = int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())
    if not several:
        return []
    scenes = "1 scene has" if several == 1 else f"{several:,} scenes have"
    return [f"{scenes} detections of several runs, and an object counts once in each; choose a run with --run"]
