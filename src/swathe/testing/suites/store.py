"""What every store must do. A plug-in's tests inherit from `StoreSuite` and say how an empty store is made."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swathe.areas import Area, Areas
from swathe.detections import Detections, SceneInfo
from swathe.errors import StoreError, UsageError
from swathe.query import Query, reference_filter
from swathe.query.cells import Cells
from swathe.store import find_run, read
from swathe.store.protocol import Store, StoredScene, Written
from swathe.testing.suites.queries import queries
from swathe.testing.suites.samples import (
    ANTIMERIDIAN,
    CLASSES,
    MERCATOR,
    PIXELS,
    POLAR,
    UTM,
    keyed,
    random_detections,
)

ELSEWHERE = replace(UTM, uri="/data/other.tif", width=1999)  # another picture of the same name
PARTS = [
    random_detections(UTM, 25, 1),
    random_detections(MERCATOR, 20, 2),
    random_detections(PIXELS, 25, 3),
    random_detections(ELSEWHERE, 15, 4, run="run-b"),
    random_detections(PIXELS, 15, 5, run="run-b", classes=("other", "ship")),
    random_detections(ANTIMERIDIAN, 20, 6),
    random_detections(POLAR, 15, 7),
    random_detections(replace(UTM, id="empty"), 0, 8),
]
EVERYTHING = Detections.concat(PARTS)
ABOUT = {"model": "m", "n": [1]}
SLOW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
)


def stored(scene: SceneInfo, run: str = "run-a", fingerprint: str = "1", **facts: Any) -> StoredScene:
    """Return a scene that a run is going to look at."""
    return replace(StoredScene(run, scene, fingerprint, "pending", windows=4), **facts)


def add(store: Store, *parts: Detections) -> None:
    """Look at scenes, one after the other."""
    for part in parts:
        ((run, _), scene), *_ = part.scenes.items()
        pending = stored(scene, run)
        store.begin(run, ABOUT, [pending])
        store.commit(run, [store.write(pending, part)])


def slow_density(found: Detections, cells: Cells) -> np.ndarray:
    """Count detections by cells, one after the other."""
    counts = np.zeros((cells.rows, cells.columns), dtype=np.int64)
    xmin, ymin, xmax, ymax = cells.box
    for west, south, east, north in shapely.bounds(found.footprints()).reshape(-1, 4).tolist():
        column = np.floor((0.5 * (west + east) - xmin) / (xmax - xmin) * cells.columns)
        row = np.floor((0.5 * (south + north) - ymin) / (ymax - ymin) * cells.rows)
        if 0 <= column < cells.columns and 0 <= row < cells.rows:
            counts[cells.rows - 1 - int(row), int(column)] += 1
    return counts


class StoreSuite:
    """What every store must do."""

    @pytest.fixture(scope="class")
    @classmethod
    def new_store(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
        """Return what makes a new, empty store each time; to be overridden."""
        raise NotImplementedError

    @classmethod
    def again(cls, store: Store) -> Store:
        """Open a store that is open already, as another process would."""
        return store

    @pytest.fixture
    def store(self, new_store: Callable[[], Store]) -> Store:
        """An empty store."""
        return new_store()

    @pytest.fixture(scope="class", params=["as written", "compacted"])
    @classmethod
    def filled(cls, request: pytest.FixtureRequest, new_store: Callable[[], Store]) -> Store:
        """A store that holds everything."""
        store = new_store()
        add(store, *PARTS)
        if request.param == "compacted":
            store.compact(timedelta(days=1))
        return cls.again(store)

    @SLOW
    @given(query=queries(EVERYTHING))
    def test_scan_equals_the_reference_filter(self, filled: Store, query: Query) -> None:
        batches = list(filled.scan(query))
        expected, found = reference_filter(EVERYTHING, query), Detections.concat(batches)
        assert found.table.to_pylist() == expected.table.to_pylist()
        assert dict(found.scenes) == dict(expected.scenes)
        assert {run for run, _ in expected.scenes} <= found.runs.keys() <= expected.runs.keys()

    @SLOW
    @given(query=queries(EVERYTHING))
    def test_count_equals_the_reference_filter(self, filled: Store, query: Query) -> None:
        assert dict(filled.count(query)) == reference_filter(EVERYTHING, query).per_class()

    @SLOW
    @given(query=queries(EVERYTHING), columns=st.integers(1, 7), rows=st.integers(1, 7), data=st.data())
    def test_density_equals_the_reference_filter(
        self, filled: Store, query: Query, columns: int, rows: int, data: st.DataObject
    ) -> None:
        box = data.draw(
            st.sampled_from([(-180, -90, 180, 90), (0, 0, 2000, 1500), (85, 27, 86, 28), (100, 50, 300, 700)])
        )
        cells = Cells(box, columns, rows)
        expected = slow_density(reference_filter(EVERYTHING, query), cells)
        np.testing.assert_array_equal(filled.density(query, cells), expected)

    def test_everything_comes_back(self, filled: Store) -> None:
        found = read(filled)
        assert found.equals(replace(EVERYTHING.sorted(), class_names=found.class_names))
        assert set(found.class_names) == set(EVERYTHING.class_names)
        assert dict(filled.count()) == EVERYTHING.per_class()

    def test_runs_and_scenes_are_listed(self, filled: Store) -> None:
        runs = {run.id: run for run in filled.runs()}
        assert [(runs[run].complete, runs[run].pending, runs[run].failed) for run in ("run-a", "run-b")] == [
            (6, 0, 0),
            (2, 0, 0),
        ]
        assert sum(run.detections for run in runs.values()) == len(EVERYTHING)
        assert runs["run-a"].about == ABOUT
        listed = [(one.run, one.scene.id) for one in filled.scenes()]
        assert listed == sorted(EVERYTHING.scenes)
        assert {(one.run, one.scene.id): one.scene for one in filled.scenes()} == EVERYTHING.scenes
        assert all(one.state == "complete" and one.windows == 4 and one.file for one in filled.scenes())
        for part in PARTS:
            ((run, scene),) = part.scenes
            assert next(one for one in filled.scenes(run) if one.scene.id == scene).per_class == part.per_class()

    def test_an_empty_store(self, store: Store) -> None:
        assert not store.runs()
        assert not store.scenes()
        assert read(store).equals(Detections.empty())
        assert dict(store.count()) == {}
        assert not store.density(None, Cells((0, 0, 1, 1), 2, 3)).any()
        store.remove("run-a")
        store.remove("run-a", ["nothing"])
        assert store.runs() == ()

    def test_a_scene_is_visible_when_it_is_committed(self, store: Store) -> None:
        store.begin("run-a", ABOUT, [stored(UTM), stored(MERCATOR)], name="first")
        assert [(run.name, run.complete, run.pending) for run in store.runs()] == [("first", 0, 2)]
        written = store.write(stored(UTM), PARTS[0])
        assert len(read(store)) == 0
        assert {one.state for one in store.scenes()} == {"pending"}
        store.commit("run-a", [written])
        assert read(self.again(store)).equals(PARTS[0].sorted())
        assert [(run.name, run.complete, run.pending) for run in store.runs()] == [("first", 1, 1)]
        store.begin("run-a", ABOUT, [])
        assert store.runs()[0].name == "first"

    def test_what_is_done_twice_is_done_once(self, store: Store) -> None:
        pending = stored(UTM)
        for _ in range(2):
            store.begin("run-a", ABOUT, [pending])
        order = np.random.default_rng(0).permutation(len(PARTS[0]))
        one, other = store.write(pending, PARTS[0]), store.write(pending, PARTS[0].take(order))
        assert one.to_json() == other.to_json()
        assert Written.from_json(one.to_json()) == one == pickle.loads(pickle.dumps(one))
        for written in ([one], [other], [one, other]):
            store.commit("run-a", written)
        assert read(store).equals(PARTS[0].sorted())
        assert [run.complete for run in store.runs()] == [1]

    def test_a_scene_keeps_what_it_has_until_it_is_replaced(self, store: Store) -> None:
        add(store, PARTS[0], PARTS[1])
        changed, found = stored(UTM, fingerprint="2"), random_detections(UTM, 7, 9)
        store.begin("run-a", ABOUT, [changed])
        assert len(read(store)) == 45
        assert [(run.complete, run.pending) for run in store.runs()] == [(1, 1)]
        written = store.write(changed, found)
        store.compact(timedelta(days=1))
        assert len(read(store)) == 45
        store.commit("run-a", [written])
        assert read(store, Query(scenes=(UTM.id,))).equals(found.sorted())
        assert len(read(store)) == 27
        assert {one.scene.id: one.fingerprint for one in store.scenes()} == {UTM.id: "2", MERCATOR.id: "1"}

    def test_a_scene_that_was_moved_gets_its_new_address(self, store: Store) -> None:
        add(store, PARTS[0])
        moved = replace(UTM, uri="/elsewhere/harbour.tif")
        store.begin("run-a", ABOUT, [stored(moved, state="complete")])
        assert [(one.scene, one.state, one.detections) for one in store.scenes()] == [(moved, "complete", 25)]
        found = read(store)
        assert found.scenes == keyed(moved)
        assert (
            found.table.equals(PARTS[0].sorted().table)
            or found.table.to_pylist() == PARTS[0].sorted().table.to_pylist()
        )

    def test_failures_are_told(self, store: Store) -> None:
        add(store, PARTS[0])
        failures = [stored(UTM, reason="damaged"), stored(PIXELS, reason="not a raster")]
        store.begin("run-a", ABOUT, [stored(UTM), stored(PIXELS)])
        store.commit("run-a", [], failures)
        assert [(one.scene.id, one.state, one.reason) for one in store.scenes()] == [
            (PIXELS.id, "failed", "not a raster"),
            (UTM.id, "failed", "damaged"),
        ]
        assert len(read(store)) == 25  # what was found earlier
        assert [run.failed for run in store.runs()] == [2]
        store.commit("run-a", [store.write(stored(UTM), PARTS[0])])
        assert {one.scene.id: (one.state, one.reason) for one in store.scenes()}[UTM.id] == ("complete", "")

    def test_a_scene_without_detections_is_known(self, store: Store) -> None:
        pending = stored(UTM)
        store.begin("run-a", ABOUT, [pending])
        store.commit("run-a", [store.write(pending, Detections.empty(CLASSES))])
        found = read(store, Query(box=(0, 0, 90, 90)))
        assert (len(found), found.class_names, found.scenes) == (0, CLASSES, keyed(UTM))

    def test_strangers_are_refused(self, store: Store) -> None:
        for scene, found in (
            (stored(UTM, "run-b"), PARTS[0]),
            (stored(PIXELS), PARTS[0]),
            (stored(ELSEWHERE), PARTS[0]),
        ):
            with pytest.raises(UsageError, match="must belong to run"):
                store.write(scene, found)

    def test_scenes_and_runs_are_removed(self, store: Store) -> None:
        add(store, *PARTS)
        store.compact(timedelta(days=1))
        store.workspace("run-b").put("a/b", b"x")
        store.remove("run-a", [UTM.id, "nothing"])
        left = EVERYTHING.take(~(EVERYTHING.name_mask("run", ["run-a"]) & EVERYTHING.name_mask("scene", [UTM.id])))
        assert read(store).table.to_pylist() == left.sorted().table.to_pylist()
        store.remove("run-b")
        assert {run.id for run in store.runs()} == {"run-a"}
        assert set(read(store).run_ids.tolist()) == {"run-a"}
        assert not store.workspace("run-b").names()
        store.remove("run-a", [one.scene.id for one in store.scenes()])
        assert not store.runs()
        assert not store.scenes()
        add(store, *PARTS)
        assert len(read(store)) == len(EVERYTHING)

    def test_runs_are_found(self, filled: Store) -> None:
        runs = filled.runs()
        assert find_run(runs, "latest") == runs[-1]
        assert find_run(runs, "run-b").id == "run-b"
        for unknown in ("run-", "nothing", ""):
            with pytest.raises(UsageError, match="run-a"):
                find_run(runs, unknown)

    def test_workspaces_are_kept_apart(self, store: Store) -> None:
        one, other = store.workspace("run-a"), store.workspace("a/../b ")
        one.put("scene/part", b"1")
        other.put("scene/part", b"2")
        assert (one.get("scene/part"), other.get("scene/part"), one.get("part")) == (b"1", b"2", None)
        assert one.names("scene/") == {"scene/part"}
        one.drop(["scene/part", "nothing"])
        assert not one.names()
        assert other.names() == {"scene/part"}
        assert store.runs() == ()

    def test_areas_are_kept(self, store: Store) -> None:
        areas = Areas((Area("Nepal/बनेपा", shapely.box(85, 27, 86, 28)),))
        assert store.areas() == Areas()
        store.keep_areas(areas)
        assert self.again(store).areas() == areas

    def test_two_writers_lose_nothing(self, store: Store) -> None:
        """Each adds its own scenes to the same run, and both look at one scene."""
        scenes = [[replace(PIXELS, id=f"{writer}-{number}") for number in range(4)] + [PIXELS] for writer in range(2)]

        def work(writer: int) -> None:
            own = self.again(store)
            for number, scene in enumerate(scenes[writer]):
                own.begin("run-a", ABOUT, [stored(scene)])
                own.commit("run-a", [own.write(stored(scene), random_detections(scene, 5, number))])

        with ThreadPool(2) as pool:
            pool.map(work, range(2))
        expected = {scene.id for own in scenes for scene in own}
        assert [one.scene.id for one in store.scenes()] == sorted(expected)
        assert {one.state for one in store.scenes()} == {"complete"}
        assert len(read(store)) == 5 * len(expected)

    def test_what_cannot_be_told_is_refused(self, store: Store) -> None:
        with pytest.raises(UsageError, match="JSON"):
            store.begin("run-a", {"when": float("nan")}, [])
        with pytest.raises(StoreError, match="damaged"):
            Written.from_json(b"{")
        assert store.runs() == ()
