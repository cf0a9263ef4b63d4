"""Size, shape, angle and confused classes: by hand, and against evaluations of the objects of a range alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from swathe import boxes
from swathe.datasets.sample import Sample
from swathe.evaluation import Found, Report, evaluate_detections
from swathe.evaluation.breakdown import ASPECTS, SIZES


def sample(rectangles: npt.ArrayLike, classes: list[str], difficult: list[bool] | None = None) -> Sample:
    polygons = boxes.to_polygons(np.asarray(rectangles, float).reshape(-1, 5))
    return Sample("a", None, polygons, tuple(classes), np.asarray(difficult or [False] * len(classes), np.bool_))


def found(rectangles: npt.ArrayLike, classes: list[str], scores: npt.ArrayLike) -> Found:
    polygons = boxes.to_polygons(np.asarray(rectangles, float).reshape(-1, 5))
    count = len(classes)
    return Found(np.full(count, "a"), np.asarray(classes, np.str_), np.asarray(scores, float).reshape(count), polygons)


def test_angles_are_measured_between_long_sides_and_squares_stand_apart() -> None:
    truth = sample([[50, 50, 40, 10, 0.1], [150, 50, 21, 20, 0.0]], ["ship", "ship"])
    turned = boxes.canonical([[150, 50, 21, 20, np.pi / 2]])[0]
    report = evaluate_detections([truth], found([[50, 50, 40, 10, 0.15], turned], ["ship"] * 2, [0.9, 0.8]))
    parts = report.classes[0].breakdown
    assert parts is not None
    square, long = parts.aspects["square"].angle, parts.aspects["thin"].angle
    assert square is not None
    assert long is not None
    assert (square.median, square.median_of_sides, square.turned) == pytest.approx((90, 0, 1), abs=1e-6)
    assert (long.median, long.turned) == pytest.approx((np.degrees(0.05), 0), abs=1e-6)
    assert parts.aspects["long"].map50_area is None


@pytest.mark.parametrize("seed", range(6))
def test_a_range_is_judged_as_if_the_rest_were_difficult(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = np.stack(np.meshgrid(np.arange(6), np.arange(6)), axis=-1).reshape(-1, 2) * 400.0 + 200.0
    sides = np.exp(rng.uniform(np.log(8), np.log(200), (36, 2)))
    truth_boxes = boxes.canonical(np.column_stack((centres, sides, rng.uniform(-1.5, 1.5, 36))))
    noisy = truth_boxes * (1 + rng.normal(0, 0.002, (36, 5)))
    noisy[:, 2:4] *= np.exp(rng.normal(0, 0.3, (36, 2)))
    noisy = boxes.canonical(np.concatenate([noisy, noisy[:9] + np.array([3.0, 0, 0, 0, 0])]))
    scores = rng.random(45)
    (item,) = evaluate_detections([sample(truth_boxes, ["x"] * 36)], found(noisy, ["x"] * 45, scores)).classes
    assert item.breakdown is not None
    for ranges, parts, value in (
        (SIZES, item.breakdown.sizes, lambda rows: np.sqrt(rows[:, 2] * rows[:, 3])),
        (ASPECTS, item.breakdown.aspects, lambda rows: rows[:, 2] / rows[:, 3]),
    ):
        assert sum(part.truths for part in parts.values()) == 36
        for name, (low, high) in ranges.items():
            own, theirs = ((value(rows) >= low) & (value(rows) < high) for rows in (truth_boxes, noisy))
            if not own.any():
                continue
            # the slow way: what lies outside is difficult, and a wrong detection outside is not there
            hard = sample(truth_boxes, ["x"] * 36, (~own).tolist())
            best = np.argmax(boxes.iou_matrix(noisy, truth_boxes), axis=1)
            hits = np.zeros(45, np.bool_)
            for row in np.argsort(-scores):
                overlap = boxes.iou_matrix(noisy[row : row + 1], truth_boxes)[0, best[row]]
                taken = [other for other in np.flatnonzero(hits) if best[other] == best[row]]
                hits[row] = overlap > 0.5 and not taken
            kept = theirs | hits
            again = evaluate_detections([hard], found(noisy[kept], ["x"] * int(kept.sum()), scores[kept]))
            assert parts[name].map50_area == pytest.approx(again.classes[0].map50_area), name


def report_of_confused() -> Report:
    truth = sample(
        [[50, 50, 40, 20, 0], [150, 50, 40, 20, 0], [250, 50, 40, 20, 0], [350, 50, 40, 20, 0]],
        ["ship", "ship", "plane", "plane"],
        [False, False, False, True],
    )
    rows = [[50, 50, 40, 20, 0], [150, 50, 40, 20, 0], [250, 50, 40, 20, 0], [350, 50, 40, 20, 0], [500, 50, 9, 9, 0]]
    return evaluate_detections(
        [truth], found(rows, ["ship", "plane", "plane", "ship", "plane"], [1, 0.95, 0.9, 0.9, 0.8])
    )


def test_classes_taken_for_others_are_counted() -> None:
    report = report_of_confused()
    assert report.confusion is not None
    # Best scores: ship 1.0, plane 0.9. The detection on the difficult plane and what is below count nowhere.
    names = [item.name for item in report.classes]
    ship, plane = names.index("ship"), names.index("plane")
    assert report.confusion[ship, ship] == 1
    assert report.confusion[ship, plane] == 1
    assert report.confusion[plane, plane] == 1
    assert report.confusion.sum() == 3


def test_json_has_all_of_it() -> None:
    report = report_of_confused().to_json()
    assert set(report["classes"]["ship"]) >= {"angle", "sizes", "aspects", "map75_area", "best_score"}
    assert np.array(report["confusion"]).shape == (3, 3)
