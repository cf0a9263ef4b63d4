from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from swathe.detections import Detections
from swathe.errors import StoreError, UsageError
from swathe.query import Query, reference_filter
from swathe.store.detections_file import DetectionsFile
from swathe.store.parquet import write_detections
from swathe.store.schema import FILE_SCHEMA, NAME_COLUMNS
from swathe.testing.suites.samples import MERCATOR, PIXELS, UTM, keyed, random_detections


def written(detections: Detections, path: Path, **options: int) -> Path:
    with path.open("w+b") as stream:
        write_detections(detections, stream, **options)
    return path


def test_names_are_plain_text_to_others_and_small_on_disk(tmp_path):
    path = written(random_detections(UTM, 300, 1), tmp_path / "a.parquet", row_group_rows=50)
    file = pq.ParquetFile(path)
    assert [file.schema_arrow.field(name).type for name in NAME_COLUMNS] == [pa.string()] * 3
    group = file.metadata.row_group(0)
    columns = {column.path_in_schema: column for column in map(group.column, range(group.num_columns))}
    assert all(columns[name].has_dictionary_page for name in NAME_COLUMNS)


@pytest.mark.parametrize("scene", [UTM, MERCATOR, PIXELS], ids=["utm", "mercator", "pixels"])
def test_a_file_comes_back_as_it_was(scene, tmp_path):
    found = random_detections(scene, 300, 1)
    path = written(found, tmp_path / "a.parquet", row_group_rows=50)
    assert DetectionsFile.open(path).scan(Query()).sorted().equals(found.sorted())


def test_equal_detections_give_equal_bytes():
    found = random_detections(UTM, 200, 1)
    order = np.random.default_rng(0).permutation(200)
    # Other dictionaries, other chunks, same values.
    parts = [found.take(order[100:]), found.take(order[:100])]
    shuffled = Detections(pa.concat_tables([part.table for part in parts]), found.scenes, found.class_names, found.runs)
    streams = io.BytesIO(), io.BytesIO()
    write_detections(found, streams[0])
    write_detections(shuffled, streams[1])
    assert streams[0].getvalue() == streams[1].getvalue()


@pytest.mark.parametrize(("scene", "crs"), [(UTM, "absent"), (PIXELS, None)], ids=["lonlat", "pixels"])
def test_the_metadata_are_those_of_geoparquet_1_1(scene, crs, tmp_path):
    found = random_detections(scene, 40, 1)
    file = pq.ParquetFile(written(found, tmp_path / "a.parquet"))
    geo = json.loads(file.schema_arrow.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["primary_column"] == "geometry"
    column = geo["columns"]["geometry"]
    assert column.get("crs", "absent") == crs  # left out means OGC:CRS84, null means unknown
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"]
    assert column["orientation"] == "counterclockwise"
    assert column["edges"] == "planar"
    assert column["covering"] == {"bbox": {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}}
    corners = found.to_polygons("geometry").reshape(-1, 2)
    assert column["bbox"] == [*corners.min(axis=0), *corners.max(axis=0)]
    assert set(column) <= {
        "crs",
        "encoding",
        "geometry_types",
        "orientation",
        "edges",
        "bbox",
        "covering",
        "epoch",
    }


def test_columns_and_geometries_agree_with_shapely(tmp_path):
    found = random_detections(UTM, 100, 2)
    table = pq.read_table(written(found, tmp_path / "a.parquet"))
    assert table.schema.names == FILE_SCHEMA.names
    geometries = shapely.from_wkb(table.column("geometry").to_numpy())
    assert shapely.is_ccw(shapely.get_exterior_ring(geometries)).all()
    assert (shapely.get_num_coordinates(geometries) == 5).all()
    assert shapely.is_valid(geometries).all()
    bounds = np.array([list(row.values()) for row in table.column("bbox").to_pylist()])
    np.testing.assert_array_equal(bounds, shapely.bounds(geometries))
    by_id = dict(zip(found.table.column("id").to_pylist(), found.to_polygons("lonlat"), strict=True))
    expected = shapely.polygons([by_id[key] for key in table.column("id").to_pylist()])
    assert shapely.equals(geometries, expected).all()


def test_geopandas_reads_a_file_and_prunes_by_box(tmp_path):
    found = random_detections(UTM, 500, 3)
    path = written(found, tmp_path / "a.parquet", row_group_rows=40)
    frame = geopandas.read_parquet(path)
    assert frame.crs.to_string() == "OGC:CRS84"
    assert len(frame) == 500
    xmin, ymin, xmax, ymax = frame.total_bounds
    box = (xmin, ymin, (xmin + xmax) / 2, (ymin + ymax) / 2)
    part = geopandas.read_parquet(path, bbox=box)
    assert 0 < len(part) < 500
    assert set(reference_filter(found, Query(box=box)).table.column("id").to_pylist()) <= set(part["id"])
    pixels = geopandas.read_parquet(written(random_detections(PIXELS, 5, 1), tmp_path / "b.parquet"))
    assert pixels.crs is None


def test_a_small_box_touches_few_row_groups(tmp_path, monkeypatch):
    found = random_detections(UTM, 3000, 4)
    file = DetectionsFile.open(written(found, tmp_path / "a.parquet", row_group_rows=100))
    corner = found.to_polygons("geometry")[7, 0]
    query = Query(box=(*(corner - 1e-5), *(corner + 1e-5)))
    read: list[int] = []
    original = pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda self, groups, **kw: (read.extend(groups), original(self, groups, **kw))[1],
    )
    matches = file.scan(query)
    assert len(matches) > 0
    assert 0 < len(set(read)) <= 3
    read.clear()
    assert len(file.scan(Query(min_score=1.0))) == 0
    assert len(file.scan(Query(classes=["nowhere"]))) == 0
    assert len(file.scan(Query(box=(0, 0, 1, 1)))) == 0
    assert read == []


def test_an_empty_file_describes_its_scene(tmp_path):
    path = written(Detections.empty(["a"], keyed(UTM)), tmp_path / "a.parquet")
    file = DetectionsFile.open(path)
    assert file.head.scenes == keyed(UTM)
    assert len(file.scan(Query(box=(0, 0, 90, 90)))) == 0
    assert len(geopandas.read_parquet(path)) == 0
    assert "bbox" not in json.loads(pq.read_metadata(path).metadata[b"geo"])["columns"]["geometry"]


def test_a_mix_of_coordinates_is_refused():
    both = Detections.concat([random_detections(UTM, 2, 1), random_detections(PIXELS, 2, 1)])
    with pytest.raises(UsageError, match="choose scenes of one kind"):
        write_detections(both, io.BytesIO())


def test_a_description_that_is_no_json_is_refused():
    found = replace(random_detections(UTM, 2, 1), runs={"run-a": {"model": object()}})
    with pytest.raises(UsageError, match="JSON"):
        write_detections(found, io.BytesIO())


def test_missing_and_truncated_files_are_named(tmp_path):
    with pytest.raises(StoreError, match=r"b\.parquet does not exist"):
        DetectionsFile.open(tmp_path / "b.parquet")
    path = written(random_detections(UTM, 50, 1), tmp_path / "a.parquet")
    whole = path.read_bytes()
    for content in (b"", b"PAR1", b"not parquet at all", whole[: len(whole) // 2], whole[:-1], whole[100:]):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"a\.parquet cannot be read"):
            DetectionsFile.open(path).scan(Query())


def test_changed_rows_never_pass_unnoticed(tmp_path):
    found = random_detections(UTM, 50, 1)
    path = written(found, tmp_path / "a.parquet")
    whole = path.read_bytes()
    refused = 0
    rows = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # pages have checksums, the footer has none
    for place in np.random.default_rng(0).integers(4, rows, 150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read = DetectionsFile.open(path).scan(Query(box=(-180, -90, 180, 90)))
        except StoreError:
            refused += 1
        else:
            assert read.sorted().equals(found.sorted())
    assert refused > 50


def rewritten(path: Path, change: dict[bytes, bytes | None], *, without: str | None = None) -> Path:
    """Write a file anew with another head or without a column."""
    table = pq.read_table(path)
    if without is not None:
        table = table.drop_columns(without)
    metadata = {key: value for key, value in {**table.schema.metadata, **change}.items() if value is not None}
    with path.open("w+b") as stream:
        pq.write_table(table.replace_schema_metadata(metadata), stream)
    return path


def test_files_of_others_and_of_newer_versions_are_refused(tmp_path):
    path = written(random_detections(UTM, 5, 1), tmp_path / "a.parquet")
    head = json.loads(pq.read_metadata(path).metadata[b"swathe"])
    with pytest.raises(StoreError, match="schema version 4, newer than 3"):
        DetectionsFile.open(rewritten(path, {b"swathe": json.dumps({**head, "schema_version": 4}).encode()}))
    with pytest.raises(StoreError, match="description is damaged"):
        DetectionsFile.open(rewritten(path, {b"swathe": json.dumps({**head, "scenes": [{"id": "a"}]}).encode()}))
    with pytest.raises(StoreError, match="is damaged"):
        DetectionsFile.open(rewritten(path, {b"swathe": b"{"}))
    pq.write_table(pa.table({"a": [1] * 1000}), path)
    with pytest.raises(StoreError, match="does not hold detections"):
        DetectionsFile.open(path)


def test_a_file_without_a_column_is_refused(tmp_path):
    path = written(random_detections(UTM, 5, 1), tmp_path / "a.parquet")
    with pytest.raises(StoreError, match="its column 'cut' is missing"):
        DetectionsFile.open(rewritten(path, {}, without="cut"))
