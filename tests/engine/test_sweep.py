"""The merge part by part equals the merge of everything at once, bit for bit."""

from __future__ import annotations

import math
from dataclasses import fields
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.boxes import canonical, hulls
from swathe.engine import sweep
from swathe.engine.parts import Part
from swathe.engine.raw import RawDetections
from swathe.engine.seam import canonical_order, merge
from swathe.engine.settings import RunSettings
from swathe.engine.sweep import Sweep, merge_parts

IDENTICAL = st.integers(0, 10_000)


def random_raw(seed: int, count: int, *, height: float = 400.0, largest: float = 40.0) -> RawDetections:
    """Boxes of very different sizes that overlap a lot, with many equal scores, some rows twice."""
    random = np.random.default_rng(seed)
    boxes = np.column_stack(
        [
            random.uniform(0, 80, count),
            random.uniform(0, height, count),
            largest * random.uniform(0.02, 1.0, (count, 2)) ** 2,
            random.uniform(-math.pi / 2, math.pi / 2, count),
        ]
    )
    raw = RawDetections(
        canonical(boxes),
        random.choice([0.3, 0.5, 0.7, 0.9], count) if seed % 2 else random.random(count),
        random.integers(0, 2, count),
        random.random(count) < 0.4,
    )
    return raw.take(random.integers(0, count, count)) if seed % 3 == 0 else raw


def values(rows: RawDetections) -> list[bytes]:
    """The rows' values in an order of their own, as bytes."""
    rows = rows.take(canonical_order(rows.boxes, rows.scores, rows.classes, rows.cut))
    return [getattr(rows, field.name).tobytes() for field in fields(rows)]


def at_once(raw: RawDetections, merge_iou: float, give_way: float) -> RawDetections:
    return raw.take(merge(raw.boxes, raw.scores, raw.classes, raw.cut, merge_iou=merge_iou, give_way=give_way))


def tops(raw: RawDetections) -> np.ndarray:
    return hulls(raw.boxes).reshape(-1, 4)[:, 1]


@given(
    seed=IDENTICAL,
    count=st.integers(1, 250),
    steps=st.integers(1, 12),
    largest=st.sampled_from([5.0, 40.0, 500.0]),
    merge_iou=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    give_way=st.sampled_from([0.0, 0.45, 0.9]),
)
@settings(max_examples=100, deadline=None)
def test_from_top_to_bottom_equals_at_once(
    seed: int, count: int, steps: int, largest: float, merge_iou: float, give_way: float
) -> None:
    raw = random_raw(seed, count, largest=largest)
    edges = [*np.quantile(tops(raw), np.linspace(0, 1, steps + 1))[1:-1].tolist(), math.inf]
    machine, kept, above = Sweep(RunSettings(merge_iou=merge_iou, give_way=give_way)), [], -math.inf
    for edge in edges:
        rows = np.flatnonzero((tops(raw) >= above) & (tops(raw) < edge))
        kept.append(machine.advance(raw.take(rows), edge))
        above = edge
    assert len(machine) == 0
    assert values(RawDetections.concat(kept)) == values(at_once(raw, merge_iou, give_way))


@given(seed=IDENTICAL, count=st.integers(0, 200), parts=st.integers(1, 30), round_rows=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_parts_in_any_order_equal_at_once(seed: int, count: int, parts: int, round_rows: int) -> None:
    raw = random_raw(seed, count) if count else RawDetections.empty()
    random = np.random.default_rng(seed)
    # Neighbouring rows share a part, as windows in rows do, with some strays; some parts are empty.
    owner = np.clip((tops(raw) / 400 * parts + random.normal(0, 1, len(raw))).astype(int), 0, parts - 1)
    pieces = {number: Part(raw.take(np.flatnonzero(owner == number)), skipped=number) for number in range(parts)}
    order = random.permutation(parts).tolist()
    with mock.patch.object(sweep, "ROUND_ROWS", round_rows):
        merged = merge_parts(pieces.__getitem__, order, RunSettings())
    assert values(merged.kept) == values(at_once(raw, 0.2, 0.45))
    assert (merged.raw, merged.skipped) == (len(raw), sum(range(parts)))


def column_of_boxes(scores: np.ndarray) -> RawDetections:
    """A chain from top to bottom in which each box overlaps the next one by IoU 1/3."""
    count = len(scores)
    boxes = np.column_stack([np.full(count, 50.0), np.arange(count) * 10.0, np.full((count, 2), 20.0), np.zeros(count)])
    zeros = np.zeros(count, dtype=np.int64)
    return RawDetections(canonical(boxes), scores, zeros, np.zeros(count, dtype=bool))


@pytest.mark.parametrize("count", [7, 1000, 1001])
@pytest.mark.parametrize("rising", [True, False])
def test_a_chain_longer_than_any_margin_is_decided_from_its_best_end(count: int, rising: bool) -> None:
    """Every second box stays, counted from the best one; a halo of fixed width would lose count."""
    scores = np.linspace(0.1, 0.9, count)
    raw = column_of_boxes(scores if rising else scores[::-1])
    machine, kept, held = Sweep(RunSettings()), [], 0
    for start in range(0, count, 5):
        line = math.inf if start + 5 >= count else float(tops(raw)[start + 5])
        kept.append(machine.advance(raw.take(np.arange(start, min(start + 5, count))), line))
        held = max(held, len(machine))
    rows = RawDetections.concat(kept)
    best_first = np.arange(count)[::-1] if rising else np.arange(count)
    assert sorted(rows.boxes[:, 1].tolist()) == sorted((best_first[::2] * 10.0).tolist())
    assert held > count - 10 if rising else held < 10, "only scores that rise all the way down make boxes wait"


def test_held_back_detections_do_not_grow_with_the_scene() -> None:
    held = []
    for height in (4_000.0, 40_000.0):
        raw = random_raw(1, int(height), height=height, largest=30.0)
        raw = raw.take(np.argsort(tops(raw)))
        machine, most = Sweep(RunSettings()), 0
        for start in range(0, len(raw), 500):
            line = float(tops(raw)[start + 500]) if start + 500 < len(raw) else math.inf
            machine.advance(raw.take(np.arange(start, min(start + 500, len(raw)))), line)
            most = max(most, len(machine))
        held.append(most)
    assert held[1] < 1.5 * held[0] + 100


def test_a_dropped_detection_still_takes_the_place_of_a_fragment_below() -> None:
    """The large whole box loses to a better one above; the fragment further down gives way to it all the same."""
    boxes = canonical(
        np.array([(50.0, 40.0, 60.0, 60.0, 0.0), (50.0, 50.0, 80.0, 60.0, 0.0), (50.0, 75.0, 20.0, 8.0, 0.0)])
    )
    raw = RawDetections(boxes, np.array([0.9, 0.5, 0.8]), np.zeros(3, dtype=np.int64), np.array([False, False, True]))
    machine = Sweep(RunSettings())
    first = machine.advance(raw.take(np.array([0, 1])), 71.0)
    rest = machine.advance(raw.take(np.array([2])), math.inf)
    assert first.scores.tolist() + rest.scores.tolist() == [0.9]


def test_a_single_window_is_not_thinned_out() -> None:
    raw = random_raw(5, 50)
    merged = merge_parts({3: Part(raw, skipped=0)}.__getitem__, [3], RunSettings(), single=True)
    assert values(merged.kept) == values(raw)
