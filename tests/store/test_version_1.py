"""A store that the first version wrote is read by this one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings

from detection_samples import CLASSES, MERCATOR, PIXELS, UTM, random_detections
from query_strategies import queries
from swathe.detections import Detections
from swathe.query import Query, reference_filter
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.published import Published

GOLDEN = Path(__file__).parent.parent / "golden" / "store-v1"
WRITTEN = Detections.concat([random_detections(UTM, 12, 1), random_detections(PIXELS, 8, 2)])


@pytest.fixture
def store(tmp_path: Path) -> GeoParquetStore:
    return GeoParquetStore(shutil.copytree(GOLDEN, tmp_path / "store"))


def test_it_is_read_as_it_was_written():
    store = GeoParquetStore(GOLDEN)
    assert store.scan().table.to_pylist() == WRITTEN.sorted().table.to_pylist()
    assert store.runs() == ("run-a", "run-b")
    assert store.unfinished_runs() == ("run-b",)
    assert store.published() == (
        Published("run-a", PIXELS, 8, {"model": "m", "n": [1]}),
        Published("run-a", UTM, 12, {"model": "m", "n": [1]}),
        Published("run-b", MERCATOR, 0, {}),
    )


@settings(max_examples=60)
@given(query=queries(WRITTEN))
def test_all_queries_work_on_it(query: Query):
    expected = reference_filter(WRITTEN, query)
    assert GeoParquetStore(GOLDEN).scan(query).table.to_pylist() == expected.table.to_pylist()


def test_it_becomes_one_of_version_2_when_something_new_comes_into_it(store):
    for number in range(3):
        random = random_detections(UTM, 4, number, run=f"run-{number}")
        store.publish_scene(f"run-{number}", random, UTM)
    assert json.loads((store.path / "swathe-store.json").read_text()) == {"kind": "geoparquet", "schema_version": 2}
    assert store.scan(Query(runs=("run-a",))).table.to_pylist() == WRITTEN.sorted().table.to_pylist()
    assert len(store.scan()) == 32


def test_its_scenes_can_be_merged_removed_and_published_again(store):
    more = random_detections(MERCATOR, 6, 3)
    store.publish_scene("run-a", more, MERCATOR)
    everything = Detections.concat([WRITTEN, more]).sorted().table.to_pylist()
    assert store.compact("run-a") == 1
    assert store.scan(Query(runs=("run-a",))).table.to_pylist() == everything
    store.remove_scene("run-a", UTM.id)
    assert store.manifest("run-a")["scenes"] == [PIXELS.id]
    store.publish_scene("run-a", random_detections(UTM, 12, 1), UTM)
    assert store.scan(Query(runs=("run-a",))).table.to_pylist() == everything
    assert store.scan().class_names == CLASSES
