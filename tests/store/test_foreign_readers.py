"""Other programs read a store as it lies, merged or not."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyarrow.dataset as ds
import pyogrio
import pytest
import shapely

from requirements import need, need_ogr_parquet
from swathe.detections import Detections
from swathe.query import Query, reference_filter
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.parquet import write_detections
from swathe.testing.suites.samples import ANTIMERIDIAN, MERCATOR, PIXELS, UTM, random_detections

PARTS = [random_detections(UTM, 60, 1), random_detections(MERCATOR, 50, 2), random_detections(ANTIMERIDIAN, 40, 3)]
EVERYTHING = Detections.concat(PARTS)
IDS = set(EVERYTHING.table.column("id").to_pylist())


@pytest.fixture(params=["open", "merged"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> GeoParquetStore:
    store = GeoParquetStore.create(tmp_path / "store")
    for part in PARTS:
        (scene,) = part.scenes.values()
        store.publish_scene("run-a", part, scene)
    if request.param == "merged":
        store.commit("run-a", {})
        assert store.compact("run-a") == 2
    # What a killed process left, which nobody may stumble over.
    (store.path / "detections" / ".run%2Da-x.0123456789ab.tmp").write_bytes(b"half a file")
    return store


def lower_left(fraction: float) -> tuple[float, float, float, float]:
    """A box over a corner of the first scene."""
    low, high = PARTS[0].to_polygons("lonlat").min(axis=(0, 1)), PARTS[0].to_polygons("lonlat").max(axis=(0, 1))
    return (*low, *(low + fraction * (high - low)))


def test_duckdb(store):
    need("duckdb")
    import duckdb

    box = lower_left(0.4)
    files = f"'{store.path}/detections/*.parquet'"
    with duckdb.connect() as connection:
        connection.execute("load parquet")
        found = connection.execute(f"select id, score, acquired from {files}").fetchall()
        by_box = connection.execute(
            f"select id, geometry::blob from {files} where bbox.xmin <= ? and bbox.ymin <= ? and bbox.xmax >= ? and "
            "bbox.ymax >= ?",
            [box[2], box[3], box[0], box[1]],
        ).fetchall()
        sums = dict(
            connection.execute(f"select class, count(*) from {files} where length_m > 20 group by class").fetchall()
        )
        largest = connection.execute(f"select max(length_m), max(azimuth_deg) from {files}").fetchone()
    assert {row[0] for row in found} == IDS
    assert len(found) == len(IDS)
    assert sum(row[2] is not None for row in found) == 40
    exact = {name for name, geometry in by_box if shapely.from_wkb(geometry).intersects(shapely.box(*box))}
    assert exact == set(reference_filter(EVERYTHING, Query(box=box)).table.column("id").to_pylist())
    assert 0 < len(exact) < 60
    measures = EVERYTHING.measures()
    assert largest == (measures[:, 0].max(), measures[:, 2].max())
    long = EVERYTHING.classes[measures[:, 0] > 20].tolist()
    assert sums == {name: long.count(name) for name in set(long)}


def test_geopandas(store):
    frame = geopandas.read_parquet(store.path / "detections")
    assert frame.crs.to_string() == "OGC:CRS84"
    assert set(frame["id"]) == IDS
    assert set(frame.geom_type) == {"Polygon", "MultiPolygon"}
    assert frame.geometry.is_valid.all()
    order = {name: number for number, name in enumerate(EVERYTHING.table.column("id").to_pylist())}
    expected = EVERYTHING.footprints()[[order[name] for name in frame["id"]]]
    assert shapely.equals(frame.geometry.to_numpy(), expected).all()
    box = lower_left(0.4)
    part = geopandas.read_parquet(store.path / "detections", bbox=box)
    assert set(reference_filter(EVERYTHING, Query(box=box)).table.column("id").to_pylist()) <= set(part["id"])
    np.testing.assert_allclose(frame["length_m"], EVERYTHING.measures()[[order[name] for name in frame["id"]], 0])


def test_pyarrow_datasets(store):
    dataset = ds.dataset(store.path / "detections")
    assert dataset.count_rows() == 150
    assert dataset.count_rows(filter=ds.field("scene") == UTM.id) == 60
    assert dataset.count_rows(filter=ds.field("bbox", "ymin") > 60) == 0
    assert dataset.count_rows(filter=ds.field("acquired").is_valid()) == 40


@pytest.fixture(scope="module")
def gdal() -> dict[str, str]:
    """QGIS reads through OGR. The environment in which its programs read Parquet."""
    return need_ogr_parquet()


def read_with_ogr(source: Path, environment: dict[str, str], *options: str) -> geopandas.GeoDataFrame:
    """Let GDAL's own program read something, sorted by id; a GeoPackage keeps every bit of numbers and coordinates."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["ogr2ogr", "-f", "GPKG", f"{folder}/read.gpkg", str(source), "-nlt", "GEOMETRY", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        frame = pyogrio.read_dataframe(f"{folder}/read.gpkg").sort_values("id", ignore_index=True)
    frame["acquired"] = pandas.to_datetime(frame["acquired"], utc=True).dt.as_unit("ms")  # pyogrio guesses from values
    return frame


def describe_with_ogr(source: Path, environment: dict[str, str]) -> str:
    """What `ogrinfo` says of a layer."""
    command = ["ogrinfo", "-so", "-al", str(source)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def expected_rows(detections: Detections) -> geopandas.GeoDataFrame:
    """Every column of the store format, sorted by id."""
    frame = detections.table.to_pandas().astype({"run": str, "scene": str, "class": str})
    frame[["length_m", "width_m", "azimuth_deg"]] = detections.measures()
    times = frame["scene"].map({name: scene.acquired for name, scene in detections.scenes.items()})
    frame["acquired"] = pandas.to_datetime(times, utc=True).dt.as_unit("ms")
    footprints = detections.footprints()
    frame[["bbox.xmin", "bbox.ymin", "bbox.xmax", "bbox.ymax"]] = shapely.bounds(footprints)
    return geopandas.GeoDataFrame(frame, geometry=footprints).sort_values("id", ignore_index=True)


def assert_same_rows(found: geopandas.GeoDataFrame, detections: Detections) -> None:
    """Types, values and coordinates, bit by bit; OGR makes MultiPolygons of all Polygons of a layer that has both."""
    expected = expected_rows(detections)
    pandas.testing.assert_frame_equal(
        pandas.DataFrame(found.drop(columns="geometry")),
        pandas.DataFrame(expected.drop(columns="geometry")),
        check_exact=True,
    )
    coordinates = [shapely.get_coordinates(frame.geometry, return_index=True) for frame in (found, expected)]
    for ours, theirs in zip(*coordinates, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_ogr_reads_the_folder_as_one_layer(store, gdal):
    found = read_with_ogr(store.path / "detections", gdal)
    assert_same_rows(found, EVERYTHING)
    assert found.crs.to_epsg() == 4326


def test_ogr_knows_the_types_of_columns(store, gdal):
    described = describe_with_ogr(store.path / "detections", gdal)
    fields = dict(re.findall(r"^([\w.]+): (\S+) \(0\.0\)", described, re.MULTILINE))
    assert {fields.pop(name) for name in ("id", "run", "scene", "class")} == {"String"}
    assert (fields.pop("cut"), fields.pop("acquired")) == ("Integer(Boolean)", "DateTime")
    assert set(fields.values()) == {"Real"}
    assert set(fields) == set(expected_rows(EVERYTHING).select_dtypes("float64"))
    assert "Data axis to CRS axis mapping: 2,1" in described, "longitude comes first"


def test_ogr_reads_each_file(store, gdal):
    files = sorted((store.path / "detections").glob("*.parquet"))
    frames = [read_with_ogr(path, gdal) for path in files]
    whole = pandas.concat(frames).sort_values("id", ignore_index=True)
    assert_same_rows(whole, EVERYTHING)


def test_ogr_filters_by_place_and_attributes(store, gdal):
    box = lower_left(0.4)
    found = read_with_ogr(store.path / "detections", gdal, "-spat", *map(str, box))
    assert_same_rows(found, reference_filter(EVERYTHING, Query(box=box)))
    assert 0 < len(found) < 60
    conditions = "class = 'bâtiment/घर' and score >= 0.5 and cut = 0"
    found = read_with_ogr(store.path / "detections", gdal, "-where", conditions)
    wanted = reference_filter(EVERYTHING, Query(classes=("bâtiment/घर",), min_score=0.5))
    uncut = np.flatnonzero(~wanted.table.column("cut").to_numpy())
    assert_same_rows(found, wanted.take(uncut))
    assert 0 < len(found) < 50


def test_ogr_reads_names_in_many_row_groups(tmp_path, gdal):
    detections = Detections.concat(PARTS[:2])
    with (tmp_path / "many.parquet").open("x+b") as stream:
        write_detections(detections, stream, row_group_rows=10)
    assert_same_rows(read_with_ogr(tmp_path / "many.parquet", gdal), detections)


def test_ogr_knows_that_pixels_have_no_reference_system(tmp_path, gdal):
    store = GeoParquetStore.create(tmp_path / "store")
    found = random_detections(PIXELS, 20, 1)
    store.publish_scene("run-a", found, PIXELS)
    assert "Layer SRS WKT:\n(unknown)" in describe_with_ogr(store.path / "detections", gdal)
    coordinates = read_with_ogr(store.path / "detections", gdal).get_coordinates().to_numpy()
    np.testing.assert_array_equal(coordinates, expected_rows(found).get_coordinates().to_numpy())


def test_ogr_reads_what_is_written_for_it(store, tmp_path):
    path = store.scan().save(tmp_path / "found.geojson")
    frame = pyogrio.read_dataframe(path)
    assert len(frame) == 150
    assert frame.geometry.is_valid.all()


def test_pixels_have_no_reference_system(tmp_path):
    store = GeoParquetStore.create(tmp_path / "store")
    store.publish_scene("run-a", random_detections(PIXELS, 20, 1), PIXELS)
    frame = geopandas.read_parquet(store.path / "detections")
    assert frame.crs is None
    assert frame["length_m"].isna().all()
    assert frame["acquired"].isna().all()
