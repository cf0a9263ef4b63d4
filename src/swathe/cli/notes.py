"""What an answer does not say by itself: names that nothing bears, scenes that cannot match, runs that overlap."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from swathe.cli.output import echo

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
    """
    named = any(names is not None for names in (condition.classes, condition.scenes, condition.runs))
    placed = condition.on_ground or condition.acquired is not None
    heads = _heads(path) if named or placed else ()
    lines = _unknown(condition, heads) if named else []
    if placed:
        lines += _unmatched(
            condition, sorted({scene for head in heads for scene in head.scenes.values()}, key=lambda s: s.id)
        )
    for line in lines + _overlapping(found):
        echo(f"note: {line}", err=True)


def _heads(path: Path) -> Sequence[FileHead]:
    """Return what the files of a store, or a single one, tell of themselves."""
    from swathe.store.detections_file import DetectionsFile
    from swathe.store.geoparquet import GeoParquetStore

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
