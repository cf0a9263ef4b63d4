"""Statistics: areas beside closed forms, bins that hold every value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swathe.areas import Area
from swathe.detections import Detections, SceneInfo
from swathe.statistics import MOST_BINS, ring_square_metres, size_edges, square_kilometres, summarise
from swathe.testing.suites.samples import keyed

UTM = SceneInfo("utm", "utm.tif", 1000, 500, "EPSG:32645", (1.0, 0.0, 5e5, 0.0, -1.0, 3e6))
PLAIN = SceneInfo("plain", "plain.tif", 1000, 500)


def found(scene: SceneInfo) -> Detections:
    boxes = [[100, 100, 30, 10, 0.0], [500, 250, 20, 12, math.pi / 2], [900, 400, 8, 8, 0.3]]
    return Detections.from_arrays(boxes, [0.9, 0.5, 1.0], [0, 0, 1], ("ship", "tank"), scene, "run")


def test_an_octant_of_the_ellipsoid() -> None:
    edge = np.linspace(0.0, 90.0, 2001)
    ring = np.concatenate([[[0.0, 0.0], [90.0, 0.0]], np.column_stack([np.full_like(edge, 90.0), edge]), [[0.0, 90.0]]])
    assert ring_square_metres(ring) == pytest.approx(510_065_621.724e6 / 8, rel=1e-9)


def test_a_scene_has_the_area_of_its_pixels() -> None:
    # At the central meridian a metre of the map is 1 / 0.9996 on the ground.
    assert square_kilometres(UTM) == pytest.approx(0.5 / 0.9996**2, rel=1e-5)
    assert square_kilometres(PLAIN) is None


def test_counts_and_units() -> None:
    result = summarise(found(UTM))
    assert result.per_class == {"ship": 2, "tank": 1}
    by_name = {histogram.name: histogram for histogram in result.histograms}
    assert list(by_name) == ["score", "length", "width", "azimuth"]
    assert {histogram.unit for histogram in (by_name["length"], by_name["width"])} == {"m"}
    assert all(sum(histogram.counts) == 3 for histogram in result.histograms)
    assert by_name["score"].counts[-1] == 1
    assert result.scenes[0].density == pytest.approx(3 / square_kilometres(UTM))


def test_without_georeference_sizes_are_pixels_and_nothing_points_north() -> None:
    result = summarise(found(PLAIN))
    assert [(histogram.name, histogram.unit) for histogram in result.histograms] == [
        ("score", ""), ("length", "px"), ("width", "px"),
    ]  # fmt: skip
    assert result.scenes[0].density is None


def test_nothing_found_is_no_error() -> None:
    result = summarise(Detections.empty(("ship",), keyed(UTM)))
    assert (result.detections, result.scenes[0].detections) == (0, 0)


def test_areas_have_what_touches_them() -> None:
    import shapely

    corners = UTM.place(np.array([[0, 0], [200, 0], [200, 200], [0, 200.0]]), "lonlat")
    (place,) = summarise(found(UTM), [Area("corner", shapely.Polygon(corners))]).areas
    assert (place.name, place.detections) == ("corner", 1)
    assert place.square_kilometres == pytest.approx(0.04 / 0.9996**2, rel=1e-4)


@given(st.lists(st.floats(0.0, 1e7), min_size=1, max_size=20))
@example([5.0000000001])
@example([5e-324])
def test_bins_hold_every_size(values: list[float]) -> None:
    edges = size_edges(np.array(values))
    assert len(edges) <= MOST_BINS + 1
    counts, _ = np.histogram(values, edges)
    assert counts.sum() == len(values)
