"""CSV, COCO, GeoPackage and FlatGeobuf, each read back by another library."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import duckdb
import geopandas
import numpy as np
import pandas
import pyogrio
import pytest
import shapely
from pycocotools.coco import COCO

from swathe.detections import Detections, SceneInfo
from swathe.errors import SourceError, StoreError, UsageError
from swathe.store.exports import Format, export, format_of, rows
from swathe.store.exports.csv import COLUMNS
from swathe.testing.suites.samples import ANTIMERIDIAN, MERCATOR, PIXELS, POLAR, UTM, keyed, random_detections

GROUND = Detections.concat([random_detections(UTM, 30, 1), random_detections(MERCATOR, 20, 2)])
ACROSS = Detections.concat(
    [random_detections(ANTIMERIDIAN, 60, 3), random_detections(POLAR, 40, 4), random_detections(UTM, 5, 5)]
)
MIXED = Detections.concat([random_detections(ANTIMERIDIAN, 20, 1), random_detections(PIXELS, 30, 2, run="other")])
FILES = ("a.geojson", "a.csv", "a.coco.json", "a.gpkg", "a.fgb")


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
        ("a.shp", None),
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
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", FILES)
def test_equal_detections_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    one = export(GROUND, tmp_path / name).read_bytes()
    shuffled = GROUND.take(np.random.default_rng(0).permutation(len(GROUND)))
    assert export(shuffled, tmp_path / f"other {name}").read_bytes() == one
    if name not in ("a.gpkg", "a.fgb"):  # GDAL writes in batches of its own, so that sizes of pages differ
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
    assert list(frame.columns) == COLUMNS.names
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
        export(GROUND, tmp_path / "a.shp")


def test_detections_save_by_name(tmp_path: Path) -> None:
    assert GROUND.save(tmp_path / "a.gpkg").stat().st_size > 0
    assert json.loads(GROUND.save(tmp_path / "a.coco.json").read_text())["categories"][0]["id"] == 1
