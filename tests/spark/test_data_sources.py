"""Stores and windows of images as data sources of Spark: the same as what a store and a reader say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from requirements import need, need_java
from swathe.detections import Detections, SceneInfo
from swathe.engine.spark_session import spark_session
from swathe.errors import UsageError
from swathe.query import Query
from swathe.raster.opening import open_reader, open_scene
from swathe.spark import register
from swathe.store import open_store, read
from swathe.store.parquet import file_rows
from swathe.store.protocol import Store, StoredScene
from swathe.testing.scenes import ObjectRule, synthetic_scene, write_geotiff

PLACE = (0.5, 0.0, 300_000.0, 0.0, -0.5, 3_050_000.0)
CLASSES = ("ship", "house")


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A session with two tasks at once, each of which may fail twice."""
    need("pyspark")
    need_java()
    settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    with spark_session("local[2,3]", settings | {"spark.sql.shuffle.partitions": "4"}) as session:
        register(session)
        yield session


def detections(scene: SceneInfo, run: str, count: int) -> Detections:
    random = np.random.default_rng(count)
    boxes = np.column_stack(
        [random.uniform(20, 480, (count, 2)), random.uniform(2, 20, (count, 2)), random.random(count)]
    )
    classes, cut = random.integers(0, 2, count), random.random(count) < 0.2
    return Detections.from_arrays(boxes, random.random(count), classes, CLASSES, scene, run, cut=cut)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two runs of three scenes; one has no detections, and one no place on the ground."""
    store = open_store(tmp_path_factory.mktemp("stores") / "given", create=True)
    scenes = [
        SceneInfo("north", "/images/north.tif", 500, 500, "EPSG:32645", PLACE, "2024-05-01T10:00:00Z"),
        SceneInfo("south", "/images/south.tif", 500, 500),
        SceneInfo("empty", "/images/empty.tif", 500, 500),
    ]
    for run, counts in (("first", (300, 20, 0)), ("second", (17, 5, 0))):
        store.begin(run, {"model": "m"}, ())
        found = [
            (StoredScene(run, s, "", "pending", 1), detections(s, run, n)) for s, n in zip(scenes, counts, strict=True)
        ]
        store.commit(run, [store.write(scene, rows) for scene, rows in found])
    return store


def append(frame: Any, place: Path, mode: str = "append", **options: str) -> None:
    frame.write.format("swathe").mode(mode).options(**options).save(str(place))


def by_id(table: pa.Table) -> pa.Table:
    return table.sort_by("id").combine_chunks().replace_schema_metadata(None)


def scanned(store: Store, query: Query | None = None) -> pa.Table:
    return by_id(pa.concat_tables([file_rows(found) for found in store.scan(query)]))


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, None),
        ({"run": "sec"}, Query(runs=("second",))),
        (
            {"run": "latest", "min_score": "0.5", "classes": "ship"},
            Query(runs=("second",), min_score=0.5, classes=("ship",)),
        ),
    ],
)
def test_what_is_read_equals_what_the_store_finds(
    spark: Any, store: Store, options: dict[str, str], query: Query | None
) -> None:
    frame = spark.read.format("swathe").options(**options).load(store.address)
    expected = scanned(store, query)
    assert len(expected) > 3
    found = by_id(frame.toArrow())
    assert found.column_names == expected.column_names
    for name in expected.column_names:
        assert found.column(name).to_pylist() == expected.column(name).to_pylist(), name


def test_small_scenes_share_a_partition(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    need("pyspark")
    from swathe.spark.detections import DetectionReader

    shares = [part.value for part in DetectionReader(store.address, {}).partitions()]
    assert [(share.runs, share.scenes) for share in shares] == [
        (("first",), ("north", "south")),
        (("second",), ("north", "south")),
    ]
    monkeypatch.setattr("swathe.spark.detections.PARTITION_ROWS", 100)
    assert len(DetectionReader(store.address, {}).partitions()) == 3


def test_what_is_written_can_be_read(spark: Any, store: Store, tmp_path: Path) -> None:
    frame = spark.read.format("swathe").option("run", "first").load(store.address).where("score > 0.5")
    for _ in range(2):  # twice is once
        append(
            frame.repartition("scene"),
            tmp_path / "taken",
            run="good",
            scenes=store.address,
            scenes_run="first",
            classes="ship,house",
        )
        taken = open_store(tmp_path / "taken")
        states = {scene.scene.id: (scene.state, scene.run) for scene in taken.scenes()}
        assert states == dict.fromkeys(("north", "south", "empty"), ("complete", "good"))
        given, found = read(store, Query(runs=("first",))), read(taken)
        expected = given[given.scores > 0.5]
        assert found.scenes == {("good", scene): info for (_, scene), info in given.scenes.items()}
        assert found.class_names == CLASSES
        columns = ("scene", "class", "score", "cx", "cy", "w", "h", "theta", "cut")
        for name in columns:
            assert found.table.column(name).to_pylist() == expected.table.column(name).to_pylist(), name


def test_a_task_that_fails_and_is_done_again_writes_once(spark: Any, store: Store, tmp_path: Path) -> None:
    frame = spark.read.format("swathe").option("run", "first").load(store.address).repartition("scene")

    def fails_at_first(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        yield from batches
        context = TaskContext.get()
        if context is not None and context.attemptNumber() == 0:
            raise OSError("a machine is lost")

    shaky = frame.mapInArrow(fails_at_first, frame.schema)
    append(shaky, tmp_path / "taken", run="again", scenes=store.address, scenes_run="first")
    assert sum(open_store(tmp_path / "taken").count().values()) == 320


def test_a_scene_in_several_partitions_is_refused_as_a_whole(spark: Any, store: Store, tmp_path: Path) -> None:
    frame = spark.read.format("swathe").option("run", "first").load(store.address).repartition(7)
    with pytest.raises(Exception, match=r"(?s)'north' lie in several partitions.*df.repartition"):
        frame.write.format("swathe").mode("append").options(run="torn", scenes=store.address, scenes_run="first").save(
            str(tmp_path / "taken")
        )
    taken = open_store(tmp_path / "taken")
    assert ({scene.state for scene in taken.scenes()}, dict(taken.count())) == ({"pending"}, {})


def test_a_task_writes_the_same_however_often(store: Store, tmp_path: Path) -> None:
    need("pyspark")
    from swathe.spark.detections import DetectionWriter

    writer = DetectionWriter(str(tmp_path / "taken"), {"run": "twice", "scenes": store.address, "scenes_run": "first"})
    rows = scanned(store, Query(scenes=("north",), runs=("first",))).to_batches()
    told = writer.write(iter(rows))
    assert writer.write(iter(rows)) == told
    writer.commit([told, None])
    assert sum(open_store(tmp_path / "taken").count().values()) == 300


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_scor": "1"}, "has no option 'min_scor'"),
        ({"min_score": "high"}, "min_score 'high': must be a number"),
        ({"run": "third"}, "run 'third'"),
    ],
)
def test_options_that_are_wrong_are_told(spark: Any, store: Store, options: dict[str, str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        spark.read.format("swathe").options(**options).load(store.address).count()


def test_writes_that_cannot_be_are_refused(spark: Any, store: Store, tmp_path: Path) -> None:
    frame, place = spark.read.format("swathe").load(store.address), tmp_path / "taken"
    with pytest.raises(Exception, match="no column theta"):
        append(frame.drop("theta"), place, run="no", scenes=store.address, scenes_run="first")
    with pytest.raises(Exception, match="needs the option 'scenes'"):
        append(frame, place, run="no")
    with pytest.raises(Exception, match="has 2 runs: name the one whose scenes are meant"):
        append(frame, place, run="no", scenes=store.address)
    with pytest.raises(Exception, match="one by one"):
        append(frame, place, mode="overwrite", run="no", scenes=store.address, scenes_run="first")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 700 x 500 pixels."""
    scene = synthetic_scene(700, 500, seed=1, rule=ObjectRule(count=20), scene_id="town")
    return write_geotiff(scene, tmp_path_factory.mktemp("images") / "town.tif", crs="EPSG:32645", transform=PLACE)


def test_windows_are_those_of_the_plan_with_their_pixels(spark: Any, image: Path) -> None:
    settings = {"tile": "256", "stride": "200", "scales": "0.5,1"}
    frame = spark.read.format("swathe-windows").options(**settings).load(str(image))
    assert frame.columns == ["scene", "uri", "scale", "column", "row", "width", "height"]
    assert frame.count() == 2 * 1 + 4 * 3
    whole = spark.read.format("swathe-windows").options(**settings, pixels="true").load(str(image.parent))
    assert whole.rdd.getNumPartitions() > 1
    scene = open_scene(image)
    from swathe.engine.plan import make_plan
    from swathe.engine.settings import RunSettings

    plan = make_plan([scene], RunSettings(tile=256, stride=200, scales=(0.5, 1.0)))
    reader = open_reader(scene)
    rows = {(row.scale, row.column, row.row): row for row in whole.collect()}
    tasks = [task for batch in plan.scenes[0].batches() for task in batch.tasks("town")]
    assert len(rows) == len(tasks)
    for task in tasks:
        row = rows[task.level.scale, task.window.col_off, task.window.row_off]
        tile = reader.read(task.level, task.window)
        assert (row.scene, row.width, row.height, row.valid) == (
            "town",
            task.window.width,
            task.window.height,
            tile.valid,
        )
        assert bytes(row.pixels) == tile.pixels.tobytes()
    reader.close()


def test_own_detections_of_windows_go_into_a_store(spark: Any, image: Path, tmp_path: Path) -> None:
    """The use that the how-to page shows: a function of one's own over windows, its boxes into a store."""
    windows = spark.read.format("swathe-windows").options(tile="256", pixels="true").load(str(image))

    def brightest(rows: Iterator[Any]) -> Iterator[Any]:
        import pandas as pd

        for frame in rows:
            for row in frame.itertuples():
                pixels = np.frombuffer(row.pixels, np.uint8).reshape(row.height, row.width, 3)
                y, x = np.unravel_index(pixels.sum(axis=2).argmax(), pixels.shape[:2])
                place = {"cx": (x + row.column) / row.scale, "cy": (y + row.row) / row.scale}
                box = {"w": 9.0, "h": 5.0, "theta": 0.0}
                yield pd.DataFrame([{"scene": row.scene, "class": "bright", "score": 1.0, **place, **box}])

    columns = "scene string, class string, score double, cx double, cy double, w double, h double, theta double"
    found = windows.mapInPandas(brightest, columns).repartition("scene")
    found.write.format("swathe").mode("append").options(run="brightest", scenes=str(image)).save(
        str(tmp_path / "store")
    )
    held = read(open_store(tmp_path / "store"))
    assert len(held) == windows.count()
    assert held.georeferenced


def test_a_path_is_needed(store: Store) -> None:
    need("pyspark")
    from swathe.spark.detections import DetectionSource

    with pytest.raises(UsageError, match="needs one path or address of a store"):
        DetectionSource({}).reader(DetectionSource({}).schema())
