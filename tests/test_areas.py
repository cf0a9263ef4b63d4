"""Areas beside geopandas, and every way in which a file of them can be wrong."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely

from swathe.areas import Area, Areas
from swathe.errors import SourceError, StoreError, UsageError

BANEPA = shapely.box(85.50, 27.60, 85.56, 27.65)
PANAUTI = shapely.Polygon(
    [(85.45, 27.50), (85.50, 27.50), (85.50, 27.55), (85.45, 27.55)],
    [[(85.46, 27.51), (85.46, 27.52), (85.47, 27.52), (85.47, 27.51)]],
)
PATAN = shapely.MultiPolygon([shapely.box(85.30, 27.66, 85.33, 27.68), shapely.box(85.34, 27.66, 85.35, 27.67)])
NESTED = Areas(
    (Area("Nepal/Kavre/Panauti", PANAUTI), Area("Nepal/Lalitpur/Patan", PATAN), Area("Nepal/Kavre/Banepa", BANEPA))
)


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **members}


def square(x: float = 0.0, size: float = 1.0) -> dict[str, Any]:
    return shapely.geometry.mapping(shapely.box(x, 0, x + size, size))


SWAPPED = shapely.geometry.mapping(shapely.box(30, 120, 31, 121))


def named(crs: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": crs}}


def test_names_are_whole_or_any_unique_tail() -> None:
    assert NESTED.names == (
        "Nepal",
        "Nepal/Kavre",
        "Nepal/Kavre/Banepa",
        "Nepal/Kavre/Panauti",
        "Nepal/Lalitpur",
        "Nepal/Lalitpur/Patan",
    )
    for name in ("Banepa", "Kavre/Banepa", "Nepal/Kavre/Banepa"):
        assert NESTED[name] == Area("Nepal/Kavre/Banepa", BANEPA)
    assert len(NESTED) == 3
    assert [area.name for area in NESTED] == sorted(area.name for area in NESTED)


def test_area_without_polygon_is_the_union_of_those_below() -> None:
    assert NESTED["Kavre"].name == "Nepal/Kavre"
    assert NESTED["Kavre"].geometry.equals(shapely.union_all([BANEPA, PANAUTI]))
    assert NESTED["Nepal"].geometry.equals(shapely.union_all([BANEPA, PANAUTI, PATAN]))
    own = NESTED.joined(Areas((Area("Nepal/Kavre", shapely.box(85, 27, 86, 28)),)))
    assert own["Kavre"].geometry.equals(shapely.box(85, 27, 86, 28))


def test_tail_of_two_areas_and_unknown_names_are_refused() -> None:
    twice = NESTED.joined(Areas((Area("India/Banepa", shapely.box(80, 20, 81, 21)),)))
    with pytest.raises(UsageError, match="'India/Banepa' or 'Nepal/Kavre/Banepa'"):
        twice["Banepa"]
    with pytest.raises(UsageError, match="did you mean 'Nepal/Kavre/Banepa'"):
        NESTED["Banepo"]
    with pytest.raises(UsageError, match="there is no area 'epal'"):
        Areas()["epal"]


def test_saved_areas_come_back_and_geopandas_reads_them(tmp_path: Path) -> None:
    path = NESTED.save(tmp_path / "areas.geojson")
    assert Areas.open(path) == NESTED
    assert Areas.open(tmp_path) == NESTED  # as in the folder of a store
    assert Areas(NESTED.areas[::-1]).save(tmp_path / "other.geojson").read_bytes() == path.read_bytes()
    frame = geopandas.read_file(path)
    assert frame["name"].tolist() == [area.name for area in NESTED]
    assert shapely.equals(frame.geometry.to_numpy(), [area.geometry for area in NESTED]).all()
    with pytest.raises(StoreError, match="exists already"):
        NESTED.save(path)


def test_file_of_another_program(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"NAME_2": ["Kavre", "Patan"], "code": [1, 2]}, geometry=[BANEPA, PATAN], crs=4326)
    frame.to_file(tmp_path / "districts.geojson")
    areas = Areas.open(tmp_path / "districts.geojson", name_property="NAME_2")
    assert [area.name for area in areas] == ["Kavre", "Patan"]
    with pytest.raises(SourceError, match=r"its properties are NAME_2, code, choose another one as name_property"):
        Areas.open(tmp_path / "districts.geojson")


def test_another_reference_system_is_brought_to_longitude_and_latitude(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"name": ["Banepa", "Patan"]}, geometry=[BANEPA, PATAN], crs=4326)
    document = {**json.loads(frame.to_crs(32645).to_json()), "crs": named("urn:ogc:def:crs:EPSG::32645")}
    (tmp_path / "utm.geojson").write_text(json.dumps(document))
    areas = Areas.open(tmp_path / "utm.geojson")
    expected = {"Banepa": BANEPA, "Patan": PATAN}
    assert all(area.geometry.symmetric_difference(expected[area.name]).area < 1e-9 for area in areas)


def test_parents_are_written_out() -> None:
    areas = Areas.from_geojson(
        collection(
            feature(square(0, 9), name="Nepal"),
            feature(square(0, 3), name="Kavre", parent="Nepal"),
            feature(square(0), name="Banepa", parent="Kavre"),
            feature(square(2), name="Patan", parent="Nepal/Lalitpur"),
        )
    )
    assert [area.name for area in areas] == ["Nepal", "Nepal/Kavre", "Nepal/Kavre/Banepa", "Nepal/Lalitpur/Patan"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "not GeoJSON"),
        ({"type": "Point"}, "is a Point"),
        (collection(3), "not GeoJSON"),  # type: ignore[arg-type]
        (collection(feature(square())), "feature 1 has no name"),
        (collection(feature(square(), name=" ")), "feature 1 has no name"),
        (collection(feature(square(), name=7)), "feature 1 has no name"),
        (collection(feature(square(), name="a"), feature(square(), name="a")), "two areas are named 'a'"),
        (collection(feature(square(), name="a//b")), "parted by single slashes"),
        (collection(feature(square(), name="a", parent="a")), "lead back to 'a'"),
        (collection(feature(square(), name="a", parent="b"), feature(square(2), name="b", parent="a")), "lead back"),
        (collection(feature(square(), name="a", parent=5)), "is not text"),
        (
            collection(
                feature(square(), name="x", parent="a"),
                feature(square(), name="a", parent="b"),
                feature(square(), name="a", parent="c"),
            ),
            "is the name of 2 areas",
        ),
        (collection(feature(None, name="a")), "has no geometry"),
        (collection(feature({"type": "Point", "coordinates": [1, 2]}, name="a")), "is a Point"),
        (collection(feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, name="a")), "four or more"),
        (collection(feature({"type": "Polygon", "coordinates": []}, name="a")), "damaged"),
        (
            collection(
                feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, name="a")
            ),
            "Self-intersection",
        ),
        (collection(feature(square(335_000), name="a")), "not longitude and latitude; convert"),
        (
            collection(feature(SWAPPED, name="a")),
            "latitude seems to stand first",
        ),
        (collection(feature(square(), name="a"), crs={"type": "name"}), "`crs` member has no name"),
        (collection(feature(square(), name="a"), crs=named("EPSG:99999999")), "99999999"),
    ],
)
def test_files_that_are_wrong_say_why(tmp_path: Path, document: Any, message: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(document))
    with pytest.raises(SourceError, match=message) as caught:
        Areas.open(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["no json", "[" * 100_000, '{"type": "FeatureCollection", "features": [NaN]}'])
def test_files_that_are_no_geojson(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(SourceError, match="GeoJSON"):
        Areas.open(tmp_path / "a.geojson")


def test_missing_files_name_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="swathe areas"):
        Areas.open(tmp_path)
    with pytest.raises(SourceError, match="check its name"):
        Areas.open(tmp_path / "nowhere.geojson")


def test_coordinates_of_the_usual_system_with_heights_are_taken() -> None:
    document = collection(
        feature({"type": "Polygon", "coordinates": [[[0, 0, 5], [1, 0, 5], [1, 1, 5], [0, 0, 5]]]}, name="a"),
        crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
    )
    assert not Areas.from_geojson(document)["a"].geometry.has_z


def test_areas_are_joined_and_left_out() -> None:
    other = Areas((Area("Nepal/Kavre/Banepa", PATAN),))
    with pytest.raises(UsageError, match=r"\(overwrite\)"):
        NESTED.joined(other)
    assert NESTED.joined(other, overwrite=True)["Banepa"].geometry.equals(PATAN)
    assert NESTED.without("Kavre").names == ("Nepal", "Nepal/Lalitpur", "Nepal/Lalitpur/Patan")
    assert NESTED.without("Nepal") == Areas()


def test_areas_are_values() -> None:
    assert hash(NESTED["Banepa"]) == hash(pickle.loads(pickle.dumps(NESTED["Banepa"])))
    assert pickle.loads(pickle.dumps(NESTED)) == NESTED


@pytest.mark.parametrize("name", ["areas.gpkg", "areas.shp", "areas.fgb"])
@pytest.mark.parametrize("code", [4326, 32645])
def test_files_of_geopandas_hold_areas(tmp_path: Path, name: str, code: int) -> None:
    shapes = [
        shapely.box(85, 27, 85.1, 27.1),
        shapely.MultiPolygon([shapely.box(86, 27, 87, 28), shapely.box(88, 27, 89, 28)]),
    ]
    frame = geopandas.GeoDataFrame({"name": ["a", "b/c"], "n": [1, 2]}, geometry=shapes, crs=4326).to_crs(code)
    frame.to_file(tmp_path / name)
    areas = Areas.open(tmp_path / name)
    assert [area.name for area in areas] == ["a", "b/c"]
    for area, shape in zip(areas, shapes, strict=True):
        assert shapely.hausdorff_distance(area.geometry, shape) < 1e-9


def test_layers_that_are_no_areas_are_told(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)])
    frame.to_file(tmp_path / "bare.shp")
    frame.set_crs(4326).to_file(tmp_path / "two.gpkg", layer="one")
    frame.set_crs(4326).to_file(tmp_path / "two.gpkg", layer="two")
    frame.set_crs(4326).set_geometry(frame.centroid).to_file(tmp_path / "points.gpkg")
    (tmp_path / "broken.gpkg").write_text("nothing")
    for name, told in {
        "bare.shp": "names no reference system",
        "two.gpkg": r"2 layers \(one, two\)",
        "points.gpkg": "is a Point",
        "broken.gpkg": "cannot be read",
        "missing.gpkg": "cannot be read",
    }.items():
        with pytest.raises(SourceError, match=told):
            Areas.open(tmp_path / name)
