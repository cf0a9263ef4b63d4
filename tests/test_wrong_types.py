"""A wrong type is told as plainly as a wrong value, by the name of the argument: Python does not check it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely

import swathe
from red_cells import write_red_cells
from swathe.areas import Area, Areas
from swathe.errors import UsageError
from swathe.evaluation import evaluate_folders
from swathe.store.exports import export
from swathe.store.geoparquet import GeoParquetStore
from swathe.testing.suites.samples import UTM, random_detections

FOUND = random_detections(UTM, 3, 1)
WRONG = (5, b"x", [1], {1: 2}, object())
# What is called with a wrong value, and the argument that is named.
CALLS: dict[str, tuple[Callable[[GeoParquetStore, Any], object], str]] = {
    "store": (lambda _, wrong: GeoParquetStore(wrong), "path"),
    "new store": (lambda _, wrong: GeoParquetStore.create(wrong), "path"),
    "run to publish": (lambda store, wrong: store.publish_scene(wrong, FOUND, UTM), "run"),
    "detections to publish": (lambda store, wrong: store.publish_scene("run-a", wrong, UTM), "detections"),
    "scene to publish": (lambda store, wrong: store.publish_scene("run-a", FOUND, wrong), "scene"),
    "query": (lambda store, wrong: store.scan(wrong), "query"),
    "manifest": (lambda store, wrong: store.manifest(wrong), "run"),
    "published": (lambda store, wrong: store.published(wrong), "runs"),
    "run to remove": (lambda store, wrong: store.remove_run(wrong), "run"),
    "scene to remove": (lambda store, wrong: store.remove_scene("run-a", wrong), "scene"),
    "run to compact": (lambda store, wrong: store.compact(wrong), "run"),
    "areas": (lambda _, wrong: Areas.open(wrong), "path"),
    "area's name": (lambda _, wrong: Area(wrong, shapely.box(0, 0, 1, 1)), "name"),
    "area's outline": (lambda _, wrong: Area("a", wrong), "geometry"),
    "list of areas": (lambda _, wrong: Areas(wrong), "areas"),
    "labels": (lambda store, wrong: evaluate_folders(wrong, store.path), "truth"),
    "results": (lambda store, wrong: evaluate_folders(store.path, wrong), "found"),
    "detections to export": (lambda store, wrong: export(wrong, store.path / "a.csv"), "detections"),
    "export": (lambda _, wrong: export(FOUND, wrong), "path"),
}
OPTIONS = (
    ("scales", "half"),
    ("tile", 10.5),
    ("stride", "64"),
    ("classes", 5),
    ("min_score", "high"),
    ("merge_iou", None),
    ("workers", 1.5),
    ("backend", 3),
    ("memory", 300),
    ("acquired", 2024),
    ("output", 7),
    ("bands", "rgb"),
    ("value_range", 7),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> GeoParquetStore:
    return GeoParquetStore(FOUND.save(tmp_path_factory.mktemp("wrong") / "store"))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
@pytest.mark.parametrize("called", list(CALLS))
def test_a_wrong_type_is_refused_by_name(store: GeoParquetStore, called: str, wrong: object) -> None:
    call, name = CALLS[called]
    with pytest.raises(UsageError, match=rf"^{name}\b"):
        call(store, wrong)


@pytest.mark.parametrize(("name", "wrong"), OPTIONS)
def test_a_wrong_option_of_detect_is_refused_by_name(name: str, wrong: Any, tiny_model: Path, tmp_path: Path) -> None:
    scene = write_red_cells(tmp_path / "scene.tif", width=64, height=64).path
    with pytest.raises(UsageError, match=rf"^{name}\b"):
        swathe.detect(scene, tiny_model, **{"workers": 0, name: wrong})
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
