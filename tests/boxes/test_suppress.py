from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxes.scenes import random_boxes, shapes, slow_iou_matrix, slow_nms
from swathe.boxes import iou_matrix, nms
from swathe.errors import UsageError


def duplicated(seed: int, objects: int, copies: int, **how: float) -> np.ndarray:
    """Every object several times, a little shifted, as overlapping windows find it."""
    boxes = np.repeat(random_boxes(seed, objects, **how), copies, axis=0)  # type: ignore[arg-type]
    return boxes + np.random.default_rng(seed).normal(size=boxes.shape) * [1.0, 1.0, 0.0, 0.0, 0.03]


def parallel_ships(seed: int) -> np.ndarray:
    """Ships at 45 degrees, side by side 1 px apart, found three times each."""
    steps = np.arange(40.0)[:, None] * 11.0 * np.array([[-np.sqrt(0.5), np.sqrt(0.5)]])
    ships = np.column_stack([500.0 + steps, np.full(40, 100.0), np.full(40, 10.0), np.full(40, np.pi / 4)])
    ships = np.repeat(ships, 3, axis=0)
    return ships + np.random.default_rng(seed).normal(size=ships.shape) * [0.4, 0.4, 0.5, 0.2, 0.002]


def huge_and_tiny(seed: int) -> np.ndarray:
    """Boxes of 10 px under two of 5000 px, and tiny ones within them."""
    small = random_boxes(seed, 200, side=300.0, sizes=(8.0, 12.0))
    tiny = random_boxes(seed + 1, 50, side=50.0, sizes=(0.01, 0.5))
    huge = np.array([[100.0, 100.0, 5000.0, 4000.0, 0.3], [120.0, 90.0, 5100.0, 4000.0, 0.31]])
    long = np.array([[150.0, 150.0, 5000.0, 2.0, 0.785], [150.5, 150.5, 4000.0, 2.0, 0.7851]])
    return np.concatenate([small, huge, tiny, long])


SCENES = {
    "sparse": lambda seed: random_boxes(seed, 150, side=800.0),
    "dense": lambda seed: random_boxes(seed, 250, side=120.0),
    "duplicates": lambda seed: duplicated(seed, 50, 5),
    "far": lambda seed: duplicated(seed, 50, 5, origin=1e5),
    "ships": parallel_ships,
    "mixed sizes": lambda seed: random_boxes(seed, 200, side=600.0, sizes=(0.5, 2000.0)),
    "huge and tiny": huge_and_tiny,
    "scattered": lambda seed: np.concatenate([random_boxes(seed + k, 30, side=30.0, origin=k * 1e7) for k in range(6)]),
    "one place": lambda seed: np.repeat(random_boxes(seed, 3, side=1.0), 40, axis=0),
}


@pytest.mark.parametrize("scene", SCENES)
def test_result_equals_slow_greedy_suppression(scene: str) -> None:
    for seed in range(4):
        boxes = SCENES[scene](seed)
        random = np.random.default_rng(seed)
        scores = np.round(random.uniform(size=len(boxes)), 1 + seed)  # many ties, few ties
        classes = random.integers(0, 3, len(boxes)) * 1000 - 1000
        # Of exact twins (IoU 1) shapely's last digit may say that they are less than equal: take our own ratios.
        ratios = iou_matrix(boxes, boxes) if scene == "one place" else slow_iou_matrix(shapes(boxes), shapes(boxes))
        for iou in (0.0, 0.1, 0.2, 0.55, 1.0):
            assert nms(boxes, scores, classes, iou).tolist() == slow_nms(boxes, scores, classes, iou, ratios)
            assert nms(boxes, scores, None, iou).tolist() == slow_nms(boxes, scores, None, iou, ratios)


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.sampled_from([30.0, 100.0, 1e4]),
    st.sampled_from([(5.0, 20.0), (0.1, 1000.0)]),
    st.floats(0.0, 1.0),
)
def test_any_scene_equals_slow_greedy_suppression(
    seed: int, count: int, side: float, sizes: tuple[float, float], iou: float
) -> None:
    boxes = random_boxes(seed, count, side=side, sizes=sizes)
    scores = np.random.default_rng(seed).integers(0, 20, count).astype(float)
    assert nms(boxes, scores, None, iou).tolist() == slow_nms(boxes, scores, None, iou)


def test_parallel_ships_stay() -> None:
    ships = parallel_ships(0)
    assert len(nms(ships, np.linspace(1.0, 0.0, len(ships)), iou=0.2)) == 40


def test_result_does_not_depend_on_the_order_of_distinct_scores() -> None:
    boxes = duplicated(3, 80, 4)
    random = np.random.default_rng(0)
    scores, shuffle = random.permutation(len(boxes)) / len(boxes), random.permutation(len(boxes))
    assert shuffle[nms(boxes[shuffle], scores[shuffle])].tolist() == nms(boxes, scores).tolist()


def test_of_equal_scores_the_lower_index_comes_first() -> None:
    twins = np.repeat([[10.0, 10.0, 8.0, 4.0, 0.5], [50.0, 10.0, 8.0, 4.0, 0.5]], 3, axis=0)
    assert nms(twins, np.full(6, 0.5)).tolist() == [0, 3]
    assert nms(twins, [0.5, 0.5, 0.9, 0.5, 0.5, 0.5]).tolist() == [2, 3]


def test_ratio_at_the_threshold_is_tolerated() -> None:
    boxes = [[0.0, 0.0, 4.0, 2.0, 0.0], [2.0, 0.0, 4.0, 2.0, 0.0]]  # they share a third
    third = float(iou_matrix(boxes, boxes)[0, 1])
    assert nms(boxes, [0.9, 0.8], iou=third).tolist() == [0, 1]
    assert nms(boxes, [0.9, 0.8], iou=np.nextafter(third, 0.0)).tolist() == [0]


def test_box_without_area_neither_falls_nor_suppresses() -> None:
    boxes = [[0.0, 0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 4.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    assert nms(boxes, [0.3, 0.2, 0.1], iou=0.0).tolist() == [0, 1, 2]


def test_nothing_gives_nothing() -> None:
    assert nms([], []).tolist() == nms(np.zeros((0, 5)), np.zeros(0), np.zeros(0, dtype=np.int64)).tolist() == []
    assert nms([], []).dtype == np.int64
    assert nms([[0.0, 0.0, 1.0, 1.0, 0.0]], [0.1], [7]).tolist() == [0]


@pytest.mark.parametrize(
    ("scores", "classes", "iou", "message"),
    [
        ([0.1], None, 0.2, "2 boxes have 1 scores"),
        ([[0.1, 0.2]], None, 0.2, r"scores must have the shape \(n,\)"),
        ([0.1, np.nan], None, 0.2, "score 1 is not finite"),
        (["a", "b"], None, 0.2, "scores cannot be read"),
        ([0.1, 0.2], [1], 0.2, "classes must be 2 whole numbers"),
        ([0.1, 0.2], [1.0, 2.0], 0.2, "classes must be 2 whole numbers, not float64"),
        ([0.1, 0.2], None, 1.5, r"iou must lie in \[0, 1\], not 1.5"),
        ([0.1, 0.2], None, np.nan, "iou must lie in"),
    ],
)
def test_malformed_arguments_are_refused(scores: list, classes: list | None, iou: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        nms(random_boxes(1, 2), scores, classes, iou)
