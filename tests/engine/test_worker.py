"""Windows become tiles, tiles become detections in scene coordinates."""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import rasterio

from swathe.detectors.pixels import PADDING
from swathe.detectors.protocol import DetectorSpec, TileDetections
from swathe.detectors.registry import open_detector
from swathe.engine import process
from swathe.engine.job import BatchJob, Work
from swathe.engine.look import look_at, make_tile, to_scene, touches_inner_edge
from swathe.engine.plan import Task, make_plan
from swathe.engine.settings import RunSettings
from swathe.engine.worker import Worker, load_factory
from swathe.errors import UsageError
from swathe.raster.environment import capture
from swathe.raster.pyramid import Level
from swathe.raster.reader import TileRead
from swathe.raster.window import Window
from swathe.store.protocol import Store
from swathe.testing.fakes import BLANK_READER, BlankReader, CountingReader, read_log
from swathe.testing.scenes import SyntheticScene, scene_without_file

LEVEL = Level(0.5, 1000, 800)


def boxes_at(*centres: tuple[float, float]) -> np.ndarray:
    return np.array([[x, y, 20.0, 10.0, 0.0] for x, y in centres])


def test_boxes_are_placed_in_the_scene_exactly() -> None:
    task = Task("scene", LEVEL, Window(100, 40, 256, 256))
    found = TileDetections(np.array([[10.0, 20.0, 8.0, 6.0, 0.25]]), np.array([0.5]), np.array([2]))
    raw = to_scene(found, task, 2.0)
    assert raw.boxes.tolist() == [[220.0, 120.0, 16.0, 12.0, 0.25]]
    assert raw.classes.tolist() == [2]


def test_findings_in_the_padding_are_dropped() -> None:
    task = Task("scene", Level(1.0, 100, 60), Window(0, 0, 100, 60))
    found = TileDetections(boxes_at((50, 30), (120, 30), (50, 61)), np.array([0.9, 0.8, 0.7]), np.array([0, 0, 0]))
    assert to_scene(found, task, 2.0).scores.tolist() == [0.9]


def test_only_inner_edges_cut() -> None:
    boxes = boxes_at((100, 100), (12, 100), (12.1, 100), (100, 7), (190, 100), (100, 194))
    inner = touches_inner_edge(boxes, LEVEL, Window(100, 100, 200, 200), 2.0)
    assert inner.tolist() == [False, True, False, True, True, True]
    corner = touches_inner_edge(boxes, LEVEL, Window(0, 0, 200, 200), 2.0)
    assert corner.tolist() == [False, False, False, False, True, True]
    far_corner = touches_inner_edge(boxes, LEVEL, Window(800, 600, 200, 200), 2.0)
    assert far_corner.tolist() == [False, True, False, True, False, False]


def test_the_hull_of_a_turned_box_counts() -> None:
    turned = np.array([[16.0, 100.0, 40.0, 4.0, math.pi / 3]])
    assert touches_inner_edge(turned, LEVEL, Window(100, 100, 200, 200), 5.0).tolist() == [True]
    assert touches_inner_edge(turned, LEVEL, Window(100, 100, 200, 200), 2.0).tolist() == [False]


def test_small_windows_are_padded_with_grey() -> None:
    task = Task("scene", Level(1.0, 5, 3), Window(0, 0, 5, 3))
    tile = make_tile(task, np.full((3, 5, 3), 7, dtype=np.uint8), 8, 8)
    assert tile.pixels.shape == (8, 8, 3)
    assert (tile.width, tile.height) == (5, 3)
    assert (tile.pixels[:3, :5] == 7).all()
    assert (tile.pixels[3:] == PADDING).all()
    assert (tile.pixels[:, 5:] == PADDING).all()


class HalfEmptyReader(BlankReader):
    """Only windows in the left half have data."""

    def read(self, level: Level, window: Window) -> TileRead:
        read = super().read(level, window)
        return read if window.col_off < level.width / 2 else TileRead(read.pixels, 0.0)


def test_windows_without_data_are_skipped(scenes: list[SyntheticScene], spec: DetectorSpec, log: Path) -> None:
    scene = scene_without_file(scenes[0])
    plan = make_plan([scene], RunSettings(tile=128, stride=100), spec)
    reader = CountingReader(HalfEmptyReader(scene))
    detector = open_detector(spec)
    parts = [look_at(scene.id, batch, reader, detector, RunSettings(prefetch=2)) for batch in plan.scenes[0].batches()]
    skipped = sum(part.skipped for part in parts)
    assert 0 < skipped < plan.windows
    assert reader.reads == plan.windows
    assert len(read_log(log)) == plan.windows - skipped
    assert all((part.raw.boxes[:, 0] < 600).all() for part in parts)


def test_windows_are_read_in_row_order(scenes: list[SyntheticScene], spec: DetectorSpec) -> None:
    scene = scene_without_file(scenes[0])
    plan = make_plan([scene], RunSettings(tile=128, stride=100), spec)
    reader = CountingReader(BlankReader(scene))
    for batch in plan.scenes[0].batches():
        look_at(scene.id, batch, reader, open_detector(spec), RunSettings(prefetch=3))
    places = [(window.row_off, window.col_off) for _, window in reader.windows]
    assert places == sorted(places)


def test_a_worker_goes_from_scene_to_scene(scenes: list[SyntheticScene], spec: DetectorSpec, store: Store) -> None:
    settings = RunSettings(tile=512, stride=512)
    plan = make_plan([scene_without_file(scene) for scene in scenes], settings, spec)
    assert plan.detector is not None
    store.begin(plan.run, plan.about(), ())
    worker = Worker(Work(plan.detector, settings, plan.run, plan.about(), store.address, BLANK_READER))
    results = [worker.run(BatchJob(scene, batch)) for scene in plan.scenes for batch in scene.batches()]
    worker.close()
    assert sum(result.windows for result in results) == plan.windows
    assert all(result.error is None for result in results)
    assert len(store.workspace(plan.run).names()) == len(results)


@pytest.mark.parametrize("name", ["nothing", "swathe.nowhere:Reader", "swathe.engine.worker:Nobody"])
def test_an_unknown_reader_is_a_clear_error(name: str) -> None:
    with pytest.raises(UsageError, match=r"package\.module:factory"):
        load_factory(name)


@pytest.mark.parametrize("batch", [2, 3, 1000])
def test_tiles_handed_over_together_give_the_same(scenes: list[SyntheticScene], spec: DetectorSpec, batch: int) -> None:
    scene = scene_without_file(scenes[0])
    plan = make_plan([scene], RunSettings(tile=128, stride=100), spec)
    first = next(plan.scenes[0].batches())
    alone = look_at(scene.id, first, HalfEmptyReader(scene), open_detector(spec), RunSettings(prefetch=2))
    together = look_at(
        scene.id, first, HalfEmptyReader(scene), open_detector(replace(spec, batch=batch)), RunSettings(prefetch=2)
    )
    assert len(alone.raw) > 0
    assert alone.pack() == together.pack()


def test_a_worker_process_reads_with_the_credentials_of_the_driver(
    spec: DetectorSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str | None] = {}

    class Watcher:
        def __init__(self, _: Work) -> None:
            seen.update({name: os.environ.get(name) for name in ("AWS_REQUEST_PAYER", "UNRELATED")})

        def run(self, job: str) -> str:
            return job

        def close(self) -> None:
            """Nothing to close."""

    monkeypatch.delenv("AWS_REQUEST_PAYER", raising=False)
    with rasterio.Env(AWS_REQUEST_PAYER="requester", UNRELATED="x"):
        work = Work(spec, RunSettings(), "run", {}, "/nowhere", BLANK_READER, capture())
    monkeypatch.setattr(process, "Worker", Watcher)
    ours, theirs = Pipe()
    ours.send(work)
    ours.close()
    assert process.main(os.dup(theirs.fileno()), time.monotonic()) == 0
    assert seen == {"AWS_REQUEST_PAYER": "requester", "UNRELATED": None}
    assert "AWS_REQUEST_PAYER" not in os.environ
    assert "requester" not in repr(work)
