"""Random queries for hypothesis: regions near real geometries, so that they cut through objects."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from swathe.detections import Detections
from swathe.query import Query


def queries(detections: Detections) -> st.SearchStrategy[Query]:
    """Make queries with any combination of conditions.

    Args:
        detections: What is going to be asked; regions are placed among their corners.

    Returns:
        A strategy.
    """
    return _queries(detections, detections.to_polygons("geometry").reshape(-1, 2))


@st.composite
def _queries(draw: st.DrawFn, detections: Detections, corners: np.ndarray) -> Query:
    kinds = draw(st.lists(st.sampled_from(["box", "polygon", "class", "score", "scene", "run", "limit"]), unique=True))
    values: dict[str, object] = {}
    if "box" in kinds:
        values["box"] = draw(_boxes(corners))
    if "polygon" in kinds:
        values["polygon"] = draw(_triangles(corners))
    if "class" in kinds:
        values["classes"] = draw(_some_of([*detections.class_names, "nowhere"]))
    if "score" in kinds:
        values["min_score"] = draw(st.integers(0, 21)) / 20
    if "scene" in kinds:
        values["scenes"] = draw(_some_of([*detections.scenes, "nowhere"]))
    if "run" in kinds:
        values["runs"] = draw(_some_of([*detections.runs, "nowhere"]))
    if "limit" in kinds:
        values["limit"] = draw(st.integers(1, 30))
    return Query(**values)


def _some_of(names: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=3).map(tuple)


@st.composite
def _boxes(draw: st.DrawFn, corners: np.ndarray) -> tuple[float, ...]:
    """A box between two corners: often it touches an object in one point exactly."""
    first, second = corners[draw(st.integers(0, len(corners) - 1))], corners[draw(st.integers(0, len(corners) - 1))]
    share = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))  # of the way to the second corner
    reached = first + share * (second - first)
    return (*np.minimum(first, reached).tolist(), *np.maximum(first, reached).tolist())


@st.composite
def _triangles(draw: st.DrawFn, corners: np.ndarray) -> list[list[float]]:
    """A triangle at a corner, of a size that fits the scene it lies in."""
    first, second = corners[draw(st.integers(0, len(corners) - 1))], corners[draw(st.integers(0, len(corners) - 1))]
    size = max(float(np.abs(second - first).max()), 1e-5) * draw(st.sampled_from([0.02, 0.2, 1.0]))
    turn = draw(st.floats(0, 6.28))
    angles = turn + np.array([0.0, 2.0, 4.0])
    return (first + size * np.column_stack([np.cos(angles), np.sin(angles)])).tolist()
