"""Which small files of a run are merged into larger ones, so that queries open fewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from swathe.store.keys import spatial_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swathe.store.index import FileEntry

MERGED_ROWS = 500_000  # most rows of a merged file: they are in memory at once when it is written, about 0.5 GB


def plan_merges(entries: Sequence[FileEntry], limit: int = MERGED_ROWS) -> list[list[FileEntry]]:
    """Choose files to merge: neighbours on the ground, of one kind of coordinates, the large ones left alone.

    The choice depends on the files alone. Merging what it says and asking again gives nothing, or a rest that stays.

    Args:
        entries: The files of one run.
        limit: Most rows of a merged file.

    Returns:
        Groups of two or more files.
    """
    groups = []
    for georeferenced in (True, False):
        small = [entry for entry in entries if 2 * entry.rows <= limit and entry.head.georeferenced == georeferenced]
        small.sort(key=lambda entry: entry.name)
        groups += _packed(_by_place(small) if georeferenced else small, limit)
    return [group for group in groups if len(group) > 1]


def _by_place(entries: list[FileEntry]) -> list[FileEntry]:
    """Order files along a curve through their middles; those without rows come last."""
    placed = [entry for entry in entries if entry.bounds is not None]
    hulls = np.asarray([entry.bounds for entry in placed]).reshape(-1, 4)
    order = np.argsort(spatial_keys(hulls), kind="stable")
    return [placed[number] for number in order] + [entry for entry in entries if entry.bounds is None]


def _packed(entries: list[FileEntry], limit: int) -> list[list[FileEntry]]:
    """Fill groups one after the other."""
    groups: list[list[FileEntry]] = []
    rows = limit
    for entry in entries:
        if rows + entry.rows > limit or not groups:
            groups.append([])
            rows = 0
        groups[-1].append(entry)
        rows += entry.rows
    return groups
