"""The value `Query`: conditions on detections, and their quick answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe import arguments
from swathe.errors import Argument, UsageError
from swathe.query import values
from swathe.query.regions import Disc, Shapes, hulls_touch, hulls_within
from swathe.times import parse_utc

if TYPE_CHECKING:
    from collections.abc import Callable

    from swathe.areas import Area
    from swathe.detections import Detections, SceneInfo
    from swathe.query.values import Bounds, Period, Range

FloatArray: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Query:
    """What to keep of a set of detections: what meets all conditions; those left out let everything pass.

    Box and polygon are given in geometry coordinates: longitude, latitude in degrees for scenes with georeference,
    scene pixels for others. A detection lies in a region if its footprint touches it, or with `within` if its centre
    lies in it. Areas, `near`, length, width and azimuth are on the ground: they never match a scene without
    georeference. `acquired` never matches one of unknown time. A condition of a wrong type, or one that nothing could
    meet, is a `UsageError`.
    """

    box: Bounds | None = None  # xmin, ymin, xmax, ymax; west > east in degrees is a box across the antimeridian
    polygon: tuple[tuple[float, float], ...] | None = None  # ring of three or more corners x, y; closing it is optional
    areas: tuple[Area, ...] | None = None  # named areas, of which a detection touches one at least
    near: tuple[float, float, float] | None = None  # longitude, latitude in degrees, geodesic radius in metres
    within: bool = False  # whether the centre must lie in these regions; touching them is not enough then
    acquired: Period | None = None  # begin (inclusive) and end (exclusive), UTC; None for an open end
    length: Range | None = None  # smallest and largest length on the ground, metres; None for an open end
    width: Range | None = None  # smallest and largest width on the ground, metres; None for an open end
    azimuth: tuple[float, float] | None = None  # of the long side, degrees clockwise from north; (170, 10) leads over 0
    classes: tuple[str, ...] | None = None  # class names
    min_score: float | None = None  # lowest score that passes
    scenes: tuple[str, ...] | None = None  # scene ids
    runs: tuple[str, ...] | None = None  # run ids
    limit: int | None = None  # most detections returned: those of the highest scores

    def __post_init__(self) -> None:
        """Take arrays, lists and text too, and refuse conditions that nothing could meet."""
        checks: dict[str, Callable[[Any], Any]] = {
            "box": values.bounds,
            "polygon": values.ring,
            "areas": values.area_list,
            "near": values.disc,
            "acquired": values.period,
            "length": lambda given: values.size_range(given, "length"),
            "width": lambda given: values.size_range(given, "width"),
            "azimuth": values.azimuth_range,
            "classes": lambda given: values.name_list(given, "classes"),
            "min_score": lambda given: arguments.number("min_score", given, "a number from 0 to 1", 0.0, 1.0),
            "scenes": lambda given: values.name_list(given, "scenes"),
            "runs": lambda given: values.name_list(given, "runs"),
            "limit": lambda given: arguments.whole_number("limit", given, "a whole number from 1, or None for all", 1),
        }
        for name, check in checks.items():
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, check(given))
        if arguments.flag("within", self.within) and not self.regions:
            raise UsageError(Argument("within"), " needs a region: give a box, a polygon, areas or a place, too")

    @property
    def measured(self) -> bool:
        """Whether length, width or azimuth of detections must be known."""
        return self.length is not None or self.width is not None or self.azimuth is not None

    @property
    def on_ground(self) -> bool:
        """Whether a condition can only be met by a scene with georeference."""
        across = self.box is not None and self.box[0] > self.box[2]
        return self.areas is not None or self.near is not None or self.measured or across

    @cached_property
    def regions(self) -> tuple[Shapes | Disc, ...]:
        """Box, polygon, areas and disc, as far as they are given; a detection must touch each."""
        import shapely

        regions: list[Shapes | Disc] = []
        if self.box is not None:
            regions.append(Shapes.of_box(self.box))
        if self.polygon is not None:
            regions.append(Shapes((shapely.Polygon(self.polygon),)))
        if self.areas is not None:
            regions.append(Shapes(tuple(area.geometry for area in self.areas)))
        if self.near is not None:
            regions.append(Disc(*self.near))
        return tuple(regions)

    def bounds(self) -> Bounds | None:
        """Return a rectangle that every match touches (it may be inside out: nothing does), None for everywhere."""
        if not self.regions:
            return None
        rectangles = [region.rectangles() for region in self.regions]
        west, south = np.max([part[:, :2].min(axis=0) for part in rectangles], axis=0).tolist()
        east, north = np.min([part[:, 2:].max(axis=0) for part in rectangles], axis=0).tolist()
        return west, south, east, north

    def admits(self, scene: SceneInfo) -> bool:
        """Tell whether detections of a scene can match at all.

        Args:
            scene: The scene.

        Returns:
            False if its id, its time, or its lack of a georeference rules them out.
        """
        if (self.scenes is not None and scene.id not in self.scenes) or (self.on_ground and not scene.georeferenced):
            return False
        if self.acquired is None:
            return True
        begin, end = self.acquired
        time = None if scene.acquired is None else parse_utc(scene.acquired)
        return time is not None and (begin is None or begin <= time) and (end is None or time < end)

    def hull_mask(self, hulls: FloatArray) -> Mask:
        """Tell which axis-aligned hulls may belong to a match.

        Args:
            hulls: Rectangles (n, 4) as xmin, ymin, xmax, ymax in geometry coordinates, those around multipolygons too.

        Returns:
            Mask (n,), false where no match is possible.
        """
        passed = np.ones(len(hulls), dtype=np.bool_)
        for region in self.regions:
            passed &= hulls_touch(hulls, region.rectangles())
        return passed

    def sure_mask(self, hulls: FloatArray) -> Mask:
        """Tell which hulls lie in the regions as a whole, so that what they hold need not be looked at.

        Args:
            hulls: Rectangles (n, 4) as xmin, ymin, xmax, ymax in geometry coordinates.

        Returns:
            Mask (n,), true where every geometry with this hull, and its centre, lies in all regions; false if it is not
            known.
        """
        if self.box is None or len(self.regions) > 1:
            return np.full(len(hulls), not self.regions)
        return hulls_within(hulls, self.regions[0].rectangles())

    def place_mask(self, detections: Detections) -> Mask:
        """Tell which detections lie in all regions: touch them, or have their centre `within` them.

        Args:
            detections: Of scenes that the query `admits`.

        Returns:
            Mask (n,).

        Raises:
            SourceError: If a footprint has no longitude and latitude.
        """
        return self.touch_mask(detections.centre_points() if self.within else detections.footprints())

    def touch_mask(self, geometries: npt.NDArray[Any]) -> Mask:
        """Tell which geometries touch all regions.

        Args:
            geometries: Shapely geometries (n,) in geometry coordinates, of scenes that the query `admits`.

        Returns:
            Mask (n,).
        """
        passed = np.ones(len(geometries), dtype=np.bool_)
        for region in self.regions:
            passed[passed] = region.touched_by(geometries[passed])
        return passed

    def measure_mask(self, measures: FloatArray) -> Mask:
        """Tell which measures meet the conditions on length, width and azimuth.

        Args:
            measures: Length and width in metres, azimuth in degrees (n, 3), as `Detections.measures` gives them.

        Returns:
            Mask (n,); NaN meets no condition.
        """
        passed = np.ones(len(measures), dtype=np.bool_)
        for column, limits in ((0, self.length), (1, self.width)):
            if limits is not None:
                low, high = limits
                sizes = measures[:, column]
                passed &= (sizes >= (0.0 if low is None else low)) & (sizes <= (math.inf if high is None else high))
        if self.azimuth is not None:
            first, last = self.azimuth
            after, before = measures[:, 2] >= first, measures[:, 2] <= last
            passed &= after & before if first <= last else after | before
        return passed

    def column_mask(self, detections: Detections, measures: FloatArray | None = None) -> Mask:
        """Tell which detections meet all conditions but the regions.

        Args:
            detections: What to choose from.
            measures: Their measures (n, 3) if they are at hand; computed where they are needed if not.

        Returns:
            Mask (n,).
        """
        passed = np.ones(len(detections), dtype=np.bool_)
        if self.min_score is not None:
            passed &= detections.scores >= self.min_score
        for column, names in (("class", self.classes), ("run", self.runs)):
            if names is not None:
                passed &= detections.name_mask(column, names)
        if self.scenes is not None or self.acquired is not None or self.on_ground:
            keys, codes = detections.scene_codes()
            passed &= np.asarray([self.admits(detections.scenes[key]) for key in keys], dtype=np.bool_)[codes]
        if self.measured:
            rows = np.flatnonzero(passed)
            known = detections.take(rows).measures() if measures is None else measures[rows]
            passed[rows] = self.measure_mask(known)
        return passed

    def select(self, detections: Detections) -> Detections:
        """Choose the matching detections; does the same as `reference_filter`, quickly.

        Args:
            detections: What to choose from.

        Returns:
            The matches in canonical order.

        Raises:
            SourceError: If a footprint has no longitude and latitude.
        """
        import shapely

        chosen = detections.take(self.column_mask(detections))
        if self.regions:
            chosen = chosen.take(self.hull_mask(shapely.bounds(chosen.footprints()).reshape(-1, 4)))
            chosen = chosen.take(self.place_mask(chosen))
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
        return self.forget_others(result)

    def forget_others(self, found: Detections) -> Detections:
        """Forget scenes and runs that were not asked for.

        Args:
            found: Detections of scenes and runs that were.

        Returns:
            The same detections.
        """
        if self.runs is None and self.scenes is None:
            return found
        runs = {run: about for run, about in found.runs.items() if self.runs is None or run in self.runs}
        scenes = {
            (run, scene): info
            for (run, scene), info in found.scenes.items()
            if (self.runs is None or run in self.runs) and (self.scenes is None or scene in self.scenes)
        }
        return replace(found, scenes=scenes, runs=runs)
