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
from swathe.detections import Detections
from swathe.errors import UsageError
from swathe.evaluation import evaluate_folders
from swathe.store import open_store, read
from swathe.store.exports import export
from swathe.store.protocol import Store
from swathe.testing.suites.samples import UTM, random_detections
from swathe.testing.suites.store import stored

FOUND = random_detections(UTM, 3, 1)
WRONG = (5, b"x", [1], {1: 2}, object())
# What is called with a wrong value, and the argument that is named.
CALLS: dict[str, tuple[Callable[[Store, Any], object], str]] = {
    "store": (lambda _, wrong: open_store(wrong), "address"),
    "new store": (lambda _, wrong: open_store(wrong, create=True), "address"),
    "detections to write": (lambda store, wrong: store.write(stored(UTM), wrong), "found"),
    "query": (read, "query"),
    "query to count": (lambda store, wrong: store.count(wrong), "query"),
    "detections to open": (lambda _, wrong: Detections.open(wrong), "path"),
    "areas": (lambda _, wrong: Areas.open(wrong), "path"),
    "area's name": (lambda _, wrong: Area(wrong, shapely.box(0, 0, 1, 1)), "name"),
    "area's outline": (lambda _, wrong: Area("a", wrong), "geometry"),
    "list of areas": (lambda _, wrong: Areas(wrong), "areas"),
    "labels": (lambda store, wrong: evaluate_folders(wrong, store.address), "truth"),
    "results": (lambda store, wrong: evaluate_folders(store.address, wrong), "found"),
    "detections to export": (lambda store, wrong: export(wrong, f"{store.address}/a.csv"), "detections"),
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
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(FOUND.save(tmp_path_factory.mktemp("wrong") / "store"))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
@pytest.mark.parametrize("called", list(CALLS))
def test_a_wrong_type_is_refused_by_name(store: Store, called: str, wrong: object) -> None:
    call, name = CALLS[called]
    with pytest.raises(UsageError, match=rf"^{name}\b"):
        call(store, wrong)


@pytest.mark.parametrize(("name", "wrong"), OPTIONS)
def test_a_wrong_option_of_detect_is_refused_by_name(name: str, wrong: Any, tiny_model: Path, tmp_path: Path) -> None:
    scene = write_red_cells(tmp_path / "scene.tif", width=64, height=64).path
    with pytest.raises(UsageError, match=rf"^{name}\b"):
        swathe.detect(scene, tiny_model, **{"workers": 0, name: wrong})
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
