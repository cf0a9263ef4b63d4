"""Regions on the ground: discs beside pyproj's geodesics, areas with holes, boxes across the antimeridian."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swathe.areas import Area, Areas
from swathe.detections import Detections
from swathe.errors import UsageError
from swathe.query import Query, reference_filter
from swathe.query.regions import Disc, hulls_touch
from swathe.testing.suites.samples import ANTIMERIDIAN, CLASSES, PIXELS, POLAR, UTM, random_detections

GEODESIC = pyproj.Geod(ellps="WGS84")
SCENES = {"UTM": UTM, "antimeridian": ANTIMERIDIAN, "pole": POLAR}


def at(scene, *boxes):
    return Detections.from_arrays(boxes, [0.5] * len(boxes), [0] * len(boxes), CLASSES, scene, "r")


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("radius", [30.0, 700.0, 2500.0])
def test_near_equals_geodesics_to_the_sides_of_boxes(scene: str, radius: float) -> None:
    """The distance to a side is that to the nearest of many points on it; those within a metre of the edge are left."""
    found = random_detections(SCENES[scene], 150, 7).sorted()
    lon, lat = found.centres()[5] + (1e-4, -1e-4)
    chosen = found.filter(Query(near=(lon, lat, radius))).table.column("id").to_pylist()
    distances = np.full(len(found), np.inf)
    for number, footprint in enumerate(found.footprints()):
        points = shapely.get_coordinates(shapely.segmentize(footprint.boundary, footprint.length / 200))
        away = GEODESIC.inv(np.full(len(points), lon), np.full(len(points), lat), *points.T)[2]
        distances[number] = 0.0 if footprint.covers(shapely.Point(lon, lat)) else away.min()
    sure = np.abs(distances - radius) > 1.0
    expected = found.take(sure & (distances <= radius)).table.column("id").to_pylist()
    doubtful = set(found.take(~sure).table.column("id").to_pylist())
    assert [name for name in chosen if name not in doubtful] == expected
    assert len(expected) > (0 if radius < 1000 else 3)


def test_near_is_exact_at_its_edge() -> None:
    found = at(UTM, [1000, 700, 40, 20, 0.3])
    corners = found.to_polygons("lonlat")[0]
    lon, lat = corners[0] + (corners[0] - corners.mean(axis=0)) * 50  # a place from which a corner is the nearest
    away = GEODESIC.inv(lon, lat, *corners[0])[2]
    assert len(found.filter(Query(near=(lon, lat, away + 1e-4)))) == 1
    assert len(found.filter(Query(near=(lon, lat, away - 1e-4)))) == 0


@settings(max_examples=200, deadline=None)
@example(0.0, 90.0, 1e5)
@example(180.0, -90.0, 0.0)
@example(-180.0, 0.0, 5e6)
@example(10.0, 89.999, 200.0)
@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(0, 5e6))
def test_rectangles_hold_their_discs(lon: float, lat: float, radius: float) -> None:
    azimuths = np.arange(0, 360, 3.0)
    places = np.full((3, len(azimuths)), [[lon], [lat], [radius]])
    edge_lon, edge_lat, _ = GEODESIC.fwd(places[0], places[1], azimuths, places[2])
    points = np.column_stack([edge_lon, edge_lat])
    rectangles = Disc(lon, lat, radius).rectangles()
    assert hulls_touch(np.concatenate([points, points], axis=1), rectangles).all()
    assert (np.abs(rectangles) <= (180, 90, 180, 90)).all()
    assert len(rectangles) <= 2


def test_rectangles_of_small_discs_are_tight() -> None:
    ((west, south, east, north),) = Disc(85.5, 27.6, 1000.0).rectangles()
    assert east - west == pytest.approx(2 * 1000 / 98_700, rel=0.01)
    assert north - south == pytest.approx(2 * 1000 / 110_800, rel=0.01)


def test_holes_and_parts_of_areas_count() -> None:
    found = random_detections(UTM, 300, 1)
    footprints = found.footprints()
    west, south, east, north = shapely.total_bounds(footprints)
    hull = shapely.box(west, south, east, north)
    hole = shapely.affinity.scale(hull, 0.6, 0.6)
    ring = Area("ring", hull.difference(hole))
    expected = found.take(~shapely.covered_by(footprints, shapely.buffer(hole, -1e-12)))
    assert 0 < len(expected) < len(found)
    assert found.filter(Query(areas=(ring,))).equals(expected.sorted())
    inside = Area("inside", hole)
    assert len(found.filter(Query(areas=[ring, inside]))) == len(found)


def test_many_parts_are_looked_at_as_one_hull() -> None:
    found = random_detections(UTM, 100, 1)
    spots = shapely.buffer(shapely.points(found.centres()[:50]), 1e-7)
    area = Area("spots", shapely.union_all(spots))
    assert len(shapely.get_parts(area.geometry)) > 32
    assert found.filter(Query(areas=(area,))).equals(reference_filter(found, Query(areas=(area,))))


def test_box_across_the_antimeridian() -> None:
    found = at(ANTIMERIDIAN, [1000, 800, 40, 20, 0.1], [1100, 800, 40, 20, 0.1], [900, 800, 40, 20, 0.1])
    south, north = -17.5, -16.5
    assert len(found.filter(Query(box=(179.9, south, -179.9, north)))) == 3
    assert len(found.filter(Query(box=(179.9999, south, -179.9999, north)))) == 1
    assert len(found.filter(Query(box=(-179.9999, south, 179.9999, north)))) == 3
    pixels = random_detections(PIXELS, 20, 1)
    assert len(pixels.filter(Query(box=(170, 0, -170, 90)))) == 0


def test_conditions_on_the_ground_never_match_pixels() -> None:
    pixels = random_detections(PIXELS, 30, 1)
    everywhere = Area("earth", shapely.box(-180, -90, 180, 90))
    for query in (
        Query(areas=(everywhere,)),
        Query(near=(0, 0, 5e6)),
        Query(length=(0, None)),
        Query(azimuth=(0, 180)),
    ):
        assert query.on_ground
        assert not query.admits(PIXELS)
        assert len(pixels.filter(query)) == 0


def test_sizes_and_directions() -> None:
    found = at(UTM, [500, 500, 40, 20, 0.0], [500, 600, 80, 30, np.pi / 4], [500, 700, 60, 10, -np.pi / 2])
    lengths, widths, azimuths = found.measures().T
    assert [round(length) for length in lengths] == [20, 40, 30]
    for query, expected in (
        (Query(length=(None, 25)), [500]),
        (Query(length=(25, None)), [600, 700]),
        (Query(length=(lengths[2], lengths[2])), [700]),
        (Query(width=(4, 6)), [700]),
        (Query(azimuth=(80, 100)), [500]),
        (Query(azimuth=(170, 10)), [700]),
        (Query(azimuth=(azimuths[1], azimuths[1])), [600]),
    ):
        assert sorted(found.filter(query).boxes[:, 1]) == expected
    assert widths.max() < 16


def test_time_begins_inclusive_and_ends_exclusive() -> None:
    found = at(ANTIMERIDIAN, [500, 500, 40, 20, 0.0])
    for period, count in (
        (("2024-05-01T10:20:30Z", None), 1),
        (("2024-05-01T12:20:30+02:00", "2024-05-01T10:20:31"), 1),
        ((None, "2024-05-01T10:20:30Z"), 0),
        (("2024-05-02", None), 0),
    ):
        assert len(found.filter(Query(acquired=period))) == count
    assert len(random_detections(UTM, 3, 1).filter(Query(acquired=("1900-01-01", None)))) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"near": (0, 0)},
        {"near": (181, 0, 5)},
        {"near": (0, 91, 5)},
        {"near": (0, 0, -1)},
        {"near": (0, 0, 5_000_001)},
        {"near": (0, 0, np.nan)},
        {"acquired": (None, None)},
        {"acquired": ("2024-01-02", "2024-01-01")},
        {"acquired": "2024-01-01"},
        {"acquired": ("soon", None)},
        {"length": (None, None)},
        {"length": (5, 3)},
        {"length": (-1, 3)},
        {"width": (np.nan, 3)},
        {"width": (1, np.inf)},
        {"width": 5},
        {"azimuth": (0, 181)},
        {"azimuth": (np.nan, 3)},
        {"azimuth": (10, None)},
        {"areas": ()},
        {"areas": ("Banepa",)},
    ],
)
def test_senseless_conditions_name_themselves(values: dict[str, object]) -> None:
    name = next(iter(values))
    with pytest.raises(UsageError, match=f"^{name}"):
        Query(**values)


def test_areas_can_be_given_as_they_are() -> None:
    area = Area("a", shapely.box(0, 0, 1, 1))
    assert Query(areas=area) == Query(areas=[area]) == Query(areas=Areas((area,)))
    assert hash(Query(areas=area)) == hash(Query(areas=(area,)))


def test_sure_hulls_need_no_footprint() -> None:
    hulls = np.array([[1, 1, 2, 2], [1, 1, 5, 5], [8, 8, 9, 9]], dtype=float)
    assert Query(box=(0, 0, 3, 3)).sure_mask(hulls).tolist() == [True, False, False]
    assert Query().sure_mask(hulls).tolist() == [True, True, True]
    assert Query(box=(0, 0, 3, 3), near=(1, 1, 5)).sure_mask(hulls).tolist() == [False, False, False]
    assert Query(polygon=[(0, 0), (9, 0), (9, 9), (0, 9)]).sure_mask(hulls).tolist() == [False, False, False]


def test_bounds_hold_every_match() -> None:
    assert Query().bounds() is None
    assert Query(box=(0, 0, 3, 3), polygon=[(1, 1), (5, 1), (5, 5)]).bounds() == (1, 1, 3, 3)
    assert Query(box=(170, 0, -170, 3)).bounds() == (-180, 0, 180, 3)
