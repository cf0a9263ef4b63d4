"""Footprints beside the library `antimeridian`, and beside what GEOS finds valid."""

from __future__ import annotations

import antimeridian
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.detections import Detections, SceneInfo
from swathe.detections.footprints import cut_at_antimeridian
from swathe.errors import SourceError
from swathe.raster import georeference
from swathe.testing.suites.samples import ANTIMERIDIAN, CLASSES, PIXELS, POLAR, UTM, random_detections

GEODESIC = pyproj.Geod(ellps="WGS84")


def boxes_in(scene: SceneInfo, boxes: list[list[float]]) -> Detections:
    return Detections.from_arrays(boxes, [0.5] * len(boxes), [0] * len(boxes), CLASSES, scene, "r")


def areas(footprints: np.ndarray) -> np.ndarray:
    """Areas in square metres; counter-clockwise rings have positive ones."""
    return np.array([GEODESIC.geometry_area_perimeter(footprint)[0] for footprint in footprints])


@pytest.mark.parametrize("scene", [UTM, ANTIMERIDIAN, POLAR])
def test_footprints_are_valid_and_have_the_area_of_their_boxes(scene: SceneInfo) -> None:
    found = random_detections(scene, 300, 1)
    footprints, measures = found.footprints(), found.measures()
    assert shapely.is_valid(footprints).all()
    np.testing.assert_allclose(areas(footprints), measures[:, 0] * measures[:, 1], rtol=1e-3)
    west, south, east, north = shapely.total_bounds(footprints)
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90


def test_most_footprints_are_the_four_corners() -> None:
    found = random_detections(UTM, 50, 1)
    assert shapely.equals(found.footprints(), shapely.polygons(found.to_polygons("lonlat"))).all()
    pixels = random_detections(PIXELS, 50, 1)
    assert shapely.equals(pixels.footprints(), shapely.polygons(pixels.to_polygons())).all()
    assert Detections.empty().footprints().shape == (0,)


def test_box_across_the_antimeridian_has_two_parts() -> None:
    (footprint,) = boxes_in(ANTIMERIDIAN, [[1000, 800, 40, 20, 0.1]]).footprints()
    assert footprint.geom_type == "MultiPolygon"
    west, east = sorted(part.bounds for part in footprint.geoms)
    assert west[0] == -180
    assert west[2] < -179.99
    assert east[0] > 179.99
    assert east[2] == 180


def test_box_over_the_pole_covers_all_longitudes() -> None:
    over, beside = boxes_in(POLAR, [[1003, 998, 40, 20, 0.1], [1030, 1000, 40, 20, 0.1]]).footprints()
    assert over.bounds[0] == -180
    assert over.bounds[2] == 180
    assert over.bounds[3] == 90
    assert over.contains(shapely.Point(12.3, 89.99999))
    assert beside.bounds[3] < 90


@settings(max_examples=200, deadline=None)
@given(st.floats(-85, 85), st.floats(0.02, 3), st.floats(0.2, 1), st.floats(0, 3.1), st.floats(-0.4, 0.4))
def test_cut_equals_the_library(latitude: float, length: float, ratio: float, turn: float, shift: float) -> None:
    corners = 0.5 * length * np.array([[-1, -ratio], [1, -ratio], [1, ratio], [-1, ratio]])
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    unwound = corners @ rotation + (180 + shift * length, latitude)
    ring = np.column_stack([(unwound[:, 0] + 180) % 360 - 180, unwound[:, 1]])
    (ours,) = cut_at_antimeridian(ring[None])
    assert ours.is_valid
    assert ours.area == pytest.approx(shapely.Polygon(unwound).area, rel=1e-9)
    theirs = antimeridian.fix_polygon(shapely.Polygon(ring), fix_winding=True, great_circle=False)
    assert theirs.symmetric_difference(ours).area < 1e-5 * ours.area + 1e-6 * length


@pytest.mark.parametrize("pole", [90, -90])
def test_cut_around_a_pole_equals_the_library(pole: float) -> None:
    longitudes = np.linspace(-170, 170, 18)[:: int(np.sign(pole))]
    ring = np.column_stack([longitudes, pole - np.sign(pole) * np.linspace(1, 2, 18)])
    (ours,) = cut_at_antimeridian(ring[None])
    theirs = antimeridian.fix_polygon(shapely.Polygon(ring), great_circle=False)
    assert ours.symmetric_difference(theirs).area < 1e-4


@pytest.mark.parametrize("edge", [180.0, -180.0])
def test_box_that_touches_the_antimeridian_is_one_polygon(edge: float) -> None:
    ring = np.array([[179.5, 0.0], [edge, 0.0], [edge, 1.0], [179.5, 1.0]])
    (footprint,) = cut_at_antimeridian(ring[None])
    assert footprint.equals(shapely.box(179.5, 0, 180, 1))


def test_longitudes_beyond_half_a_turn_are_wrapped() -> None:
    scene = SceneInfo("a", "a.tif", 3600, 1800, "EPSG:4326", (0.1, 0, 0, 0, -0.1, 90))
    corners = boxes_in(scene, [[2700, 900, 10, 10, 0]]).to_polygons("lonlat")
    np.testing.assert_allclose(corners.mean(axis=1), [[-90, 0]], atol=1e-9)


def test_measures_are_nan_without_georeference() -> None:
    found = Detections.concat([random_detections(UTM, 5, 1), random_detections(PIXELS, 4, 2)])
    assert np.isnan(found.measures()).all(axis=1).tolist() == [False] * 5 + [True] * 4
    assert Detections.empty().measures().shape == (0, 3)


EARTH = {
    "degrees": ("EPSG:4326", (0.36, 0, -180, 0, -0.18, 90)),
    "pole": ("EPSG:4326", (1e-5, 0, 20, 0, -1e-5, 90)),
    "beyond the pole": ("EPSG:4326", (0.36, 0, -180, 0, -0.18, 95)),
    "mollweide": ("ESRI:54009", (36_080, 0, -18_040_000, 0, -18_040, 9_020_000)),
    "polar stereographic": ("EPSG:3413", (9000, 0, -4_500_000, 0, -9000, 4_500_000)),
    "orthographic": ("+proj=ortho +lat_0=40 +lon_0=10", (13_000, 0, -6_500_000, 0, -13_000, 6_500_000)),
}


@pytest.mark.parametrize("kind", EARTH)
def test_every_box_of_a_whole_earth_has_a_place(kind: str) -> None:
    crs, transform = EARTH[kind]
    scene = SceneInfo("a", "a.tif", 1000, 1000, crs, transform)
    random = np.random.default_rng(5)
    centres = random.uniform(-20, 1020, (400, 2))
    boxes = np.column_stack([centres, random.uniform(1, 150, (400, 2)), random.uniform(-1.5, 1.5, 400)])
    found = boxes_in(scene, boxes.tolist())
    footprints = found.footprints()
    assert shapely.is_valid(footprints).all()
    assert set(shapely.get_type_id(footprints)) <= {shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON}
    west, south, east, north = shapely.total_bounds(footprints)
    assert -180 <= west < east <= 180 + 1e-9
    assert -90 <= south < north <= 90 + 1e-9
    assert np.isfinite(found.centres()).all()
    placed = georeference.to_lonlat(crs, transform, centres)
    inside = np.isfinite(placed).all(axis=1)
    np.testing.assert_array_equal(found.centres()[inside], placed[inside])


def world(name: str, crs: str, width: float, height: float) -> SceneInfo:
    """A map of the whole earth in 1024 x 1024 pixels."""
    return SceneInfo(name, name, 1024, 1024, crs, (width / 1024, 0.0, -width / 2, 0.0, -height / 1024, height / 2))


# Correct scenes with pixels that have no longitude and latitude, or boxes that reach beyond their edge.
WORLDS = [
    world("degrees", "EPSG:4326", 360.0, 180.0),
    world("mollweide", "ESRI:54009", 36_080_000.0, 18_040_000.0),
    SceneInfo("pole", "pole", 1024, 1024, "EPSG:4326", (1e-5, 0.0, 20.0, 0.0, -1e-5, 90.0)),
]


@pytest.mark.parametrize("scene", WORLDS, ids=lambda scene: scene.id)
def test_boxes_beyond_the_edge_of_the_earth_are_drawn_in(scene: SceneInfo) -> None:
    random = np.random.default_rng(0)
    centres, sides = random.uniform(-30, 1054, (400, 2)), random.uniform(2, 60, (400, 2))
    boxes = np.column_stack([centres, sides, random.uniform(-1.5, 1.5, 400)])
    footprints = boxes_in(scene, boxes.tolist()).footprints()
    assert shapely.is_valid(footprints).all()
    west, south, east, north = shapely.total_bounds(footprints)
    assert -180 <= west <= east <= 180
    assert -90 - 1e-6 <= south <= north <= 90 + 1e-6


def test_a_scene_that_lies_nowhere_is_refused() -> None:
    nowhere = SceneInfo("nowhere", "nowhere", 100, 100, "EPSG:4326", (1.0, 0.0, 0.0, 0.0, -1.0, 900.0))
    with pytest.raises(SourceError, match="lies outside"):
        boxes_in(nowhere, [[50, 50, 10, 5, 0]]).footprints()
