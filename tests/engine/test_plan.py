"""Plans count right, cut into batches without gap or overlap, and have a stable identity."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.job import BatchJob
from swathe.engine.plan import LONGEST_BATCH, make_plan
from swathe.engine.settings import RunSettings
from swathe.errors import UsageError
from swathe.raster.scene import Scene
from swathe.testing.scenes import SyntheticScene, scene_without_file, synthetic_scene


def empty_scene(width: int, height: int, name: str = "scene", *, tiled: bool = True) -> Scene:
    bare = synthetic_scene(8, 8, seed=0, scene_id=name)
    return replace(scene_without_file(bare), width=width, height=height, tiled=tiled)


@pytest.mark.parametrize(
    ("width", "height", "stride", "scales", "windows"),
    [
        (17520, 11712, 512, (0.5, 1.0, 1.5), [187, 748, 1734]),
        (8000, 8000, 824, (1.0,), [100]),
        (8000, 8000, 512, (0.5, 1.0, 1.5), [803]),
        (20000, 20000, 824, (1.0,), [625]),
        (20000, 20000, 512, (0.5, 1.0, 1.5), [5246]),
        (300, 200, 824, (1.0,), [1]),
    ],
)
def test_the_known_window_counts(width: int, height: int, stride: int, scales: tuple, windows: list[int]) -> None:
    plan = make_plan([empty_scene(width, height)], RunSettings(stride=stride, scales=scales))
    told = plan.to_json()
    assert plan.windows == told["windows"] == sum(windows)
    if len(windows) > 1:
        assert told["levels"] == [
            {"scale": scale, "windows": count} for scale, count in zip(scales, windows, strict=True)
        ]
    assert json.loads(json.dumps(told)) == told


@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 4000),
    tile=st.integers(32, 512),
    overlap=st.floats(0.0, 0.7),
    tiled=st.booleans(),
    more=st.booleans(),
)
@examples(max_examples=60, deadline=None)
def test_batches_cover_every_window_once(
    width: int, height: int, tile: int, overlap: float, tiled: bool, more: bool
) -> None:
    settings = RunSettings(tile=tile, stride=max(1, int(tile * (1 - overlap))), scales=(1.0, 0.5) if more else (1.5,))
    plan = make_plan(
        [empty_scene(width, height, "a", tiled=tiled), empty_scene(height, width, "b", tiled=tiled)], settings
    )
    for scene in plan.scenes:
        batches = list(scene.batches())
        assert len(batches) == scene.batch_count == len({scene.part(batch) for batch in batches})
        assert scene.windows == sum(batch.count for batch in batches)
        assert scene.cost == pytest.approx(sum(batch.level.window_cost * batch.count for batch in batches))
        for level in scene.levels:
            mine = [batch for batch in batches if batch.level == level]
            windows = [index for batch in mine for index in range(batch.first, batch.first + batch.count)]
            assert windows == list(range(len(level.grid)))
            assert len(mine) == level.batch_count
            if tiled:
                assert max(batch.count for batch in mine) <= LONGEST_BATCH
                assert mine[-1].count <= 2 or len(mine) == 1, "the last ones are short, so that no worker waits long"


def test_an_untiled_source_is_handed_out_in_whole_rows() -> None:
    plan = make_plan([empty_scene(60_000, 3_000, tiled=False)], RunSettings(tile=512, stride=512))
    assert {batch.count for batch in plan.scenes[0].batches()} == {118}


def test_a_batch_lists_its_windows() -> None:
    scene = make_plan([empty_scene(2000, 2000)], RunSettings(tile=512, stride=400)).scenes[0]
    second = list(scene.batches())[1]
    tasks = list(second.tasks(scene.id))
    assert (second.first, second.count) == (5, 5)
    assert {task.window.row_off for task in tasks} == {400}
    assert [task.window.col_off for task in tasks] == [0, 400, 800, 1200, 1488]
    assert "scene scene, scale 1, windows 5 to 9" in BatchJob(scene, second).describe()


def test_a_huge_scene_is_planned_without_listing_its_windows() -> None:
    scene = make_plan([empty_scene(3_000_000, 3_000_000)], RunSettings(tile=512, stride=256)).scenes[0]
    assert scene.windows > 10**8
    assert len(pickle.dumps(scene)) < 2000
    first = next(scene.batches())
    assert first.count <= LONGEST_BATCH


def test_the_run_id_follows_what_changes_the_result_and_no_scene(
    scenes: list[SyntheticScene], spec: DetectorSpec
) -> None:
    described = [scene_without_file(scene) for scene in scenes]
    settings = RunSettings(tile=192, stride=112)
    run = make_plan(described, settings, spec).run
    assert len(run) == 16
    same = [
        make_plan(described[:1], settings, spec),
        make_plan([replace(described[0], fingerprint=(1, 2))], settings, spec),
        make_plan(described, replace(settings, workers=7, prefetch=5), spec),
        make_plan(described, settings, replace(spec, path="copy.json", threads=3)),
    ]
    assert {plan.run for plan in same} == {run}
    others = [
        make_plan(described, replace(settings, stride=100), spec),
        make_plan(described, replace(settings, merge_iou=0.3), spec),
        make_plan(described, replace(settings, bands=(3, 2, 1)), spec),
        make_plan(described, replace(settings, value_range=(0.0, 9.0)), spec),
        make_plan(described, replace(settings, value_range="percentile"), spec),
        make_plan(described, settings, replace(spec, sha256="0")),
        make_plan(described, settings, replace(spec, min_score=0.5)),
    ]
    assert len({run, *(plan.run for plan in others)}) == 1 + len(others)


def test_windows_that_leave_gaps_are_refused() -> None:
    for values in ({"tile": 0, "stride": 0}, {"stride": 0}, {"tile": 512, "stride": 513}):
        with pytest.raises(UsageError):
            RunSettings(**values)


def test_scenes_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(UsageError, match="twin"):
        make_plan([empty_scene(10, 10, "twin"), empty_scene(20, 20, "twin")], RunSettings())
    with pytest.raises(UsageError, match="no scenes"):
        make_plan([], RunSettings())
