"""Numbers about a set of detections: counts, densities and distributions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from swathe.areas import Area
    from swathe.detections import Detections, SceneInfo

SCORE_STEP = 0.05
AZIMUTH_STEP = 15.0  # degrees
MOST_BINS = 16  # of sizes
SMALLEST_SIZE = 1e-9  # of any unit; below, all sizes are as good as 0
ROUND_STEPS = (1.0, 2.0, 5.0, 10.0)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each of a row of bins; the upper edge belongs to the next bin, the last to its own."""

    name: str  # of what is counted
    unit: str  # of the edges, empty for none
    edges: tuple[float, ...]  # rising, one more than the counts
    counts: tuple[int, ...]  # values per bin


@dataclass(frozen=True)
class Place:
    """A scene or an area, and how many detections are there."""

    name: str  # id of the scene, or name of the area
    detections: int  # in it; an area has those that touch it
    square_kilometres: float | None  # of ground, None without georeference

    @property
    def density(self) -> float | None:
        """Detections per square kilometre, None where that has no meaning."""
        return self.detections / self.square_kilometres if self.square_kilometres else None


@dataclass(frozen=True)
class Statistics:
    """What is to know about a set of detections."""

    detections: int  # all of them
    per_class: Mapping[str, int]  # rows per class name
    scenes: tuple[Place, ...]  # by id, scenes without detections too
    areas: tuple[Place, ...]  # by name
    histograms: tuple[Histogram, ...]  # score, length, width, azimuth

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        values = asdict(self)
        for kind in ("scenes", "areas"):
            values[kind] = [{**asdict(place), "density": place.density} for place in getattr(self, kind)]
        return values


def summarise(found: Detections, areas: Sequence[Area] = ()) -> Statistics:
    """Count detections and the distributions of their scores, sizes and directions.

    Sizes are in metres where every scene with detections has a georeference, and else in scene pixels; azimuths are
    counted for those with georeference.

    Args:
        found: The detections.
        areas: Named areas to count in.

    Returns:
        The numbers.

    Raises:
        SourceError: If a box lies where a scene's reference system has no longitude and latitude.
    """
    measures, boxes = found.measures(), found.boxes
    on_ground = len(found) > 0 and bool(np.isfinite(measures[:, 0]).all())
    sizes = measures[:, :2] if on_ground else np.sort(boxes[:, 2:4], axis=1)[:, ::-1]
    unit = "m" if on_ground else "px"
    azimuths = measures[np.isfinite(measures[:, 2]), 2]
    histograms = [
        _counted("score", "", found.scores, np.linspace(0.0, 1.0, round(1.0 / SCORE_STEP) + 1)),
        _counted("length", unit, sizes[:, 0], size_edges(sizes[:, 0])),
        _counted("width", unit, sizes[:, 1], size_edges(sizes[:, 1])),
    ]
    if len(azimuths):
        edges = np.linspace(0.0, 180.0, round(180.0 / AZIMUTH_STEP) + 1)
        histograms.append(_counted("azimuth", "degrees", azimuths, edges))
    return Statistics(
        len(found), found.per_class(), _scenes(found), tuple(_area(found, area) for area in areas), tuple(histograms)
    )


def size_edges(values: FloatArray) -> FloatArray:
    """Choose round edges of bins for sizes, from 0.

    Args:
        values: Sizes (n,), at least 0.

    Returns:
        Edges whose step is 1, 2 or 5 times a power of ten, at most `MOST_BINS` bins that hold every value.
    """
    largest = float(values.max(initial=0.0))
    if largest < SMALLEST_SIZE:
        return np.array([0.0, 1.0])
    power = 10.0 ** math.floor(math.log10(largest / MOST_BINS))
    step = next(power * factor for factor in ROUND_STEPS if power * factor * MOST_BINS >= largest)
    edges = np.arange(math.ceil(largest / step - 1e-9) + 1, dtype=np.float64) * step
    edges[-1] = max(edges[-1], largest)  # by rounding, the largest may lie beyond its edge
    return edges


def square_kilometres(scene: SceneInfo) -> float | None:
    """Measure the ground under a scene, pixels without data included.

    Args:
        scene: The scene.

    Returns:
        Its area on the WGS 84 ellipsoid, from the outline of the picture; None without georeference, or for a scene
        over a pole or across the antimeridian, where an outline in degrees has no area.
    """
    from swathe.errors import SourceError

    if not scene.georeferenced:
        return None
    steps = np.linspace(0.0, 1.0, 17)[:-1]
    right, down = steps * scene.width, steps * scene.height
    full = np.ones_like(steps)
    outline = np.concatenate(
        [
            np.column_stack([right, 0 * full]),
            np.column_stack([scene.width * full, down]),
            np.column_stack([scene.width - right, scene.height * full]),
            np.column_stack([0 * full, scene.height - down]),
        ]
    )
    try:
        degrees = scene.place(outline, "lonlat")
    except SourceError:  # part of the picture shows no ground; what lies on it can be counted all the same
        return None
    if np.ptp(degrees[:, 0]) > 180.0:
        return None
    return ring_square_metres(degrees) / 1e6


def ring_square_metres(degrees: FloatArray) -> float:
    """Measure a ring on the WGS 84 ellipsoid, its corners joined by straight lines in a cylindrical equal-area map.

    The map is Snyder's (Map Projections: A Working Manual, eq. 3-12 and 10-14): area there is area on the ellipsoid.

    Args:
        degrees: Corners (n, 2) as longitude, latitude in degrees, not across the antimeridian.

    Returns:
        Square metres.
    """
    from swathe.raster.georeference import ECCENTRICITY_SQUARED, EQUATORIAL_RADIUS

    e = math.sqrt(ECCENTRICITY_SQUARED)
    sine = np.sin(np.radians(degrees[:, 1]))
    authalic = sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e
    x = np.radians(degrees[:, 0] - degrees[0, 0])
    y = (1 - e * e) * authalic / 2
    doubled = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return abs(doubled) / 2 * EQUATORIAL_RADIUS**2


def _counted(name: str, unit: str, values: FloatArray, edges: FloatArray) -> Histogram:
    counts, _ = np.histogram(values, edges)
    return Histogram(name, unit, tuple(np.round(edges, 10).tolist()), tuple(int(count) for count in counts))


def _scenes(found: Detections) -> tuple[Place, ...]:
    """Count detections per scene."""
    names, counts = np.unique(found.scene_ids, return_counts=True)
    by_name = dict(zip(names.tolist(), counts.tolist(), strict=True))
    scenes = {scene: info for (_, scene), info in sorted(found.scenes.items())}
    return tuple(Place(name, by_name.get(name, 0), square_kilometres(info)) for name, info in sorted(scenes.items()))


def _area(found: Detections, area: Area) -> Place:
    """Count the detections that touch an area, and measure it."""
    import shapely

    from swathe.query import Query

    polygons = [part for part in shapely.get_parts(area.geometry) if part.geom_type == "Polygon"]
    rings = [(1, polygon.exterior) for polygon in polygons]
    rings += [(-1, hole) for polygon in polygons for hole in polygon.interiors]
    metres = sum(sign * ring_square_metres(shapely.get_coordinates(ring)) for sign, ring in rings)
    return Place(area.name, len(found.filter(Query(areas=(area,)))), metres / 1e6)
