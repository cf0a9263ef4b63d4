"""Where a run looks and what it keeps: regions, lowest scores of classes, and the rules of the merge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.windows import Window

import swathe
from engine.test_plan import empty_scene
from swathe.areas import Area
from swathe.boxes import iou_matrix, nms, to_polygons
from swathe.engine.plan import make_plan, scene_info
from swathe.engine.raw import RawDetections
from swathe.engine.region import Stretches, touched, wanted
from swathe.engine.seam import merge
from swathe.engine.settings import RunSettings
from swathe.errors import UsageError
from swathe.query import Query
from swathe.raster.grid import Grid
from swathe.raster.scene import Scene

SQUARE = Query(box=(300.0, 200.0, 700.0, 500.0))
ON_THE_GROUND = replace(
    empty_scene(2000, 1500),
    crs=CRS.from_epsg(32645).to_wkt(),
    transform=(0.5, 0.0, 350_000.0, 0.0, -0.5, 3_060_000.0),
)


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    sides = np.sort(rng.uniform(4, 60, (count, 2)), axis=1)[:, ::-1]
    return np.column_stack([rng.uniform(0, 200, (count, 2)), sides, rng.uniform(-np.pi / 2, np.pi / 2, count)])


def slow_suppression(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Greedy suppression by the share of the smaller box, by shapely."""
    polygons = shapely.polygons(to_polygons(boxes))
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        shared = shapely.area(shapely.intersection(polygons[row], polygons[kept]))
        smaller = np.minimum(shapely.area(polygons[row]), shapely.area(polygons[kept]))
        if not (shared > threshold * smaller).any():
            kept.append(row)
    return kept


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_overlap_over_the_smaller_box_is_that_of_shapely(threshold: float) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        boxes, scores = random_boxes(rng, 80), rng.uniform(0, 1, 80)
        found = nms(boxes, scores, None, threshold, smaller=True).tolist()
        assert found == slow_suppression(boxes, scores, threshold)


def test_a_box_inside_a_larger_one_goes_by_the_smaller_box_alone() -> None:
    boxes = np.array([[50.0, 50, 80, 80, 0], [50.0, 50, 8, 8, 0.3]])
    scores, classes, cut = np.array([0.9, 0.8]), np.array([0, 0]), np.zeros(2, dtype=bool)
    assert iou_matrix(boxes, boxes)[0, 1] < 0.2
    assert merge(boxes, scores, classes, cut).tolist() == [0, 1]
    assert merge(boxes, scores, classes, cut, merge_ios=0.5).tolist() == [0]


def test_classes_compete_only_if_asked() -> None:
    boxes = np.array([[50.0, 50, 40, 20, 0], [51.0, 50, 40, 20, 0]])
    scores, classes, cut = np.array([0.9, 0.8]), np.array([0, 1]), np.zeros(2, dtype=bool)
    assert merge(boxes, scores, classes, cut).tolist() == [0, 1]
    assert merge(boxes, scores, classes, cut, across_classes=True).tolist() == [0]


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_windows_are_those_that_touch_the_box(scale: float) -> None:
    grid = Grid(int(2000 * scale), int(1500 * scale), 256, 192)
    found = touched(SQUARE, scene_info(empty_scene(2000, 1500)), grid, scale)
    region = shapely.box(300, 200, 700, 500)
    expected = []
    for index in range(len(grid)):
        window = grid[index]
        right, bottom = window.col_off + window.width, window.row_off + window.height
        if shapely.box(window.col_off / scale, window.row_off / scale, right / scale, bottom / scale).intersects(
            region
        ):
            expected.append(index)
    assert list(found) == expected
    assert 0 < len(found) < len(grid)


@given(st.sets(st.integers(0, 60)), st.slices(70))
def test_stretches_are_a_list_of_numbers(numbers: set[int], part: slice) -> None:
    expected = sorted(numbers)
    stretches = Stretches.of(np.array(expected, dtype=np.int64))
    assert list(stretches) == expected
    assert len(stretches) == len(expected)
    assert list(stretches[part]) == expected[part]
    assert len(stretches.firsts) == sum(number - 1 not in numbers for number in numbers)


def test_many_windows_are_looked_at_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, scene = Grid(2000, 1500, 64, 48), scene_info(empty_scene(2000, 1500))
    at_once = list(touched(SQUARE, scene, grid, 1.0))
    monkeypatch.setattr("swathe.engine.region.AT_ONCE", 7)
    assert list(touched(SQUARE, scene, grid, 1.0)) == at_once


def test_a_plan_has_only_those_windows_and_scenes() -> None:
    here = scene_info(ON_THE_GROUND).place(np.array([[500.0, 400.0]]), "lonlat")[0]
    area = Area("place", shapely.Point(here).buffer(1e-5))
    far = replace(ON_THE_GROUND, id="far", transform=(0.5, 0.0, 450_000.0, 0.0, -0.5, 3_060_000.0))
    settings = RunSettings(tile=256, stride=192, region=Query(areas=(area,)))
    plan = make_plan([ON_THE_GROUND, far, empty_scene(2000, 1500, "bare")], settings)
    assert [scene.id for scene in plan.scenes] == [ON_THE_GROUND.id]
    assert 1 <= plan.windows <= 4
    windows = [task.window for batch in plan.scenes[0].batches() for task in batch.tasks("scene")]
    assert len(windows) == plan.windows
    assert all(w.col_off <= 500 <= w.col_off + w.width and w.row_off <= 400 <= w.row_off + w.height for w in windows)
    assert plan.scenes[0].batch_count == sum(1 for _ in plan.scenes[0].batches())


def test_another_region_is_another_run() -> None:
    plans = [make_plan([scene()], RunSettings(region=region)) for region in (None, SQUARE, Query(box=(0, 0, 9, 9)))]
    assert len({plan.run for plan in plans}) == len(plans)


def test_a_region_that_no_scene_touches_is_refused() -> None:
    with pytest.raises(UsageError, match="no scene touches"):
        make_plan([scene()], RunSettings(region=Query(box=(9000, 9000, 9001, 9001))))


def scene() -> Scene:
    return empty_scene(2000, 1500)


@pytest.fixture(scope="module")
def banepa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the scene that ships with the project."""
    path = tmp_path_factory.mktemp("banepa") / "part.tif"
    window = Window(1500, 1500, 1400, 1000)
    with rasterio.open(Path(__file__).parents[2] / "data/banepa/banepa.tif") as source:
        profile = {"driver": "GTiff", "width": 1400, "height": 1000, "count": 3, "dtype": "uint8", "crs": source.crs}
        with rasterio.open(path, "w", **profile, transform=source.window_transform(window)) as target:
            target.write(source.read((1, 2, 3), window=window))
    return path


def test_detections_of_a_region_are_those_of_the_whole_with_their_centre_in_it(banepa: Path) -> None:
    whole = swathe.detect(banepa, "buildings", workers=0, tile=512)
    west, south, east, north = shapely.bounds(shapely.multipoints(whole.centres()))
    box = (west, south, (west + east) / 2, (south + north) / 2)
    part = swathe.detect(banepa, "buildings", workers=0, tile=512, region=Query(box=box))
    inside = shapely.intersects(shapely.box(*box), shapely.points(whole.centres()))
    assert 0 < len(part) < len(whole)
    assert shapely.intersects(shapely.box(*box), shapely.points(part.centres())).all()
    # At the edge a box may be missing that a window beyond has seen better.
    same = {tuple(row) for row in part.boxes.tolist()} & {tuple(row) for row in whole.take(inside).boxes.tolist()}
    assert len(same) >= 0.95 * inside.sum()


def test_scores_of_classes(banepa: Path) -> None:
    plain = swathe.detect(banepa, "buildings", workers=0, tile=512, min_score=0.5)
    named = swathe.detect(banepa, "buildings", workers=0, tile=512, min_score={"building": 0.5})
    assert len(plain) > 0
    assert np.array_equal(plain.boxes, named.boxes)
    with pytest.raises(UsageError, match="min_score"):
        swathe.detect(banepa, "buildings", min_score={"ship": 0.5})


def test_centres_in_pixels_are_compared_with_a_box_in_pixels() -> None:
    boxes = np.array([[310.0, 210, 40, 20, 0.1], [290.0, 210, 40, 20, 0.1]])
    raw = RawDetections(boxes, np.array([0.9, 0.8]), np.array([0, 0]), np.zeros(2, dtype=bool))
    kept = wanted(raw, scene_info(empty_scene(2000, 1500)), RunSettings(region=SQUARE))
    assert kept.boxes[:, 0].tolist() == [310]
