"""Other programs read a store as it lies, merged or not."""

from __future__ import annotations

import re
import subprocess
import tempfile
from datetime import timedelta
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
from swathe.store import open_store, read
from swathe.store.parquet import write_detections
from swathe.store.protocol import Store
from swathe.testing.suites.samples import ANTIMERIDIAN, MERCATOR, PIXELS, UTM, random_detections
from swathe.testing.suites.store import add

PARTS = [random_detections(UTM, 60, 1), random_detections(MERCATOR, 50, 2), random_detections(ANTIMERIDIAN, 40, 3)]
EVERYTHING = Detections.concat(PARTS)
IDS = set(EVERYTHING.table.column("id").to_pylist())


@pytest.fixture(params=["open", "merged"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    store = open_store(tmp_path / "store", create=True)
    add(store, *PARTS)
    if request.param == "merged":
        assert store.compact(timedelta(0)).after == 1
    # What a killed process left, which nobody may stumble over.
    (files_of(store) / ".run%2Da-x.0123456789ab.tmp").write_bytes(b"half a file")
    return store


def files_of(store: Store) -> Path:
    """The folder with the files of the only run."""
    return Path(store.address) / "detections" / "run-a"


def lower_left(fraction: float) -> tuple[float, float, float, float]:
    """A box over a corner of the first scene."""
    low, high = PARTS[0].to_polygons("lonlat").min(axis=(0, 1)), PARTS[0].to_polygons("lonlat").max(axis=(0, 1))
    return (*low, *(low + fraction * (high - low)))


def test_duckdb(store):
    need("duckdb")
    import duckdb

    box = lower_left(0.4)
    files = f"'{files_of(store)}/*.parquet'"
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
    frame = geopandas.read_parquet(files_of(store))
    assert frame.crs.to_string() == "OGC:CRS84"
    assert set(frame["id"]) == IDS
    assert set(frame.geom_type) == {"Polygon", "MultiPolygon"}
    assert frame.geometry.is_valid.all()
    order = {name: number for number, name in enumerate(EVERYTHING.table.column("id").to_pylist())}
    expected = EVERYTHING.footprints()[[order[name] for name in frame["id"]]]
    assert shapely.equals(frame.geometry.to_numpy(), expected).all()
    box = lower_left(0.4)
    part = geopandas.read_parquet(files_of(store), bbox=box)
    assert set(reference_filter(EVERYTHING, Query(box=box)).table.column("id").to_pylist()) <= set(part["id"])
    np.testing.assert_allclose(frame["length_m"], EVERYTHING.measures()[[order[name] for name in frame["id"]], 0])


def test_pyarrow_datasets(store):
    dataset = ds.dataset(files_of(store))
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
    times = frame["scene"].map({scene.id: scene.acquired for scene in detections.scenes.values()})
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
    found = read_with_ogr(files_of(store), gdal)
    assert_same_rows(found, EVERYTHING)
    assert found.crs.to_epsg() == 4326


def test_ogr_knows_the_types_of_columns(store, gdal):
    described = describe_with_ogr(files_of(store), gdal)
    fields = dict(re.findall(r"^([\w.]+): (\S+) \(0\.0\)", described, re.MULTILINE))
    assert {fields.pop(name) for name in ("id", "run", "scene", "class")} == {"String"}
    assert (fields.pop("cut"), fields.pop("acquired")) == ("Integer(Boolean)", "DateTime")
    assert set(fields.values()) == {"Real"}
    assert set(fields) == set(expected_rows(EVERYTHING).select_dtypes("float64"))
    assert "Data axis to CRS axis mapping: 2,1" in described, "longitude comes first"


def test_ogr_reads_each_file(store, gdal):
    files = sorted((files_of(store)).glob("*.parquet"))
    frames = [read_with_ogr(path, gdal) for path in files]
    whole = pandas.concat(frames).sort_values("id", ignore_index=True)
    assert_same_rows(whole, EVERYTHING)


def test_ogr_filters_by_place_and_attributes(store, gdal):
    box = lower_left(0.4)
    found = read_with_ogr(files_of(store), gdal, "-spat", *map(str, box))
    assert_same_rows(found, reference_filter(EVERYTHING, Query(box=box)))
    assert 0 < len(found) < 60
    conditions = "class = 'bâtiment/घर' and score >= 0.5 and cut = 0"
    found = read_with_ogr(files_of(store), gdal, "-where", conditions)
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
    store = open_store(tmp_path / "store", create=True)
    found = random_detections(PIXELS, 20, 1)
    add(store, found)
    assert "Layer SRS WKT:\n(unknown)" in describe_with_ogr(files_of(store), gdal)
    coordinates = read_with_ogr(files_of(store), gdal).get_coordinates().to_numpy()
    np.testing.assert_array_equal(coordinates, expected_rows(found).get_coordinates().to_numpy())


def test_ogr_reads_what_is_written_for_it(store, tmp_path):
    path = read(store).save(tmp_path / "found.geojson")
    frame = pyogrio.read_dataframe(path)
    assert len(frame) == 150
    assert frame.geometry.is_valid.all()


def test_pixels_have_no_reference_system(tmp_path):
    store = open_store(tmp_path / "store", create=True)
    add(store, random_detections(PIXELS, 20, 1))
    frame = geopandas.read_parquet(files_of(store))
    assert frame.crs is None
    assert frame["length_m"].isna().all()
    assert frame["acquired"].isna().all()


def test_the_table_of_detections_is_one_of_delta_lake(store):
    from deltalake import DeltaTable

    table = DeltaTable(f"{store.address}/detections").to_pyarrow_table()
    assert set(table.column("id").to_pylist()) == IDS
    assert set(table.column("run").to_pylist()) == {"run-a"}
    gone = UTM.id
    store.remove("run-a", [gone])
    table = DeltaTable(f"{store.address}/detections").to_pyarrow_table()
    assert set(table.column("id").to_pylist()) == {name for name in IDS if f"/{gone}/" not in name}


def test_what_other_programs_wrote_anew_is_read(store, tmp_path):
    import duckdb

    files = sorted(files_of(store).glob("*.parquet"))
    expected = read(store)
    for number, path in enumerate(files):
        one = tmp_path / f"{number}.parquet"
        if number % 2:
            geopandas.read_parquet(path).to_parquet(one)
        else:
            duckdb.sql(f"copy (select * from '{path}') to '{one}' (format parquet)")
        path.write_bytes(one.read_bytes())
    assert read(store).table.to_pylist() == expected.table.to_pylist()
    for query in (Query(box=lower_left(0.4)), Query(length=(10, 40)), Query(classes=("ship",), min_score=0.5)):
        assert read(store, query).table.to_pylist() == reference_filter(EVERYTHING, query).table.to_pylist()
        assert dict(store.count(query)) == reference_filter(EVERYTHING, query).per_class()
    alone = Detections.open(files[0])
    assert set(alone.table.column("id").to_pylist()) <= IDS
    assert not alone.georeferenced
