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
from swathe.raster import georeference

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
    found = georeference.ground_sample_distance(crs, transform, width, height)
    assert found == pytest.approx(math.sqrt(sides[0] * sides[1]), rel=1e-4)


def test_web_mercator_is_corrected_for_latitude() -> None:
    radius = 20037508.342789244
    north = radius * math.log(math.tan(math.radians(45 + 60 / 2))) / math.pi
    found = georeference.ground_sample_distance("EPSG:3857", (1.0, 0.0, 0.0, 0.0, -1.0, north), 2, 2)
    assert found == pytest.approx(0.5, rel=5e-3), "at 60 degrees a metre of web Mercator is about half a metre"


@given(longitude=st.floats(-180, 180), latitude=st.floats(-85, 85))
@settings(max_examples=30, deadline=None)
def test_round_trip_anywhere(longitude: float, latitude: float) -> None:
    transform = (1e-6, 0.0, longitude, 0.0, -1e-6, latitude)
    degrees = georeference.to_lonlat("EPSG:4326", transform, np.zeros((1, 2)))
    np.testing.assert_allclose(degrees, [[longitude, latitude]], atol=1e-9)
    np.testing.assert_allclose(georeference.from_lonlat("EPSG:4326", transform, degrees), [[0, 0]], atol=1e-3)


def test_ground_sample_distance_across_the_antimeridian() -> None:
    across = georeference.ground_sample_distance("EPSG:4326", (1e-5, 0.0, 180 - 5e-3, 0.0, -1e-5, 5e-3), 1000, 1000)
    elsewhere = georeference.ground_sample_distance("EPSG:4326", (1e-5, 0.0, 10.0, 0.0, -1e-5, 5e-3), 1000, 1000)
    assert across == pytest.approx(elsewhere, rel=1e-6)


def test_no_points_give_none() -> None:
    assert georeference.to_lonlat(*UTM, np.empty((0, 2))).shape == (0, 2)
    assert georeference.to_crs(UTM[1], np.empty((0, 2))).shape == (0, 2)


def test_without_georeference() -> None:
    assert georeference.ground_sample_distance(None, UTM[1], 10, 10) is None
    assert georeference.ground_sample_distance(UTM[0], None, 10, 10) is None
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


def test_points_outside_of_the_projection() -> None:
    with pytest.raises(SourceError, match="domain"):
        georeference.to_lonlat("EPSG:32645", (1.0, 0.0, 1e12, 0.0, 1.0, 1e12), POINTS)
