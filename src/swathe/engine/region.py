"""The region that a run is asked for: which windows touch it, and which detections lie in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
import numpy.typing as npt

from swathe.counts import counted
from swathe.detections import Detections, SceneInfo
from swathe.engine.raw import RawDetections
from swathe.engine.settings import RunSettings
from swathe.errors import SourceError
from swathe.query import Query
from swathe.raster.grid import Grid
from swathe.raster.stac import Told

AT_ONCE = 1 << 14  # windows that are looked at together; their footprints take memory


@dataclass(frozen=True)
class Stretches(Sequence[int]):
    """Rising numbers as stretches without gaps: a region that a million windows touch has some thousand of them."""

    firsts: tuple[int, ...]  # first number of each stretch
    ends: tuple[int, ...]  # how many numbers there are up to the end of each stretch

    @classmethod
    def of(cls, numbers: npt.NDArray[np.int64]) -> Self:
        """Find the stretches of rising numbers (n,)."""
        begins = np.flatnonzero(np.diff(numbers, prepend=-2) > 1)
        ends = [*begins[1:].tolist(), len(numbers)] if len(numbers) else []
        return cls(tuple(numbers[begins].tolist()), tuple(ends))

    def __len__(self) -> int:
        """Return how many numbers there are."""
        return self.ends[-1] if self.ends else 0

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...

    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        """Return the number at a place, or those of a slice."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        stretch = bisect_right(self.ends, place)
        return self.firsts[stretch] + place - (self.ends[stretch - 1] if stretch else 0)


def touched(region: Query, scene: SceneInfo, grid: Grid, scale: float) -> Sequence[int]:
    """Find the windows that touch a region.

    Args:
        region: Box, polygon or areas.
        scene: The scene.
        grid: Windows of a level, level pixels.
        scale: Level pixels per scene pixel.

    Returns:
        Indexes of the windows in the grid, rising; none where the scene cannot be in the region at all.
    """
    if not region.admits(scene):
        return ()
    # Listing a million windows takes longer than all else.
    lefts = np.array([grid[column].col_off for column in range(grid.cols)]) / scale
    tops = np.array([grid[row * grid.cols].row_off for row in range(grid.rows)]) / scale
    side = np.array([(grid[0].width, grid[0].height)]) / scale
    found = []
    for start in range(0, len(grid), AT_ONCE):
        numbers = np.arange(start, min(start + AT_ONCE, len(grid)))
        corners = np.column_stack([lefts[numbers % grid.cols], tops[numbers // grid.cols]])
        sides = np.repeat(side, len(numbers), axis=0)
        boxes = np.column_stack([corners + sides / 2, sides, np.zeros(len(numbers))])
        found.append(numbers[region.touch_mask(_placed(boxes, scene).footprints())])
    return Stretches.of(np.concatenate(found))


def items_in(region: Query | None, described: Mapping[str, Told | None]) -> tuple[dict[str, Told | None], str | None]:
    """Leave out images whose STAC item lies elsewhere, so that they need not be opened.

    Args:
        region: Where to look; None for everywhere.
        described: What an item tells of each image, by address.

    Returns:
        The others, and what is to know about those that are left out.

    Raises:
        SourceError: If none is left.
    """
    told = {path: one.footprint for path, one in described.items() if one is not None and one.footprint is not None}
    if region is None or not told:
        return dict(described), None
    inside = region.touch_mask(np.array([*told.values(), None], dtype=object)[:-1])  # an array even if they are alike
    outside = {path for path, touched in zip(told, inside, strict=True) if not touched}
    if not outside:
        return dict(described), None
    what = f"{counted(len(outside), 'image')} not opened: their STAC items lie elsewhere"
    if len(outside) == len(described):
        raise SourceError(f"{what}; choose another place, or leave it out")
    return {path: one for path, one in described.items() if path not in outside}, what


def wanted(found: RawDetections, scene: SceneInfo, settings: RunSettings) -> RawDetections:
    """Keep what has its centre in the region of a run; everything if there is none.

    Args:
        found: Detections of a scene after the merge.
        scene: The scene.
        settings: The region.

    Returns:
        The detections that stay.
    """
    if settings.region is None:
        return found
    centres = _placed(found.boxes, scene).centre_points()
    return found.take(np.flatnonzero(settings.region.touch_mask(centres)))


def _placed(boxes: npt.NDArray[np.float64], scene: SceneInfo) -> Detections:
    """Return boxes in scene pixels as detections, which know how to place them on the ground."""
    zeros = np.zeros(len(boxes))
    return Detections.from_arrays(boxes, zeros, zeros.astype(np.int64), ("window",), scene, "plan")
