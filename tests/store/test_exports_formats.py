"""CSV, COCO, GeoPackage and FlatGeobuf, each read back by another library."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import geopandas
import numpy as np
import pandas
import pyogrio
import pytest
import shapely
from pycocotools.coco import COCO

from requirements import need_program
from swathe.colours import class_colours
from swathe.detections import Detections, SceneInfo
from swathe.errors import SourceError, StoreError, UsageError
from swathe.store.exports import Format, export, format_of, rows
from swathe.testing.suites.samples import ANTIMERIDIAN, MERCATOR, PIXELS, POLAR, UTM, keyed, random_detections

GROUND = Detections.concat([random_detections(UTM, 30, 1), random_detections(MERCATOR, 20, 2)])
ACROSS = Detections.concat(
    [random_detections(ANTIMERIDIAN, 60, 3), random_detections(POLAR, 40, 4), random_detections(UTM, 5, 5)]
)
MIXED = Detections.concat([random_detections(ANTIMERIDIAN, 20, 1), random_detections(PIXELS, 30, 2, run="other")])
FILES = ("a.geojson", "a.csv", "a.coco.json", "a.gpkg", "a.fgb", "a.shp", "a.kml")
BESIDE = {"a.gpkg": {"a.qml"}, "a.shp": {"a.shx", "a.dbf", "a.prj", "a.cpg"}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.geojson", Format.GEOJSON),
        ("a.json", Format.GEOJSON),
        ("a.coco.json", Format.COCO),
        ("A.GPKG", Format.GEOPACKAGE),
        ("a.fgb", Format.FLATGEOBUF),
        ("a.csv", Format.CSV),
        ("a.parquet", Format.PARQUET),
        ("a.shp", Format.SHAPEFILE),
        ("a.kml", Format.KML),
        ("a.qml", Format.QGIS_STYLE),
        ("a.xyz", None),
        ("folder", None),
    ],
)
def test_name_tells_the_format(name: str, expected: Format | None) -> None:
    assert format_of(Path(name)) is expected


@pytest.mark.parametrize("name", FILES)
def test_existing_files_stay(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        export(GROUND, path)
    assert path.read_text() == "mine"
    export(GROUND, path, overwrite=True)
    assert path.stat().st_size > 1000
    assert {other.name for other in tmp_path.iterdir()} == {name} | BESIDE.get(name, set())


@pytest.mark.parametrize("name", FILES)
def test_equal_detections_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    one = export(GROUND, tmp_path / name).read_bytes()
    shuffled = GROUND.take(np.random.default_rng(0).permutation(len(GROUND)))
    assert export(shuffled, tmp_path / f"other {name}").read_bytes() == one
    if name not in ("a.gpkg", "a.fgb", "a.kml"):  # GDAL writes in batches of its own, so that sizes of pages differ
        monkeypatch.setattr(rows, "CHUNK_ROWS", 7)
        assert export(GROUND, tmp_path / f"third {name}").read_bytes() == one


@pytest.mark.parametrize("name", FILES)
def test_nothing_found_is_a_file_too(tmp_path: Path, name: str) -> None:
    nothing = Detections.empty(["ship"], keyed(UTM))
    assert export(nothing, tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize("name", [name for name in FILES if name != "a.coco.json"])  # that needs no place on the ground
def test_nothing_half_written_is_left(tmp_path: Path, name: str) -> None:
    beyond = SceneInfo("far", "far.tif", 100, 100, UTM.crs, (1e9, 0, 0, 0, 1e9, 0))
    found = random_detections(beyond, 5, 1)
    with pytest.raises(SourceError):
        export(found, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.geojson"])
def test_pixels_and_degrees_do_not_fit_into_one_layer(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="choose scenes of one kind"):
        export(MIXED, tmp_path / name)


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.geojson", "a.parquet"])
def test_a_scene_without_detections_is_in_nobodys_way(tmp_path: Path, name: str) -> None:
    found = Detections.concat([GROUND, Detections.empty([], MIXED.scenes)])
    path = export(found, tmp_path / name)
    frame = geopandas.read_parquet(path) if name.endswith("parquet") else geopandas.read_file(path)
    assert len(frame) == len(GROUND)
    assert frame.crs.is_geographic


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb"])
@pytest.mark.parametrize("found", [GROUND, ACROSS], ids=["ground", "across"])
def test_geopandas_reads_geopackage_and_flatgeobuf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: Detections
) -> None:
    monkeypatch.setattr(rows, "CHUNK_ROWS", 16)
    frame = geopandas.read_file(export(found, tmp_path / name)).set_index("id")
    ordered = found.sorted()
    frame = frame.loc[ordered.table.column("id").to_pylist()]
    assert frame.crs.to_epsg() == 4326
    assert frame["class"].tolist() == ordered.classes.tolist()
    assert frame["cut"].tolist() == ordered.cut.tolist()
    np.testing.assert_array_equal(frame[["cx", "cy", "w", "h"]].to_numpy(), ordered.boxes[:, :4])
    np.testing.assert_array_equal(frame[["length_m", "width_m", "azimuth_deg"]].to_numpy(), ordered.measures())
    assert shapely.equals(frame.geometry.to_numpy(), ordered.footprints()).all()
    times = [None if pandas.isna(time) else time.isoformat() for time in frame["acquired"]]
    assert times == [
        acquired and acquired.replace("Z", "+00:00")
        for acquired in (ordered.scenes["run-a", scene].acquired for scene in ordered.scene_ids)
    ]


def ogr_features(path: Path) -> list[dict[str, Any]]:
    """What the `ogr2ogr` of another build of GDAL reads."""
    words = [
        need_program("ogr2ogr", "gdal-bin"),
        "-f",
        "GeoJSON",
        "/vsistdout/",
        str(path),
        "-lco",
        "COORDINATE_PRECISION=15",
    ]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    features: list[dict[str, Any]] = json.loads(text)["features"]
    return features


@pytest.mark.parametrize("name", ["a.shp", "a.kml"])
@pytest.mark.parametrize("found", [GROUND, ACROSS], ids=["ground", "across"])
def test_gdal_reads_shapefile_and_kml(tmp_path: Path, name: str, found: Detections) -> None:
    features = ogr_features(export(found, tmp_path / name))
    ordered = found.sorted()
    told = [feature["properties"] for feature in features]
    class_name, azimuth = ("class", "azimuth") if name == "a.shp" else ("Name", "azimuth_deg")
    assert [row[class_name] for row in told] == ordered.classes.tolist()
    assert [row["scene"] for row in told] == ordered.scene_ids.tolist()
    assert [bool(row["cut"]) for row in told] == ordered.cut.tolist()
    np.testing.assert_allclose([row["score"] for row in told], ordered.scores, atol=1e-12)
    np.testing.assert_allclose([row[azimuth] for row in told], ordered.measures()[:, 2], atol=1e-9)
    assert {row.get("acquired") for row in told} == {
        ordered.scenes["run-a", scene].acquired for scene in ordered.scene_ids.tolist()
    }
    read = np.array([shapely.from_geojson(json.dumps(feature["geometry"])) for feature in features])
    expected = ordered.footprints()
    np.testing.assert_allclose(shapely.area(read), shapely.area(expected), atol=1e-12)
    assert (shapely.hausdorff_distance(read, expected) < 1e-9).all()


def test_shapefile_tells_what_it_cannot_hold(tmp_path: Path) -> None:
    long = SceneInfo("x" * 300, "a.tif", 100, 100, UTM.crs, UTM.transform)
    found = random_detections(long, 3, 1)
    with pytest.raises(UsageError, match="254 bytes at most"):
        export(found, tmp_path / "a.shp")
    assert list(tmp_path.iterdir()) == []
    assert len(geopandas.read_file(export(found, tmp_path / "a.shp", columns=["class", "score"]))) == 3
    with pytest.raises(UsageError, match="on the ground"):
        export(random_detections(PIXELS, 3, 1), tmp_path / "a.kml")


def test_style_shows_each_class_in_its_colour(tmp_path: Path) -> None:
    export(GROUND, tmp_path / "a.gpkg")
    beside = (tmp_path / "a.qml").read_bytes()
    assert export(GROUND, tmp_path / "b.qml").read_bytes() == beside
    root = ElementTree.fromstring(beside)
    symbols = {symbol.get("name"): symbol for symbol in root.iter("symbol")}
    categories = {one.get("value"): symbols[one.get("symbol")] for one in root.iter("category")}
    assert set(categories) == set(GROUND.class_names)
    for name, colour in class_colours(GROUND.class_names).items():
        options = {one.get("name"): one.get("value") for one in categories[name].iter("Option")}
        assert options["line_color"] == ",".join(map(str, (*colour, 255)))
    (tmp_path / "a.qml").write_text("mine")
    export(GROUND, tmp_path / "a.gpkg", overwrite=True)
    assert (tmp_path / "a.qml").read_text() == "mine"


@pytest.mark.parametrize("name", ["a.csv", "a.gpkg", "a.fgb", "a.shp", "a.geojson"])
def test_columns_and_order_are_kept(tmp_path: Path, name: str) -> None:
    ordered = GROUND.sort_by("-score")
    path = export(ordered, tmp_path / name, columns=["score", "latitude", "class"], keep_order=True)
    frame = pandas.read_csv(path) if name == "a.csv" else geopandas.read_file(path)
    if name not in ("a.fgb",):  # its spatial index decides about the order
        assert frame["class"].tolist() == ordered.classes.tolist()
        np.testing.assert_allclose(frame["latitude"], ordered.centres()[:, 1], atol=1e-12)
    assert set(frame.columns) - {"geometry", "id"} == {"score", "latitude", "class"}
    with pytest.raises(UsageError, match="columns"):
        export(ordered, tmp_path / "b.csv", columns=["nothing"])
    with pytest.raises(UsageError, match="columns"):
        export(ordered, tmp_path / "b.coco.json", columns=["score"])


def test_geopackage_says_what_it_holds(tmp_path: Path) -> None:
    with sqlite3.connect(export(ACROSS, tmp_path / "a.gpkg")) as database:
        ((table, kind, changed, system),) = database.execute(
            "SELECT table_name, data_type, last_change, srs_id FROM gpkg_contents"
        )
        ((geometry,),) = database.execute("SELECT geometry_type_name FROM gpkg_geometry_columns")
        ((count,),) = database.execute("SELECT count(*) FROM detections")
        ((indexed,),) = database.execute("SELECT count(*) FROM rtree_detections_geom")
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (table, kind, changed, system) == ("detections", "features", "1970-01-01T00:00:00.000Z", 4326)
    assert (geometry, count, indexed) == ("MULTIPOLYGON", len(ACROSS), len(ACROSS))


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb"])
def test_layers_in_pixels_say_so(tmp_path: Path, name: str) -> None:
    found = random_detections(PIXELS, 10, 1)
    path = export(found, tmp_path / name)
    frame = geopandas.read_file(path)
    assert frame.crs.name == "pixels of the scene, y down"
    assert not frame.crs.is_geographic
    assert frame["length_m"].isna().all()
    assert pyogrio.read_info(path)["geometry_type"] == "Polygon"
    np.testing.assert_allclose(frame.total_bounds, shapely.total_bounds(found.footprints()))


def test_pandas_and_duckdb_read_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK_ROWS", 16)
    path = export(MIXED, tmp_path / "a.csv")
    ordered = MIXED.sorted()
    frame = pandas.read_csv(path, float_precision="round_trip")
    assert list(frame.columns) == rows.EVERY.names
    for column in ("id", "run", "scene", "class", "score", "cx", "cy", "w", "h", "cut"):
        assert frame[column].tolist() == ordered.table.column(column).to_pylist()
    np.testing.assert_array_equal(frame[["longitude", "latitude"]].to_numpy(), ordered.centres())
    np.testing.assert_array_equal(frame[["length_m", "width_m", "azimuth_deg"]].to_numpy(), ordered.measures())
    corners = frame[["x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"]].to_numpy().reshape(-1, 4, 2)
    np.testing.assert_array_equal(corners, ordered.to_polygons())
    known = frame["acquired"].notna()
    assert set(frame["acquired"][known]) == {ANTIMERIDIAN.acquired}
    assert (known == (ordered.scene_ids == ANTIMERIDIAN.id)).all()
    counts = duckdb.sql(f"SELECT scene, count(*), count(longitude) FROM '{path}' GROUP BY scene ORDER BY scene")
    assert counts.fetchall() == [(PIXELS.id, 30, 0), (ANTIMERIDIAN.id, 20, 20)]


def test_csv_quotes_what_would_break_a_line(tmp_path: Path) -> None:
    scene = SceneInfo('a,"b"\nc', "a.png", 10, 10)
    path = export(Detections.from_arrays([[5, 5, 4, 2, 0]], [0.5], [0], ["x, y"], scene, "r"), tmp_path / "a.csv")
    with path.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["scene"], row["class"]) == (scene.id, "x, y")


def test_pycocotools_reads_coco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK_ROWS", 16)
    path = export(MIXED, tmp_path / "a.coco.json")
    ordered = MIXED.sorted()
    coco = COCO(str(path))
    annotations = coco.loadAnns(coco.getAnnIds())
    assert [annotation["id"] for annotation in annotations] == list(range(1, len(MIXED) + 1))
    images = {image["id"]: image for image in coco.loadImgs(coco.getImgIds())}
    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    assert tuple(names.values()) == MIXED.class_names
    assert [images[a["image_id"]]["scene"] for a in annotations] == ordered.scene_ids.tolist()
    assert [names[a["category_id"]] for a in annotations] == ordered.classes.tolist()
    assert [a["score"] for a in annotations] == ordered.scores.tolist()
    np.testing.assert_array_equal(
        np.array([a["segmentation"] for a in annotations]).reshape(-1, 4, 2), ordered.to_polygons()
    )
    box = np.array([a["rotated_box"] for a in annotations])
    np.testing.assert_array_equal(np.radians(box[:, 4]).round(12), ordered.boxes[:, 4].round(12))
    hulls = shapely.bounds(shapely.polygons(ordered.to_polygons()))
    left, top, width, height = np.array([a["bbox"] for a in annotations]).T
    np.testing.assert_allclose(np.stack([left, top, left + width, top + height], axis=1), hulls, atol=1e-9)
    taken = next(image for image in images.values() if image["scene"] == ANTIMERIDIAN.id)
    assert (taken["file_name"], taken["width"], taken["height"]) == ("taveuni.tif", 2000, 1600)
    assert taken["date_captured"] == ANTIMERIDIAN.acquired


def test_coco_masks_cover_the_boxes(tmp_path: Path) -> None:
    found = Detections.from_arrays([[50, 40, 40, 10, 0.5]], [0.9], [0], ["x"], SceneInfo("s", "s.png", 100, 80), "r")
    coco = COCO(str(export(found, tmp_path / "a.json", Format.COCO)))
    mask = coco.annToMask(coco.loadAnns([1])[0])
    assert mask.shape == (80, 100)
    assert int(mask.sum()) == pytest.approx(400, rel=0.1)
    assert mask[40, 50] == 1


def test_name_without_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.gpkg"):
        export(GROUND, tmp_path / "a.xyz")


def test_detections_save_by_name(tmp_path: Path) -> None:
    assert GROUND.save(tmp_path / "a.gpkg").stat().st_size > 0
    assert json.loads(GROUND.save(tmp_path / "a.coco.json").read_text())["categories"][0]["id"] == 1
