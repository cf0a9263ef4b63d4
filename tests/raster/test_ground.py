"""Measures on the ground beside pyproj's geodesics, at the poles and across the antimeridian too."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from rasterio.crs import CRS

from swathe.errors import SourceError
from swathe.raster.ground import geocentric, measure

GEODESIC = pyproj.Geod(ellps="WGS84")
PLACES = {
    "UTM": ("EPSG:32645", (0.5, 0.1, 335000, 0.1, -0.5, 3060000)),
    "web Mercator, far north": ("EPSG:3857", (3, 0, 0, 0, -3, 15_500_000)),
    "across the antimeridian": ("EPSG:3832", (10, 0, 3_329_585, 0, -10, -1_890_000)),
    "around the north pole": ("EPSG:3413", (4, 0, -4000, 0, -4, 4000)),
    "around the south pole": ("EPSG:3031", (4, 1, -4000, 1, -4, 4000)),
    "degrees": ("EPSG:4326", (1e-4, 0, 100, 0, -1e-4, 60)),
    "south up": ("EPSG:32733", (2, 0, 500_000, 0, 2, 6_000_000)),
}


def random_boxes(count: int) -> np.ndarray:
    random = np.random.default_rng(3)
    centres, sides = random.uniform(0, 2000, (count, 2)), random.uniform(1, 80, (count, 2))
    return np.column_stack([centres, sides, random.uniform(-np.pi / 2, np.pi / 2, count)])


def geodesics(crs: str, transform: tuple[float, ...], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lengths and azimuths at the middle (n, 2) of the lines between the middles of opposite sides."""
    a, b, c, d, e, f = transform
    to_degrees = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    lengths, azimuths = [], []
    for side, turn in ((2, 0.0), (3, np.pi / 2)):
        step = 0.5 * boxes[:, side] * [np.cos(boxes[:, 4] + turn), np.sin(boxes[:, 4] + turn)]
        start, end, middle = (
            to_degrees.transform(a * x + b * y + c, d * x + e * y + f)
            for x, y in (boxes[:, :2].T - step, boxes[:, :2].T + step, boxes[:, :2].T)
        )
        lengths.append(GEODESIC.inv(*start, *end)[2])
        azimuths.append(GEODESIC.inv(*middle, *end)[0] % 180)
    return np.stack(lengths, axis=1), np.stack(azimuths, axis=1)


@pytest.mark.parametrize("place", PLACES)
def test_measures_equal_geodesics(place: str) -> None:
    crs, transform = PLACES[place]
    boxes = random_boxes(200)
    measures = measure(CRS.from_user_input(crs).to_wkt(), transform, boxes)
    lengths, azimuths = geodesics(crs, transform, boxes)
    longer = np.argmax(lengths, axis=1)
    rows = np.arange(len(boxes))
    np.testing.assert_allclose(measures[:, 0], lengths[rows, longer], rtol=1e-6)
    np.testing.assert_allclose(measures[:, 1], lengths[rows, 1 - longer], rtol=1e-6)
    difference = (measures[:, 2] - azimuths[rows, longer] + 90) % 180 - 90
    # At the middle of a geodesic it has the direction of the chord; the other oracle ends at the side, one half away.
    assert np.abs(difference).max() < 0.05
    assert (measures[:, 2] >= 0).all()
    assert (measures[:, 2] < 180).all()


def test_lengths_of_a_hundred_kilometres_are_right_to_a_millionth() -> None:
    boxes = np.array([[50.0, 50.0, 100.0, 60.0, 0.4]])
    transform = (1000, 0, 300_000, 0, -1000, 6_000_000)
    lengths, _ = geodesics("EPSG:32633", transform, boxes)
    np.testing.assert_allclose(measure("EPSG:32633", transform, boxes)[:, :2], lengths, rtol=1e-6)


def test_worked_directions() -> None:
    """On the central meridian of its zone a scene is north up: right is east, 90 degrees; down is south, 0 degrees."""
    transform = (1, 0, 500_000 - 50, 0, -1, 5_000_000)
    boxes = np.array([[50, 50, 20, 4, 0], [50, 50, 20, 4, -np.pi / 2], [50, 50, 20, 4, np.pi / 4]])
    measures = measure("EPSG:32633", transform, boxes)
    np.testing.assert_allclose(measures[:, 2], [90, 0, 135], atol=1e-5)
    np.testing.assert_allclose(measures[:, :2], np.array([[20, 4]] * 3) / 0.9996, rtol=1e-6)


def test_long_side_is_that_on_the_ground() -> None:
    """Pixels twice as high as wide: a box 30 wide and 20 high in pixels is longer from north to south."""
    boxes = np.array([[0, 0, 30, 20, 0.0]])
    length, width, azimuth = measure("EPSG:32633", (1, 0, 500_000, 0, -2, 5_000_000), boxes)[0]
    assert (round(length), round(width)) == (40, 30)
    assert (azimuth + 90) % 180 - 90 == pytest.approx(0, abs=1e-3)


def test_boxes_without_extent_have_a_direction() -> None:
    measures = measure(
        "EPSG:32633", (1, 0, 500_000, 0, -1, 5_000_000), np.array([[0, 0, 5, 0, 0.0], [0, 0, 0, 0, 0.0]])
    )
    np.testing.assert_allclose(measures, [[5 / 0.9996, 0, 90], [0, 0, 90]], atol=1e-4)


def test_nothing_is_measured_without_georeference() -> None:
    boxes = random_boxes(3)
    assert np.isnan(measure(None, (1, 0, 0, 0, 1, 0), boxes)).all()
    assert np.isnan(measure("EPSG:32633", None, boxes)).all()
    assert measure("EPSG:32633", (1, 0, 0, 0, 1, 0), np.empty((0, 5))).shape == (0, 3)


def test_unknown_reference_system_is_refused() -> None:
    with pytest.raises(SourceError, match="EPSG:1"):
        measure("EPSG:1", (1, 0, 0, 0, 1, 0), random_boxes(1))


def test_geocentric_places_equal_pyproj() -> None:
    degrees = np.random.default_rng(0).uniform((-180, -90), (180, 90), (50, 2))
    expected = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True).transform(*degrees.T, np.zeros(50))
    np.testing.assert_allclose(geocentric(degrees), np.stack(expected, axis=1), atol=1e-6)
