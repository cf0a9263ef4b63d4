"""With a detector that sees the truth, clipped to each window, the merged result is the truth.

For objects that some scale sees whole, that is: smaller than the overlap of the windows there. Windows, scales, the
order of batches and the kind of clipping must not matter. Scores differ from window to window: fragments often win.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from swathe.boxes import to_polygons
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import open_detector
from swathe.engine.look import look_at
from swathe.engine.plan import Plan, make_plan
from swathe.engine.raw import RawDetections
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.engine.strips import merge_at_once
from swathe.store import open_store, read
from swathe.testing.fakes import BLANK_READER, BlankReader, write_script
from swathe.testing.scenes import ObjectRule, SyntheticScene, scene_without_file, synthetic_scene

SCALE_SETS = [(1.0,), (0.5,), (1.5,), (0.5, 1.0), (1.0, 1.5), (0.5, 1.0, 1.5)]
COMBINATIONS = 240


def run_in_memory(plan: Plan, spec: DetectorSpec, order: npt.NDArray[np.int64]) -> RawDetections:
    """The run without files: batches in the order given, then the merge."""
    (scene,), settings = plan.scenes, plan.settings
    detector, reader, batches = open_detector(spec), BlankReader(scene.source), list(scene.batches())

    parts = [look_at(scene.id, batches[place], reader, detector, settings).raw for place in order]
    raw = RawDetections.concat(parts)
    return raw if plan.windows == 1 else merge_at_once(raw, settings)


def assert_is_truth(boxes: npt.NDArray[np.float64], classes: npt.NDArray[np.int64], scene: SyntheticScene) -> None:
    """Each object is found once, each corner within a millionth of a pixel."""
    assert len(boxes) == len(scene.boxes)
    distances = np.linalg.norm(boxes[None, :, :2] - scene.boxes[:, None, :2], axis=2)
    nearest = distances.argmin(axis=1)
    assert sorted(nearest.tolist()) == list(range(len(boxes)))
    np.testing.assert_array_equal(classes[nearest], scene.classes)
    found, truth = to_polygons(boxes[nearest]), scene.polygons()
    corners = np.linalg.norm(found[:, None, :, :] - truth[:, :, None, :], axis=3).min(axis=2)
    assert corners.max(initial=0.0) < 1e-6


def random_case(number: int) -> tuple[SyntheticScene, RunSettings]:
    """A scene, a tiling and scales such that every object is smaller than the overlap at the coarsest scale."""
    random = np.random.default_rng(number)
    scales = SCALE_SETS[number // 2 % len(SCALE_SETS)]
    tile = int(random.integers(64, 513))
    overlap = int(random.integers(20, tile // 2 + 1))
    largest = (overlap - 0.01) / min(scales)  # scene pixels, the diagonal of the largest object
    smallest = 2.2 / min(scales)  # every side is more than a pixel at every scale
    aspect = float(random.uniform(1.0, 4.0))
    long_side = largest / math.hypot(1.0, 1.0 / aspect)
    rule = ObjectRule(
        count=int(random.integers(1, 40)),
        long_side=(min(long_side, max(smallest * 4.0, long_side * float(random.uniform(0.2, 1.0)))), long_side),
        aspect=(aspect, 4.0),
        gap=float(random.uniform(0.0, 20.0)),
    )
    width, height = (int(random.uniform(0.6, 3.0) * tile / min(scales)) for _ in range(2))
    return synthetic_scene(width, height, seed=number, rule=rule), RunSettings(
        tile=tile, stride=tile - overlap, scales=scales, fitted=bool(random.random() < 0.5)
    )


@pytest.mark.parametrize("clip", ["minimum", "own"])
@pytest.mark.parametrize("group", range(4))
def test_the_result_is_the_truth(tmp_path: Path, clip: str, group: int) -> None:
    objects = 0
    for place in range(group, COMBINATIONS // 2, 4):
        number = 2 * place + (clip == "own")
        scene, settings = random_case(number)
        spec = write_script([scene], tmp_path / "script.json", clip=clip)
        plan = make_plan([scene_without_file(scene)], settings, spec)
        kept = run_in_memory(plan, spec, np.random.default_rng(number).permutation(plan.scenes[0].batch_count))
        try:
            assert_is_truth(kept.boxes, kept.classes, scene)
        except AssertionError as error:
            raise AssertionError(f"combination {number}: {settings}") from error
        objects += len(scene.boxes)
    assert objects > 200


@pytest.mark.parametrize("number", range(COMBINATIONS, COMBINATIONS + 12))
def test_workers_change_nothing(tmp_path: Path, number: int) -> None:
    """The same with worker processes, parts and a store in between."""
    scene, settings = random_case(number)
    spec = write_script([scene], tmp_path / "script.json", clip="own" if number % 2 else "minimum")
    store = open_store(tmp_path / "store", create=True)
    plan = make_plan([scene_without_file(scene)], replace(settings, workers=number % 4), spec)
    run_plan(plan, store, reader=BLANK_READER)
    found = read(store)
    names = np.array([scene.class_names.index(name) for name in found.classes], dtype=np.int64)
    assert_is_truth(found.boxes, names, scene)


def test_an_object_longer_than_the_overlap_is_whole_at_half_scale(tmp_path: Path) -> None:
    boxes = np.array([[400.0, 300.0, 180.0, 24.0, 0.4], [700.0, 520.0, 190.0, 20.0, -1.2]])
    scene = SyntheticScene("long", 1000, 800, boxes, np.array([0, 1]))
    spec = write_script([scene], tmp_path / "script.json")
    for scales in ((1.0,), (0.5, 1.0)):
        plan = make_plan([scene_without_file(scene)], RunSettings(tile=128, stride=28, scales=scales), spec)
        kept = run_in_memory(plan, spec, np.arange(plan.scenes[0].batch_count))
        if scales == (1.0,):
            assert kept.cut.any(), "an object that no window sees whole stays marked as cut"
        else:
            assert_is_truth(kept.boxes, kept.classes, scene)
            assert not kept.cut.any()


def test_a_scene_of_one_window_is_passed_through(tmp_path: Path) -> None:
    """Two boxes that the merge would thin out stay: the detector has already done its own suppression."""
    boxes = np.array([[50.0, 50.0, 40.0, 20.0, 0.0], [54.0, 50.0, 40.0, 20.0, 0.0]])
    scene = SyntheticScene("one", 100, 100, boxes, np.array([0, 0]))
    spec = write_script([scene], tmp_path / "script.json")
    plan = make_plan([scene_without_file(scene)], RunSettings(tile=128, stride=100), spec)
    kept = run_in_memory(plan, spec, np.arange(plan.scenes[0].batch_count))
    assert plan.windows == 1
    assert len(kept) == 2
