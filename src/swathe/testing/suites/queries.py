"""Random queries for hypothesis: regions near real geometries, so that they cut through objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from hypothesis import strategies as st

from swathe.areas import Area
from swathe.detections import Detections
from swathe.query import Query

PERIODS = [("2024-01-01", None), (None, "2024-05-01T10:20:30Z"), ("2023-12-31T23:59:59Z", "2024-05-01T10:20:31Z")]


def queries(detections: Detections) -> st.SearchStrategy[Query]:
    """Make queries with any combination of conditions.

    Args:
        detections: What is going to be asked; regions are placed among their corners.

    Returns:
        A strategy.
    """
    return _queries(detections, detections.to_polygons("geometry").reshape(-1, 2))


@st.composite
def _queries(draw: st.DrawFn, detections: Detections, corners: npt.NDArray[np.float64]) -> Query:
    conditions: dict[str, st.SearchStrategy[Any]] = {
        "box": _boxes(corners),
        "polygon": _triangles(corners),
        "areas": st.lists(_triangles(corners).map(_area), min_size=1, max_size=3).map(tuple),
        "near": _discs(corners),
        "acquired": st.sampled_from(PERIODS),
        "length": st.sampled_from([(None, 20), (15, None), (8, 300)]),
        "width": st.sampled_from([(None, 9.5), (10, 100)]),
        "azimuth": st.tuples(st.integers(0, 180), st.integers(0, 180)),
        "classes": _some_of([*detections.class_names, "nowhere"]),
        "min_score": st.integers(0, 20).map(lambda twentieths: twentieths / 20),
        "scenes": _some_of([*sorted({scene for _, scene in detections.scenes}), "nowhere"]),
        "runs": _some_of([*detections.runs, "nowhere"]),
        "limit": st.integers(1, 30),
    }
    names = draw(st.lists(st.sampled_from(list(conditions)), unique=True, max_size=4))
    within = bool({"box", "polygon", "areas", "near"} & set(names)) and draw(st.booleans())
    return Query(**{name: draw(conditions[name]) for name in names}, within=within)


def _area(triangle: list[list[float]]) -> Area:
    """An area around a triangle, as far as it lies on the earth."""
    inside = shapely.Polygon(triangle).intersection(shapely.box(-180, -90, 180, 90))
    return Area("any", inside if isinstance(inside, shapely.Polygon) and inside.area else shapely.box(0, 0, 1, 1))


@st.composite
def _discs(draw: st.DrawFn, corners: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """A disc around a corner of something on the ground, small or as large as a continent."""
    on_ground = corners[(np.abs(corners) <= (180, 90)).all(axis=1)]
    lon, lat = on_ground[draw(st.integers(0, len(on_ground) - 1))]
    shift = draw(st.sampled_from([0.0, 1e-5, 0.003]))
    return min(float(lon) + shift, 180.0), float(lat), draw(st.sampled_from([0.0, 1.5, 60.0, 900.0, 4.9e6]))


def _some_of(names: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=3).map(tuple)


@st.composite
def _boxes(draw: st.DrawFn, corners: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """A box between two corners: often it touches an object in one point exactly."""
    first, second = corners[draw(st.integers(0, len(corners) - 1))], corners[draw(st.integers(0, len(corners) - 1))]
    if (np.abs([first, second]) <= (180, 90)).all() and abs(first[0] - second[0]) > 180:
        (south, north), (west, east) = sorted((first[1], second[1])), sorted((first[0], second[0]))
        return float(east), float(south), float(west), float(north)  # across the antimeridian
    share = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))  # of the way to the second corner
    reached = first + share * (second - first)
    return (*np.minimum(first, reached).tolist(), *np.maximum(first, reached).tolist())


@st.composite
def _triangles(draw: st.DrawFn, corners: npt.NDArray[np.float64]) -> list[list[float]]:
    """A triangle at a corner, of a size that fits the scene it lies in."""
    first, second = corners[draw(st.integers(0, len(corners) - 1))], corners[draw(st.integers(0, len(corners) - 1))]
    size = max(float(np.abs(second - first).max()), 1e-5) * draw(st.sampled_from([0.02, 0.2, 1.0]))
    turn = draw(st.floats(0, 6.28))
    angles = turn + np.array([0.0, 2.0, 4.0])
    triangle: list[list[float]] = (first + size * np.column_stack([np.cos(angles), np.sin(angles)])).tolist()
    return triangle
