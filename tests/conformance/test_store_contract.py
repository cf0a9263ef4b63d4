"""What every store must do; each implementation is a parameter, so that all of them are held to the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_samples import CLASSES, MERCATOR, PIXELS, UTM, random_detections
from query_strategies import queries
from swathe.detections import Detections
from swathe.errors import UsageError
from swathe.query import Query, reference_filter
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.protocol import Store

STORES: dict[str, Callable[[Path], Store]] = {"geoparquet": GeoParquetStore.create}
PUBLISHED = [
    random_detections(UTM, 25, 1),
    random_detections(MERCATOR, 20, 2),
    random_detections(PIXELS, 25, 3),
    random_detections(UTM, 15, 4, run="run-b"),
    random_detections(PIXELS, 15, 5, run="run-b", classes=("other", "ship")),
]
EVERYTHING = Detections.concat(PUBLISHED)


@pytest.fixture(params=STORES, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Store:
    return STORES[kind](tmp_path / "store")


@pytest.fixture(scope="module")
def filled(kind: str) -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        store = STORES[kind](Path(folder) / "store")
        for part in PUBLISHED:
            publish(store, part)
        yield store


def publish(store: Store, part: Detections) -> None:
    (scene,), (run,) = part.scenes.values(), part.runs
    store.publish_scene(run, part, scene)


@settings(max_examples=200, deadline=None)
@given(query=queries(EVERYTHING))
def test_scan_equals_the_reference_filter(filled: Store, query: Query):
    expected, found = reference_filter(EVERYTHING, query), filled.scan(query)
    assert found.table.to_pylist() == expected.table.to_pylist()


def test_scan_without_conditions_returns_everything(filled: Store):
    found = filled.scan()
    assert found.equals(replace(EVERYTHING.sorted(), class_names=found.class_names))
    assert set(found.class_names) == set(EVERYTHING.class_names)
    assert found.runs["run-a"] == {"model": "m", "n": [1]}


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), counts=st.lists(st.integers(0, 12), min_size=3, max_size=3), data=st.data())
def test_random_content_comes_back(kind: str, seed: int, counts: list[int], data: st.DataObject):
    parts = [random_detections(scene, n, seed) for scene, n in zip((UTM, MERCATOR, PIXELS), counts, strict=True)]
    everything = Detections.concat(parts)
    with TemporaryDirectory() as folder:
        store = STORES[kind](Path(folder) / "store")
        for part in parts:
            publish(store, part)
        assert store.scan().table.to_pylist() == everything.sorted().table.to_pylist()
        if len(everything):
            query = data.draw(queries(everything))
            assert store.scan(query).table.to_pylist() == reference_filter(everything, query).table.to_pylist()


def test_a_scene_is_visible_from_its_publication_on(store: Store):
    assert store.scan().equals(Detections.empty())
    assert store.scenes() == ()
    assert store.runs() == ()
    publish(store, PUBLISHED[0])
    assert store.scenes() == (UTM,)
    assert store.runs() == ("run-a",)
    assert store.manifest("run-a") is None
    publish(store, PUBLISHED[1])
    assert len(store.scan()) == 45
    assert store.scan(Query(scenes=[MERCATOR.id])).equals(PUBLISHED[1].sorted())


def test_publishing_again_replaces(store: Store):
    publish(store, PUBLISHED[0])
    publish(store, PUBLISHED[0].take(range(7)))
    assert len(store.scan()) == 7
    publish(store, PUBLISHED[0])
    assert store.scan().equals(PUBLISHED[0].sorted())


def test_a_scene_without_detections_is_known(store: Store):
    path = store.publish_scene("run-a", Detections.empty(CLASSES), UTM)
    assert path == store.scene_path("run-a", UTM.id)
    assert store.scenes("run-a") == (UTM,)
    assert store.scenes("run-b") == ()
    found = store.scan()
    assert len(found) == 0
    assert found.class_names == CLASSES
    assert found.scenes == {UTM.id: UTM}
    assert len(store.scan(Query(box=(0, 0, 90, 90)))) == 0


def test_runs_are_kept_apart(store: Store):
    for part in PUBLISHED:
        publish(store, part)
    assert store.runs() == ("run-a", "run-b")
    assert store.scenes("run-b") == (PIXELS, UTM)
    assert set(store.scan(Query(runs=["run-b"])).run_ids.tolist()) == {"run-b"}
    store.remove_run("run-a")
    assert store.runs() == ("run-b",)
    assert len(store.scan()) == 30


def test_strangers_are_refused(store: Store):
    with pytest.raises(UsageError, match="must belong to these alone"):
        store.publish_scene("run-b", PUBLISHED[0], UTM)
    with pytest.raises(UsageError, match="must belong to these alone"):
        store.publish_scene("run-a", PUBLISHED[0], PIXELS)
    with pytest.raises(UsageError, match="must belong to these alone"):
        store.publish_scene("run-a", PUBLISHED[0], replace(UTM, width=3))
    assert store.runs() == ()


def test_a_commit_keeps_the_manifest_and_clears_the_work(store: Store):
    work = store.work_folder("run-a")
    work.mkdir(parents=True)
    (work / "part").write_text("x")
    store.commit("run-a", {"per_class": {"बनेपा": 1}, "windows": 3})
    assert store.manifest("run-a") == {"per_class": {"बनेपा": 1}, "windows": 3}
    assert not work.exists()
    assert store.runs() == ("run-a",)
    store.discard_work("run-a")
    with pytest.raises(UsageError, match="JSON"):
        store.commit("run-a", {"when": float("nan")})
    assert store.manifest("run-a") == {"per_class": {"बनेपा": 1}, "windows": 3}
    store.remove_run("run-a")
    assert store.manifest("run-a") is None


def test_runs_that_describe_a_scene_differently_cannot_be_mixed(store: Store):
    publish(store, PUBLISHED[0])
    publish(store, random_detections(replace(UTM, width=1999), 3, 1, run="run-b"))
    with pytest.raises(UsageError, match="two ways"):
        store.scan()
    assert len(store.scan(Query(runs=["run-b"]))) == 3
