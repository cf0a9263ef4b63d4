from __future__ import annotations

import json
import math
import zipfile

import geopandas
import numpy as np
import pytest
import shapely

from swathe.detections import Detections, SceneInfo
from swathe.errors import StoreError, UsageError
from swathe.evaluation.found import read_task1
from swathe.store import exports
from swathe.store.exports import write_dota_task1, write_geojson
from swathe.testing.suites.samples import CLASSES, MERCATOR, PIXELS, UTM, random_detections

BEACH = SceneInfo("beach", "beach.png", 500, 400)
NAMES = ("ship", "small-vehicle", "घर")


def test_geojson_follows_rfc_7946(tmp_path):
    found = Detections.concat([random_detections(UTM, 30, 1), random_detections(MERCATOR, 20, 2)])
    document = json.loads(write_geojson(found.sorted(), tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert set(document) == {"type", "features"}
    assert document["type"] == "FeatureCollection"
    rows = found.sorted().table.to_pylist()
    corners = found.sorted().to_polygons("lonlat")
    assert len(document["features"]) == 50
    for feature, row, quad, measures in zip(
        document["features"], rows, corners, found.sorted().measures(), strict=True
    ):
        assert feature["type"] == "Feature"
        assert feature["id"] == row["id"]
        ring = np.array(feature["geometry"]["coordinates"][0])
        assert ring.shape == (5, 2)
        assert shapely.is_ccw(shapely.linearrings(ring))
        assert {tuple(point) for point in ring.tolist()} == {tuple(point) for point in quad.tolist()}
        properties = feature["properties"]
        assert properties.pop("theta_degrees") == math.degrees(row["theta"])
        on_ground = [properties.pop(name) for name in ("length_m", "width_m", "azimuth_deg")]
        np.testing.assert_array_equal(on_ground, measures)
        assert properties.pop("acquired") is None
        assert properties == {name: row[name] for name in properties}
        assert set(properties) == {"run", "scene", "class", "score", "cx", "cy", "w", "h", "cut"}


def test_geopandas_reads_geojson(tmp_path):
    found = random_detections(UTM, 25, 1).sorted()
    frame = geopandas.read_file(write_geojson(found, tmp_path / "a.geojson"))
    assert frame.crs.to_epsg() == 4326
    assert frame["class"].tolist() == found.classes.tolist()
    assert shapely.equals(frame.geometry.to_numpy(), shapely.polygons(found.to_polygons("lonlat"))).all()


def test_geojson_in_pixels_says_so(tmp_path):
    found = random_detections(PIXELS, 3, 1)
    document = json.loads(write_geojson(found, tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert document["coordinates"].startswith("pixels of the scene")
    ring = np.array(document["features"][0]["geometry"]["coordinates"][0])
    assert shapely.equals(shapely.Polygon(ring), shapely.Polygon(found.sorted().to_polygons()[0]))


def test_geojson_does_not_depend_on_the_size_of_chunks(tmp_path, monkeypatch):
    found = random_detections(UTM, 23, 1)
    whole = write_geojson(found, tmp_path / "a.geojson").read_bytes()
    monkeypatch.setattr(exports.rows, "CHUNK_ROWS", 5)
    assert write_geojson(found, tmp_path / "b.geojson").read_bytes() == whole
    assert json.loads(write_geojson(Detections.empty(), tmp_path / "c.geojson").read_text()) == {
        "type": "FeatureCollection",
        "features": [],
    }


def test_task1_files_come_back_to_the_last_digit(tmp_path):
    found = Detections.concat([random_detections(BEACH, 40, 1, classes=NAMES[:2]), Detections.empty(NAMES)])
    files = write_dota_task1(found, tmp_path / "out")
    assert [path.name for path in files] == ["Task1_ship.txt", "Task1_small-vehicle.txt", "Task1_घर.txt"]
    assert files[2].read_bytes() == b""
    back = read_task1(tmp_path / "out")
    expected = found.sorted()
    assert back.classes.tolist() == expected.classes.tolist()
    assert back.scores.tolist() == expected.scores.tolist()
    np.testing.assert_array_equal(back.polygons, expected.to_polygons())
    assert set(back.images.tolist()) == {"beach"}
    assert write_dota_task1(found, tmp_path / "out.zip") == [tmp_path / "out.zip"]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {p.name: p.read_bytes() for p in files}


def test_task1_refuses_what_its_readers_would_misread(tmp_path):
    with pytest.raises(UsageError, match="cannot be part of a file name"):
        write_dota_task1(random_detections(BEACH, 3, 1, classes=("a/b",)), tmp_path / "out")
    with pytest.raises(UsageError, match="blanks"):
        write_dota_task1(random_detections(MERCATOR, 3, 1, classes=NAMES), tmp_path / "out")
    with pytest.raises(UsageError, match="not among the classes"):
        write_dota_task1(random_detections(BEACH, 20, 1, classes=NAMES), tmp_path / "out", ["ship"])
    assert list(tmp_path.iterdir()) == []
    assert any("/" in name for name in CLASSES)


def test_task1_replaces_its_own_kind_only(tmp_path):
    found = random_detections(BEACH, 10, 1, classes=NAMES)
    write_dota_task1(found, tmp_path / "out")
    with pytest.raises(StoreError, match="exists already"):
        write_dota_task1(found, tmp_path / "out")
    write_dota_task1(found.take([0]), tmp_path / "out", overwrite=True)
    assert len(read_task1(tmp_path / "out")) == 1
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="holds something else"):
        write_dota_task1(found, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
