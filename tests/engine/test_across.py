"""The merge across scenes equals one suppression over the ground, and whole objects win over what an edge cuts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe import boxes as box_math
from swathe.detections import Detections, SceneInfo
from swathe.engine.across import merge_scenes
from swathe.testing.suites.samples import PIXELS, UTM, random_detections

SHEET = replace(UTM, id="west", width=1000, height=1000, transform=(0.5, 0, 332_000, 0, -0.5, 3_060_000))
CLASSES = ("ship", "plane")


def moved(scene: SceneInfo, name: str, columns: float, rows: float = 0.0) -> SceneInfo:
    """A scene that begins so many pixels to the right and below."""
    a, b, c, d, e, f = scene.transform or ()
    shifted = (a, b, c + a * columns + b * rows, d, e, f + d * columns + e * rows)
    return replace(scene, id=name, transform=shifted)


def found(scene: SceneInfo, boxes: object, scores: object, run: str = "r", **about: object) -> Detections:
    return Detections.from_arrays(
        boxes, scores, [0] * len(scores), CLASSES, scene, run, run_info={"settings": about} if about else None
    )


def test_an_object_in_two_sheets_counts_once() -> None:
    east = moved(SHEET, "east", 800)
    both = Detections.concat(
        [found(SHEET, [[900, 500, 40, 20, 0.3]], [0.8]), found(east, [[100, 500, 40, 20, 0.3]], [0.9])]
    )
    assert merge_scenes(both).scene_ids.tolist() == ["east"]


def test_what_the_edge_cuts_gives_way_to_the_whole() -> None:
    east = moved(SHEET, "east", 900)
    piece, whole = [[990, 500, 20, 20, 0]], [[100, 500, 60, 20, 0]]  # the ship reaches from 970 to 1030
    both = Detections.concat([found(SHEET, piece, [0.9]), found(east, whole, [0.5])])
    assert merge_scenes(both).scene_ids.tolist() == ["east"]
    inner = Detections.concat(
        [found(SHEET, [[950, 500, 20, 20, 0]], [0.9]), found(east, [[50, 500, 120, 20, 0]], [0.5])]
    )
    assert len(merge_scenes(inner)) == 2  # not cut: two objects, one in the other


@pytest.mark.parametrize(("about", "count"), [({}, 1), ({"merge_iou": 0.9}, 2), ({"merge_ios": 0.9}, 2)])
def test_thresholds_are_those_of_the_run(about: dict[str, object], count: int) -> None:
    east = moved(SHEET, "east", 800)
    first = found(SHEET, [[900, 500, 40, 20, 0]], [0.8], **about)
    second = found(east, [[110, 500, 40, 20, 0]], [0.9], **about)
    assert len(merge_scenes(Detections.concat([first, second]))) == count


def test_other_runs_systems_and_pixels_are_left_alone() -> None:
    box, east = [[900, 500, 40, 20, 0]], moved(SHEET, "east", 0)
    other_zone = replace(
        east, id="zone", crs=SHEET.crs.replace("UTM zone 45N", "UTM zone 44N").replace("32645", "32644")
    )
    parts = [found(SHEET, box, [0.8]), found(other_zone, box, [0.9]), found(east, box, [0.9], run="other")]
    parts += [found(PIXELS, box, [0.7]), found(replace(PIXELS, id="two"), box, [0.7])]
    everything = Detections.concat(parts)
    assert merge_scenes(everything).equals(everything.sorted())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 2.0]), st.sampled_from([0.0, 0.7]))
def test_equals_one_suppression_on_the_map(seed: int, factor: float, turn: float) -> None:
    a, _, c, _, e, f = SHEET.transform or ()
    turned = (
        a * factor * np.cos(turn),
        -a * factor * np.sin(turn),
        c + 90,
        e * factor * np.sin(turn),
        e * factor * np.cos(turn),
        f - 90,
    )
    other = replace(SHEET, id="other", transform=turned)
    away = 10.0  # from the edges
    parts = []
    for scene, number in ((SHEET, 0), (other, 1)):
        rng = np.random.default_rng([seed, number])
        boxes = np.column_stack(
            [rng.uniform(60, 400, (80, 2)), rng.uniform(away, 40, (80, 2)), rng.uniform(-1.5, 1.5, 80)]
        )
        kept = box_math.nms(boxes, scores := rng.uniform(0.1, 1, 80), None, 0.2)
        parts.append(found(scene, boxes[kept], scores[kept]))
    both = Detections.concat(parts)
    corners = both.to_polygons("crs") - (c, f)
    kept = box_math.nms(box_math.from_polygons(corners), both.scores, None, 0.2)
    assert sorted(merge_scenes(both).table.column("id").to_pylist()) == sorted(
        both.take(kept).table.column("id").to_pylist()
    )


def test_nothing_and_one_scene_stay() -> None:
    alone = random_detections(UTM, 40, 1)
    assert merge_scenes(alone).equals(alone.sorted())
    assert len(merge_scenes(Detections.empty())) == 0
