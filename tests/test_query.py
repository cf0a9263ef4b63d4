from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from swathe.detections import Detections
from swathe.errors import UsageError
from swathe.query import Query, reference_filter
from swathe.testing.suites.queries import queries
from swathe.testing.suites.samples import ANTIMERIDIAN, CLASSES, MERCATOR, PIXELS, POLAR, UTM, random_detections

EVERYTHING = Detections.concat(
    [
        random_detections(UTM, 40, 1),
        random_detections(MERCATOR, 40, 2, run="b"),
        random_detections(PIXELS, 40, 3, run="b", classes=("ship", "other")),
        random_detections(ANTIMERIDIAN, 30, 4),
        random_detections(POLAR, 30, 5),
    ]
)


@settings(max_examples=80, deadline=None)
@given(queries(EVERYTHING))
def test_the_quick_filter_equals_the_reference(query):
    assert EVERYTHING.filter(query).equals(reference_filter(EVERYTHING, query))


def test_no_condition_keeps_everything_in_canonical_order():
    assert EVERYTHING.filter(Query()).equals(EVERYTHING.sorted())


def box_at(cx, cy, size=10.0, theta=0.0, score=0.5):
    return Detections.from_arrays([[cx, cy, size, size, theta]], [score], [0], CLASSES, PIXELS, "r")


def test_touching_counts_and_the_hull_alone_does_not():
    assert len(box_at(5, 5).filter(Query(box=(10, 0, 20, 10)))) == 1
    assert len(box_at(5, 5).filter(Query(box=(10.001, 0, 20, 10)))) == 0
    turned = box_at(0, 0, theta=np.pi / 4)  # its hull reaches to 7.07 on both axes, the box does not
    assert len(turned.filter(Query(box=(5, 5, 7, 7)))) == 0
    assert len(turned.filter(Query(polygon=[(3, 3), (9, 3), (9, 9)]))) == 1


def test_box_and_polygon_must_both_be_touched():
    ring = [(0, 0), (100, 0), (0, 100), (0, 0)]
    found = Detections.concat([box_at(20, 20), box_at(90, 90), box_at(80, 5)])
    assert found.filter(Query(polygon=ring, box=(70, 0, 100, 100))).boxes[:, 0].tolist() == [80]


def test_limit_keeps_the_best_scores():
    found = Detections.concat([box_at(x, 5, score=score) for x, score in ((1, 0.2), (2, 0.9), (3, 0.5), (4, 0.9))])
    assert found.filter(Query(limit=3)).boxes[:, 0].tolist() == [2, 4, 3]
    assert found.filter(Query(limit=1)).boxes[:, 0].tolist() == [2]
    assert found.filter(Query(limit=9)).boxes[:, 0].tolist() == [2, 4, 3, 1]


def test_scenes_and_runs_that_were_not_asked_for_are_forgotten():
    found = EVERYTHING.filter(Query(scenes=(UTM.id,), runs=("run-a",)))
    assert set(found.scenes) == {("run-a", UTM.id)}
    assert set(found.runs) == {"run-a"}


@pytest.mark.parametrize(
    "values",
    [
        {"box": (0, 0, 1)},
        {"box": (0, 1, 1, 0)},
        {"box": (181, 0, 0, 1)},
        {"box": (1, -91, 0, 1)},
        {"box": (0, 0, np.nan, 1)},
        {"polygon": [(0, 0), (1, 1)]},
        {"polygon": [(0, 0), (1, 1), (1, 0), (0, 1)]},
        {"polygon": [(0, 0), (1, np.inf), (1, 0)]},
        {"min_score": np.nan},
        {"min_score": 1.01},
        {"min_score": -0.5},
        {"limit": 0},
        {"classes": "ship"},
        {"scenes": "a"},
        {"scenes": ["\udcff"]},
        {"runs": "a"},
    ],
)
def test_senseless_conditions_are_refused(values):
    with pytest.raises(UsageError, match=next(iter(values))):
        Query(**values)


def test_queries_are_values():
    one = Query(box=np.array([0, 0, 1, 1]), polygon=np.array([[0, 0], [1, 0], [1, 1], [0, 0]]), classes=["a"])
    other = Query(box=(0.0, 0.0, 1.0, 1.0), polygon=((0, 0), (1, 0), (1, 1)), classes=("a",))
    assert one == other
    assert hash(one) == hash(other)


def test_within_asks_for_the_centre():
    found = Detections.concat([box_at(5, 5), box_at(12, 5), box_at(20, 5)])
    assert found.filter(Query(box=(8, 0, 20, 10))).boxes[:, 0].tolist() == [5, 12, 20]
    assert found.filter(Query(box=(8, 0, 20, 10), within=True)).boxes[:, 0].tolist() == [12, 20]
    with pytest.raises(UsageError, match="within"):
        Query(within=True)
    with pytest.raises(UsageError, match="within"):
        Query(box=(0, 0, 1, 1), within="yes")
