"""Queries over detections, and the slow, obvious filter that every store must equal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.errors import UsageError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from swathe.detections import Detections

Bounds: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Query:
    """What to keep of a set of detections; conditions left out let everything pass.

    Regions are given in geometry coordinates: longitude, latitude in degrees for scenes with georeference, scene pixels
    for others. A detection lies in a region if its polygon touches it. A region must not cross the antimeridian.
    """

    box: Bounds | None = None  # xmin, ymin, xmax, ymax (west, south, east, north)
    polygon: tuple[tuple[float, float], ...] | None = None  # ring of three or more corners x, y; closing it is optional
    classes: tuple[str, ...] | None = None  # class names
    min_score: float | None = None  # lowest score that passes
    scenes: tuple[str, ...] | None = None  # scene ids
    runs: tuple[str, ...] | None = None  # run ids
    limit: int | None = None  # most detections returned: those of the highest scores

    def __post_init__(self) -> None:
        """Take arrays and lists too, and refuse conditions that nothing could meet."""
        for name in ("classes", "scenes", "runs"):
            names = getattr(self, name)
            if names is not None:
                object.__setattr__(self, name, _name_list(names, name))
        if self.box is not None:
            object.__setattr__(self, "box", _bounds(self.box))
        if self.polygon is not None:
            object.__setattr__(self, "polygon", _ring(self.polygon))
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise UsageError(f"min_score {self.min_score}: must be a finite number")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit {self.limit}: at least one detection must be allowed; leave it out for all")

    def regions(self) -> list[BaseGeometry]:
        """Return box and polygon, as far as they are given, as shapely geometries; a detection must touch each."""
        import shapely

        regions = [] if self.box is None else [shapely.box(*self.box)]
        return regions if self.polygon is None else [*regions, shapely.Polygon(self.polygon)]

    def bounds(self) -> Bounds | None:
        """Return a rectangle that every match touches (it may be inside out: nothing does), None for everywhere."""
        if self.polygon is None:
            return self.box
        ring = np.asarray(self.polygon)
        west, south, east, north = self.box or (-math.inf, -math.inf, math.inf, math.inf)
        low, high = ring.min(axis=0), ring.max(axis=0)
        return max(west, low[0]), max(south, low[1]), min(east, high[0]), min(north, high[1])

    def hull_mask(self, hulls: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which axis-aligned hulls may belong to a match.

        Args:
            hulls: Rectangles (n, 4) as xmin, ymin, xmax, ymax in geometry coordinates.

        Returns:
            Mask (n,): false where no match is possible.
        """
        passed = np.ones(len(hulls), dtype=np.bool_)
        for bounds in (self.box, None if self.polygon is None else self.bounds()):
            if bounds is not None:
                passed &= (hulls[:, :2] <= bounds[2:]).all(axis=1) & (hulls[:, 2:] >= bounds[:2]).all(axis=1)
        return passed

    def touch_mask(self, geometries: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Tell which geometries touch all regions.

        Args:
            geometries: Shapely polygons (n,) in geometry coordinates.

        Returns:
            Mask (n,).
        """
        import shapely

        passed = np.ones(len(geometries), dtype=np.bool_)
        for region in self.regions():
            shapely.prepare(region)
            passed[passed] = shapely.intersects(region, geometries[passed])
        return passed

    def column_mask(self, detections: Detections) -> npt.NDArray[np.bool_]:
        """Tell which detections meet the conditions on class, score, scene and run.

        Args:
            detections: What to choose from.

        Returns:
            Mask (n,).
        """
        passed = np.ones(len(detections), dtype=np.bool_)
        if self.min_score is not None:
            passed &= detections.scores >= self.min_score
        for column, names in (("class", self.classes), ("scene", self.scenes), ("run", self.runs)):
            if names is not None:
                passed &= detections.name_mask(column, names)
        return passed

    def select(self, detections: Detections) -> Detections:
        """Choose the matching detections; does the same as `reference_filter`, quickly.

        Args:
            detections: What to choose from.

        Returns:
            The matches in canonical order.
        """
        import shapely

        chosen = detections.take(self.column_mask(detections))
        if self.box is not None or self.polygon is not None:
            corners = chosen.to_polygons("geometry")
            near = np.flatnonzero(self.hull_mask(np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)))
            chosen = chosen.take(near[self.touch_mask(shapely.polygons(corners[near]))])
        return self.finish(chosen)

    def finish(self, matches: Detections) -> Detections:
        """Bring matches into canonical order, apply the limit, and forget scenes and runs that were not asked for.

        Args:
            matches: All detections that match.

        Returns:
            The result of the query.
        """
        result = matches.sorted()
        if self.limit is not None and len(result) > self.limit:
            best = np.argsort(-result.scores, kind="stable")[: self.limit]
            result = result.take(np.sort(best))
        return replace(
            result,
            scenes={key: info for key, info in result.scenes.items() if self.scenes is None or key in self.scenes},
            runs={key: info for key, info in result.runs.items() if self.runs is None or key in self.runs},
        )


def reference_filter(detections: Detections, query: Query) -> Detections:
    """Answer a query row by row, in the slowest and most obvious way; stores are tested against it.

    Args:
        detections: What to choose from.
        query: What to keep.

    Returns:
        The matches in canonical order; of more than `query.limit` those of the highest scores, and of equal scores
        those that come first in canonical order.
    """
    from shapely.geometry import Polygon, box

    detections = detections.sorted()
    corners = detections.to_polygons("geometry")
    kept: list[int] = []
    for number, row in enumerate(detections.table.to_pylist()):
        geometry = Polygon(corners[number])
        if query.box is not None and not geometry.intersects(box(*query.box)):
            continue
        if query.polygon is not None and not geometry.intersects(Polygon(query.polygon)):
            continue
        if query.min_score is not None and row["score"] < query.min_score:
            continue
        if any(
            names is not None and row[column] not in names
            for column, names in (("class", query.classes), ("scene", query.scenes), ("run", query.runs))
        ):
            continue
        kept.append(number)
    if query.limit is not None:
        kept = sorted(sorted(kept, key=lambda number: -detections.scores[number])[: query.limit])
    scenes = {key: info for key, info in detections.scenes.items() if query.scenes is None or key in query.scenes}
    runs = {key: info for key, info in detections.runs.items() if query.runs is None or key in query.runs}
    return replace(detections.take(np.asarray(kept, dtype=np.int64)), scenes=scenes, runs=runs)


def _name_list(names: Any, what: str) -> tuple[str, ...]:
    """Return names as a tuple; one lone text is a mistake that would be read as its letters."""
    if isinstance(names, str):
        raise UsageError(f"{what} {names!r}: give a list of names, not one text")
    return tuple(str(name) for name in names)


def _bounds(values: Any) -> Bounds:
    """Return xmin, ymin, xmax, ymax as floats in order."""
    bounds = np.asarray(values, dtype=np.float64)
    if bounds.shape != (4,) or not np.isfinite(bounds).all() or (bounds[:2] > bounds[2:]).any():
        raise UsageError(
            f"box {values}: give four finite numbers xmin, ymin, xmax, ymax, the smaller ones first; a box across the "
            "antimeridian must be asked for in two parts"
        )
    xmin, ymin, xmax, ymax = bounds.tolist()
    return xmin, ymin, xmax, ymax


def _ring(values: Any) -> tuple[tuple[float, float], ...]:
    """Return the corners of a simple ring, the first not repeated."""
    import shapely

    ring = np.asarray(values, dtype=np.float64)
    if ring.ndim == 2 and len(ring) > 1 and np.array_equal(ring[0], ring[-1]):
        ring = ring[:-1]
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 or not np.isfinite(ring).all():
        raise UsageError(f"polygon of shape {ring.shape}: give three or more corners (x, y), all of them finite")
    if not shapely.is_valid(shapely.Polygon(ring)):
        raise UsageError(f"the polygon has no simple outline ({shapely.is_valid_reason(shapely.Polygon(ring))})")
    return tuple((x, y) for x, y in ring.tolist())
