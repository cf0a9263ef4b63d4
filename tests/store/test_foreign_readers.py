"""Other programs read a store as it lies, merged or not."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pyarrow.dataset as ds
import pyogrio
import pytest
import shapely

from detection_samples import ANTIMERIDIAN, MERCATOR, PIXELS, UTM, random_detections
from requirements import need
from swathe.detections import Detections
from swathe.query import Query, reference_filter
from swathe.store.geoparquet import GeoParquetStore

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


def test_ogr(store):
    """QGIS reads through OGR; its Parquet driver is in the builds of QGIS and conda, and not in the wheels of PyPI."""
    if "Parquet" not in pyogrio.list_drivers():
        pytest.skip("this build of GDAL has no Parquet driver; conda-forge's libgdal-arrow-parquet has")
    names = set()
    for path in (store.path / "detections").glob("*.parquet"):
        frame = pyogrio.read_dataframe(path)
        assert frame.crs.to_epsg() == 4326 or frame.crs.to_string() == "OGC:CRS84"
        assert frame.geometry.is_valid.all()
        names |= set(frame["id"])
    assert names == IDS


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
