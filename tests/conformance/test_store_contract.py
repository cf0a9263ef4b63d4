"""What every store must do; each implementation is a parameter, so that all of them are held to the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_samples import ANTIMERIDIAN, CLASSES, MERCATOR, PIXELS, POLAR, UTM, keyed, random_detections
from query_strategies import queries
from swathe.detections import Detections
from swathe.errors import StoreError, UsageError
from swathe.query import Query, reference_filter
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.lock import run_lock
from swathe.store.published import Published, Store

STORES: dict[str, Callable[[Path], Store]] = {"geoparquet": GeoParquetStore.create}
PUBLISHED = [
    random_detections(UTM, 25, 1),
    random_detections(MERCATOR, 20, 2),
    random_detections(PIXELS, 25, 3),
    random_detections(UTM, 15, 4, run="run-b"),
    random_detections(PIXELS, 15, 5, run="run-b", classes=("other", "ship")),
    random_detections(ANTIMERIDIAN, 20, 6),
    random_detections(POLAR, 15, 7),
]
EVERYTHING = Detections.concat(PUBLISHED)


@pytest.fixture(params=STORES, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Store:
    return STORES[kind](tmp_path / "store")


@pytest.fixture(scope="module", params=["open", "committed", "merged"])
def filled(kind: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store that holds everything, in each state that its files may be in."""
    with TemporaryDirectory() as folder:
        store = STORES[kind](Path(folder) / "store")
        for part in PUBLISHED:
            publish(store, part)
        for run in () if request.param == "open" else store.runs():
            store.commit(run, {})
            if request.param == "merged" and isinstance(store, GeoParquetStore):
                assert store.compact(run) == {"run-a": 3, "run-b": 0}[run]
        yield store


def publish(store: Store, part: Detections) -> None:
    (scene,), (run,) = part.scenes.values(), part.runs
    store.publish_scene(run, part, scene)


@settings(max_examples=35, deadline=None)
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
    assert found.scenes == keyed(UTM)
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


def test_runs_of_one_scene_lie_side_by_side(store: Store):
    parts = [random_detections(UTM, 10 + number, number, run=f"run-{number}") for number in range(4)]
    for part in parts:
        publish(store, part)
    both = store.scan(Query(scenes=[UTM.id], runs=["run-1", "run-3"]))
    assert both.table.to_pylist() == Detections.concat([parts[1], parts[3]]).sorted().table.to_pylist()
    assert store.scenes() == (UTM,)
    publish(store, parts[2].take(range(3)))  # replaces its own only
    assert [len(store.scan(Query(runs=[f"run-{number}"]))) for number in range(4)] == [10, 11, 3, 13]
    store.remove_scene("run-1", UTM.id)
    assert store.runs() == ("run-0", "run-2", "run-3")


def test_what_is_published_is_counted(filled: Store):
    expected = []
    for part in PUBLISHED:
        ((run, about), (scene,)) = *part.runs.items(), part.scenes.values()
        expected.append(Published(run, scene, len(part), about))
    expected.sort(key=lambda published: (published.run, published.scene.id))
    assert filled.published() == tuple(expected)
    assert filled.published("run-b") == tuple(published for published in expected if published.run == "run-b")
    assert filled.published("run-c") == ()


def test_a_removed_scene_is_gone_and_the_manifest_says_so(store: Store):
    for part in PUBLISHED:
        publish(store, part)
    counts = dict.fromkeys(CLASSES, 0) | {name: PUBLISHED[0].classes.tolist().count(name) for name in CLASSES}
    scenes = [scene.id for scene in store.scenes("run-a")]
    store.commit("run-a", {"scenes": scenes, "detections": 105, "per_class": {"ship": 50}})
    store.remove_scene("run-a", UTM.id)
    assert UTM.id not in {scene.id for scene in store.scenes("run-a")}
    assert len(store.scan(Query(scenes=[UTM.id]))) == 15  # those of run-b
    manifest = store.manifest("run-a")
    assert manifest == {
        "scenes": [scene for scene in scenes if scene != UTM.id],
        "detections": 80,
        "per_class": {"ship": 50 - counts["ship"]},
        "removed": [UTM.id],
    }
    store.remove_scene("run-b", UTM.id)  # of an unfinished run
    assert len(store.scan(Query(scenes=[UTM.id]))) == 0
    with pytest.raises(UsageError, match="has no scene"):
        store.remove_scene("run-a", UTM.id)


def test_runs_that_did_not_finish_are_known(store: Store):
    publish(store, PUBLISHED[0])
    store.work_folder("run-c").mkdir(parents=True)
    assert store.unfinished_runs() == ("run-a", "run-c")
    store.commit("run-a", {})
    assert store.unfinished_runs() == ("run-c",)
    store.remove_run("run-c")
    assert store.unfinished_runs() == ()


def test_a_run_at_work_is_not_removed(store: Store):
    publish(store, PUBLISHED[0])
    with run_lock(store.work_folder("run-a")):
        for remove in (lambda: store.remove_run("run-a"), lambda: store.remove_scene("run-a", UTM.id)):
            with pytest.raises(StoreError, match="another process is working on this run"):
                remove()
    assert len(store.scan()) == 25


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


def test_runs_may_mean_different_pictures_by_one_name(store: Store):
    other = random_detections(replace(UTM, width=1999), 3, 1, run="run-b")
    publish(store, PUBLISHED[0])
    publish(store, other)
    assert store.scan().equals(Detections.concat([PUBLISHED[0], other]).sorted())
