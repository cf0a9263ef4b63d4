"""Places on the ground, beside rasterio and pyproj."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine

from swathe.errors import SourceError
from swathe.raster import georeference, ground

UTM = ("EPSG:32645", (0.5, 0.0, 372_000.0, 0.0, -0.5, 3_058_000.0))
TURNED = ("EPSG:32645", (0.3, 0.4, 372_000.0, 0.4, -0.3, 3_058_000.0))
MERCATOR = ("EPSG:3857", (0.3, 0.0, 9_519_849.0, 0.0, -0.3, 3_202_979.0))
DEGREES = ("EPSG:4326", (1e-5, 0.0, 85.5, 0.0, -1e-5, 60.0))
PLACES = [UTM, TURNED, MERCATOR, DEGREES]
POINTS = np.array([[0.0, 0.0], [1000.5, 20.25], [-7.0, 4000.0]])


@pytest.mark.parametrize(("crs", "transform"), PLACES)
def test_pixels_go_to_longitude_and_latitude_and_back(crs: str, transform: georeference.Transform) -> None:
    projected = georeference.to_crs(transform, POINTS)
    np.testing.assert_allclose(projected, [Affine(*transform) @ tuple(point) for point in POINTS], rtol=1e-14)
    degrees = georeference.to_lonlat(crs, transform, POINTS)
    expected = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(*projected.T)
    np.testing.assert_allclose(degrees, np.column_stack(expected), atol=1e-9)
    np.testing.assert_allclose(georeference.from_lonlat(crs, transform, degrees), POINTS, atol=1e-3)
    np.testing.assert_allclose(georeference.from_crs(transform, projected), POINTS, atol=1e-6)


@pytest.mark.parametrize(("crs", "transform"), PLACES)
def test_ground_sample_distance_equals_the_geodesic(crs: str, transform: georeference.Transform) -> None:
    width, height = 2000, 3000
    ends = np.array([[999.5, 1500], [1000.5, 1500], [1000, 1499.5], [1000, 1500.5]])
    lon, lat = georeference.to_lonlat(crs, transform, ends).T
    geod = pyproj.Geod(ellps="WGS84")
    sides = geod.inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])[2]
    found = ground.ground_sample_distance(crs, transform, width, height)
    assert found == pytest.approx(math.sqrt(sides[0] * sides[1]), rel=1e-4)


def test_web_mercator_is_corrected_for_latitude() -> None:
    radius = 20037508.342789244
    north = radius * math.log(math.tan(math.radians(45 + 60 / 2))) / math.pi
    found = ground.ground_sample_distance("EPSG:3857", (1.0, 0.0, 0.0, 0.0, -1.0, north), 2, 2)
    assert found == pytest.approx(0.5, rel=5e-3), "at 60 degrees a metre of web Mercator is about half a metre"


@given(longitude=st.floats(-180, 180), latitude=st.floats(-85, 85))
@settings(max_examples=30, deadline=None)
def test_round_trip_anywhere(longitude: float, latitude: float) -> None:
    transform = (1e-6, 0.0, longitude, 0.0, -1e-6, latitude)
    degrees = georeference.to_lonlat("EPSG:4326", transform, np.zeros((1, 2)))
    np.testing.assert_allclose(degrees, [[longitude, latitude]], atol=1e-9)
    np.testing.assert_allclose(georeference.from_lonlat("EPSG:4326", transform, degrees), [[0, 0]], atol=1e-3)


def test_ground_sample_distance_across_the_antimeridian() -> None:
    across = ground.ground_sample_distance("EPSG:4326", (1e-5, 0.0, 180 - 5e-3, 0.0, -1e-5, 5e-3), 1000, 1000)
    elsewhere = ground.ground_sample_distance("EPSG:4326", (1e-5, 0.0, 10.0, 0.0, -1e-5, 5e-3), 1000, 1000)
    assert across == pytest.approx(elsewhere, rel=1e-6)


def test_no_points_give_none() -> None:
    assert georeference.to_lonlat(*UTM, np.empty((0, 2))).shape == (0, 2)
    assert georeference.to_crs(UTM[1], np.empty((0, 2))).shape == (0, 2)


def test_without_georeference() -> None:
    assert ground.ground_sample_distance(None, UTM[1], 10, 10) is None
    assert ground.ground_sample_distance(UTM[0], None, 10, 10) is None
    with pytest.raises(SourceError, match="no georeference"):
        georeference.to_crs(None, POINTS)
    with pytest.raises(SourceError, match="no coordinate reference system"):
        georeference.to_lonlat(None, UTM[1], POINTS)
    with pytest.raises(SourceError, match="onto a line"):
        georeference.from_crs((1.0, 1.0, 0.0, 1.0, 1.0, 0.0), POINTS)


@pytest.mark.parametrize("crs", ['LOCAL_CS["my yard",UNIT["metre",1]]', "EPSG:999999", "nonsense"])
def test_systems_that_cannot_be_placed(crs: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"my yard|EPSG:999999|nonsense"):
        georeference.to_lonlat(crs, UTM[1], POINTS)
    assert not capfd.readouterr().err, "what PROJ has to say is in the error"


def test_points_outside_of_the_projection_have_no_place_and_the_others_keep_theirs() -> None:
    crs, transform = UTM
    points = np.array([[10.0, 20.0], [1e12, 1e12], [30.0, 40.0], [-1e12, 5.0], [50.0, 60.0]])
    found = georeference.to_lonlat(crs, transform, points)
    np.testing.assert_array_equal(np.isnan(found[:, 0]), [False, True, False, True, False])
    np.testing.assert_array_equal(found[::2], georeference.to_lonlat(crs, transform, points[::2]))


@pytest.mark.parametrize("start", [-180.0, 0.0, 170.0, -200.0])
def test_longitudes_of_any_turn_come_back(start: float) -> None:
    transform = (0.01, 0.0, start, 0.0, -0.01, 5.0)
    points = np.array([[0.0, 0.0], [5.0, 70.0], [2000.0, 30.0], [-300.0, 2.0], [20_000.0, 900.0]])
    degrees = georeference.to_lonlat("EPSG:4326", transform, points)
    assert (np.abs(degrees[:, 0]) <= 180).all()
    turns = (degrees[:, 0] - (points[:, 0] * 0.01 + start)) / 360
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-9)
    np.testing.assert_allclose(georeference.from_lonlat("EPSG:4326", transform, degrees), points, atol=1e-6)


def test_beyond_the_poles_is_nowhere() -> None:
    degrees = georeference.to_lonlat("EPSG:4326", (1.0, 0.0, 0.0, 0.0, -1.0, 90.0), np.array([[3.0, 0.0], [3.0, -1.0]]))
    np.testing.assert_array_equal(degrees, [[3.0, 90.0], [np.nan, np.nan]])


@pytest.mark.parametrize("crs", ["EPSG:3832", "EPSG:3995", "EPSG:3031", "EPSG:3413", "EPSG:32601", "EPSG:32660"])
def test_across_the_antimeridian_and_over_the_poles(crs: str) -> None:
    from pyproj import Transformer

    centre = {"EPSG:3832": (3_339_584.7, 0.0), "EPSG:32601": (166_021.4, 5e4), "EPSG:32660": (833_978.6, 5e4)}
    x, y = centre.get(crs, (0.0, 0.0))
    transform = (100.0, 0.0, x - 5000.0, 0.0, -100.0, y + 5000.0)
    points = np.random.default_rng(0).uniform(0, 100, (200, 2))
    found = georeference.to_lonlat(crs, transform, points)
    expected = np.column_stack(
        Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(*(georeference.to_crs(transform, points).T))
    )
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.ptp(found[:, 0]) > 180, "both sides"
    np.testing.assert_allclose(georeference.from_lonlat(crs, transform, found), points, atol=1e-3)
