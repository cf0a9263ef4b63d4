"""The evaluation equals an independent one written with plain loops and shapely."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.datasets.sample import Sample
from swathe.evaluation import Found, evaluate_detections

CLASSES = ("plane", "ship", "harbor")
Scene = tuple[list[Sample], Found]


def slow_average_precisions(samples: list[Sample], found: Found, name: str, threshold: float) -> tuple[float, float]:
    """VOC07 and area form of one class at one threshold, the way one would explain it on paper."""
    truths: dict[str, list[dict[str, Any]]] = {}
    for sample in samples:
        for polygon, label, difficult in zip(sample.polygons, sample.classes, sample.difficult, strict=True):
            if label == name:
                truth = {"shape": shapely.Polygon(polygon), "difficult": bool(difficult), "taken": False}
                truths.setdefault(sample.name, []).append(truth)
    total = sum(not truth["difficult"] for inside in truths.values() for truth in inside)
    order = [sample.name for sample in samples]
    rows = [row for row in range(len(found)) if found.classes[row] == name]
    rows.sort(key=lambda row: (-found.scores[row], order.index(str(found.images[row])), *found.polygons[row].ravel()))
    recalls, precisions, right, wrong = [], [], 0, 0
    for row in rows:
        shape = shapely.Polygon(found.polygons[row])
        best, best_iou = None, 0.0
        for truth in truths.get(str(found.images[row]), []):
            shared = shape.intersection(truth["shape"]).area
            iou = shared / (shape.area + truth["shape"].area - shared)
            if iou > best_iou:
                best, best_iou = truth, iou
        if best is not None and best_iou > threshold:
            if best["difficult"]:
                continue
            if best["taken"]:
                wrong += 1
            else:
                best["taken"] = True
                right += 1
        else:
            wrong += 1
        recalls.append(right / total)
        precisions.append(right / (right + wrong))
    eleven = 0.0
    for step in np.arange(0.0, 1.1, 0.1):
        eleven += max((p for r, p in zip(recalls, precisions, strict=True) if r >= step), default=0.0) / 11
    covered, surface = 0.0, 0.0
    for k, recall in enumerate(recalls):
        surface += (recall - covered) * max(precisions[k:])
        covered = recall
    return eleven, surface


def random_scene(seed: int, *, whole_numbers: bool) -> Scene:
    """Objects, and detections that are jittered copies of them, doubles, confusions and inventions."""
    rng = np.random.default_rng(seed)

    def quads(count: int) -> npt.NDArray[np.float64]:
        centre, half = rng.uniform(0, 60, (count, 1, 2)), rng.uniform(2, 12, (count, 1, 2))
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        if whole_numbers:
            return np.round(centre + corners) + np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        angle = rng.uniform(0, math.pi, count)
        turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=1).reshape(-1, 2, 2)
        return centre + corners @ turn

    samples = []
    for position in range(int(rng.integers(1, 4))):
        count = int(rng.integers(0, 12))
        names = tuple(str(name) for name in rng.choice(CLASSES, count))
        samples.append(Sample(f"image{position}", None, quads(count), names, rng.random(count) < 0.2))
    images, classes, polygons = [], [], []
    for sample in samples:
        for copy in range(int(rng.integers(0, 3))):
            shift = np.round(rng.normal(0, 1 + copy, (len(sample), 1, 2)), 0 if whole_numbers else 9)
            polygons.extend(sample.polygons + shift)
            classes.extend(sample.classes)
            images.extend([sample.name] * len(sample))
        extra = int(rng.integers(0, 6))
        polygons.extend(quads(extra))
        classes.extend(str(name) for name in rng.choice(CLASSES, extra))
        images.extend([sample.name] * extra)
    scores = np.round(rng.random(len(images)), 1 if whole_numbers else 6)
    corners = np.asarray(polygons, dtype=np.float64).reshape(-1, 4, 2)
    return samples, Found(np.asarray(images, dtype=np.str_), np.asarray(classes, dtype=np.str_), scores, corners)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_equals_the_slow_reference(seed: int, whole_numbers: bool) -> None:
    samples, found = random_scene(seed, whole_numbers=whole_numbers)
    report = evaluate_detections(samples, found, classes=CLASSES)
    for item in report.classes:
        if item.truths == 0:
            assert item.map50_voc07 is None
            continue
        eleven, surface = slow_average_precisions(samples, found, item.name, 0.5)
        assert item.map50_voc07 == pytest.approx(eleven, abs=1e-12)
        assert item.map50_area == pytest.approx(surface, abs=1e-12)
        steps = [slow_average_precisions(samples, found, item.name, round(0.5 + 0.05 * k, 2))[1] for k in range(10)]
        assert item.map50_95_area == pytest.approx(sum(steps) / 10, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_order_of_the_rows_decides_nothing(seed: int, whole_numbers: bool) -> None:
    samples, found = random_scene(seed, whole_numbers=whole_numbers)
    order = np.random.default_rng(seed).permutation(len(found))
    shuffled = Found(found.images[order], found.classes[order], found.scores[order], found.polygons[order])
    first = evaluate_detections(samples, found, classes=CLASSES)
    assert evaluate_detections(samples, shuffled, classes=CLASSES).to_json() == first.to_json()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_the_truth_itself_is_perfect(seed: int) -> None:
    samples, _ = random_scene(seed, whole_numbers=False)
    names = np.asarray([name for sample in samples for name in sample.classes], dtype=np.str_)
    images = np.repeat([sample.name for sample in samples], [len(sample) for sample in samples])
    polygons = np.concatenate([sample.polygons for sample in samples])
    found = Found(images.astype(np.str_), names, np.full(len(names), 0.5), polygons)
    for item in evaluate_detections(samples, found, classes=CLASSES).classes:
        if item.truths:
            assert (item.map50_voc07, item.map50_area, item.map50_95_area) == pytest.approx((1.0, 1.0, 1.0))
