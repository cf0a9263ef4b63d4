"""Which small files of a run are merged into larger ones, so that queries open fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from swathe.store.keys import spatial_keys
from swathe.store.schema import BOUNDS

if TYPE_CHECKING:
    from swathe.store.rows import Row

MERGED_ROWS = 500_000  # most rows of a merged file: they are in memory at once when it is written, about 0.5 GB


@dataclass
class File:
    """A file of detections."""

    name: str
    scenes: list[Row] = field(default_factory=list)  # rows of the scenes in it

    @property
    def rows(self) -> int:
        """How many detections it holds."""
        return sum(row["detections"] for row in self.scenes)

    @property
    def is_georeferenced(self) -> bool:
        """Whether its geometries are longitude and latitude."""
        return any(row["crs"] is not None and row["transform"] is not None for row in self.scenes)

    @property
    def centre(self) -> tuple[float, float]:
        """Of its bounds, in geometry coordinates; NaN without detections."""
        hulls = np.array([[row[name] for name in BOUNDS] for row in self.scenes], dtype=np.float64)
        known = hulls[np.isfinite(hulls[:, 0])]
        if not len(known):
            return np.nan, np.nan
        low, high = known[:, :2].min(axis=0), known[:, 2:].max(axis=0)
        x, y = (0.5 * (low + high)).tolist()
        return x, y


def plan_merges(rows: Sequence[Row], limit: int = MERGED_ROWS) -> list[list[str]]:
    """Choose files to merge: neighbours on the ground, of one kind of coordinates, the large ones left alone.

    The choice depends on the files alone. Merging what it says and asking again gives nothing, or a rest that stays.

    Args:
        rows: The rows of the scenes of one run.
        limit: Most detections of a merged file.

    Returns:
        Groups of the names of two or more files.
    """
    files: dict[str, File] = {}
    for row in rows:
        if row["file"]:
            files.setdefault(row["file"], File(row["file"])).scenes.append(row)
    groups = []
    for georeferenced in (True, False):
        small = [file for file in files.values() if 2 * file.rows <= limit and file.is_georeferenced == georeferenced]
        groups += _packed(_by_place(sorted(small, key=lambda file: file.name)), limit)
    return [group for group in groups if len(group) > 1]


def _by_place(files: list[File]) -> list[File]:
    """Order files along a curve through their middles; those without detections come last."""
    centres = np.array([file.centre for file in files]).reshape(-1, 2)
    known = np.flatnonzero(np.isfinite(centres[:, 0]))
    order = known[np.argsort(spatial_keys(np.tile(centres[known], 2)), kind="stable")].tolist()
    return [files[number] for number in [*order, *sorted(set(range(len(files))).difference(order))]]


def _packed(files: list[File], limit: int) -> list[list[str]]:
    """Fill groups one after the other."""
    groups: list[list[str]] = []
    rows = limit
    for file in files:
        if rows + file.rows > limit or not groups:
            groups.append([])
            rows = 0
        groups[-1].append(file.name)
        rows += file.rows
    return groups
