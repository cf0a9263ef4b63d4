"""The merge in strips equals the merge of everything at once, bit for bit."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.boxes import canonical, hulls
from swathe.engine.parts import Part
from swathe.engine.raw import RawDetections
from swathe.engine.seam import canonical_order
from swathe.engine.settings import RunSettings
from swathe.engine.strips import MergedScene, Strip, merge_or_cut, merge_strip, settle_open

SEEDS = st.integers(0, 10_000)


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


def pieces_of(raw: RawDetections, count: int, seed: int) -> list[Part]:
    """Parts in which neighbouring rows lie together, as those of windows do, with strays; some are empty."""
    places = (raw.boxes[:, 1] / 400 * count + np.random.default_rng(seed).normal(0, 1, len(raw))).astype(int)
    owner = np.clip(places, 0, count - 1)
    return [Part(raw.take(np.flatnonzero(owner == number)), skipped=number) for number in range(count)]


def in_strips(parts: list[Part], size: tuple[int, int], most: int, settings: RunSettings) -> MergedScene:
    """Merge as the jobs of a scene do, the strips in any order."""
    outcome = merge_or_cut(parts, size, settings, most)
    if isinstance(outcome, MergedScene):
        return outcome
    assert [strip.high for strip in outcome.strips[:-1]] == [strip.low for strip in outcome.strips[1:]]
    assert len({name for strip in outcome.strips for name in strip.names}) == 2 * len(outcome.strips)
    done = [merge_strip([parts[place] for place in strip.batches], strip, settings) for strip in outcome.strips]
    last = settle_open(outcome.strips, [opened for _, opened in done], settings)
    return MergedScene(RawDetections.concat([*(kept for kept, _ in done), last]), outcome.raw, outcome.skipped)


def at_once(raw: RawDetections, settings: RunSettings) -> RawDetections:
    outcome = merge_or_cut([Part(raw, 0)], (1, 1), settings, len(raw))
    assert isinstance(outcome, MergedScene)
    return outcome.kept


@given(
    seed=SEEDS,
    count=st.integers(0, 250),
    parts=st.integers(1, 30),
    most=st.integers(1, 120),
    largest=st.sampled_from([5.0, 40.0, 500.0]),
    size=st.sampled_from([(80, 400), (1000, 400), (7, 5), (10_000_000, 1)]),
    settings_=st.builds(
        RunSettings,
        merge_iou=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
        merge_ios=st.sampled_from([None, 0.5]),
        across_classes=st.booleans(),
        give_way=st.sampled_from([0.0, 0.45, 0.9]),
    ),
)
@settings(max_examples=300, deadline=None)
def test_strips_equal_all_at_once(
    seed: int, count: int, parts: int, most: int, largest: float, size: tuple[int, int], settings_: RunSettings
) -> None:
    raw = random_raw(seed, count, largest=largest) if count else RawDetections.empty()
    merged = in_strips(pieces_of(raw, parts, seed), size, most, settings_)
    assert values(merged.kept) == values(at_once(raw, settings_))
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
    rows = in_strips(pieces_of(raw, 5, 0), (100, count * 10), 100, RunSettings()).kept
    best_first = np.arange(count)[::-1] if rising else np.arange(count)
    assert sorted(rows.boxes[:, 1].tolist()) == sorted((best_first[::2] * 10.0).tolist())


def test_a_strip_holds_its_share_and_what_reaches_into_it() -> None:
    raw = random_raw(1, 40_000, height=40_000.0, largest=30.0)
    outcome = merge_or_cut([Part(raw, 0)], (80, 40_000), RunSettings(), 2_000)
    assert not isinstance(outcome, MergedScene)
    assert len(outcome.strips) == 20
    for strip in outcome.strips:
        kept, opened = merge_strip([Part(raw, 0)], strip, RunSettings())
        tops = hulls(raw.boxes).reshape(-1, 4)[:, 1]
        assert ((tops >= strip.low) & (tops < strip.high)).sum() < 2_100
        assert len(opened) < 0.1 * len(kept), "few are open"


def test_a_dropped_detection_still_takes_the_place_of_a_fragment_below() -> None:
    """The large whole box loses to a better one above; the fragment further down gives way to it all the same."""
    boxes = canonical(
        np.array([(50.0, 40.0, 60.0, 60.0, 0.0), (50.0, 50.0, 80.0, 60.0, 0.0), (50.0, 75.0, 20.0, 8.0, 0.0)])
    )
    raw = RawDetections(boxes, np.array([0.9, 0.5, 0.8]), np.zeros(3, dtype=np.int64), np.array([False, False, True]))
    parts = [Part(raw, 0)]
    strips = [Strip(1, -math.inf, 72, (0,)), Strip(1, 72, math.inf, (0,))]
    (kept, first), (nothing, second) = (merge_strip(parts, strip, RunSettings()) for strip in strips)
    assert (kept.scores.tolist(), nothing.scores.tolist()) == ([0.9], [])
    assert settle_open(strips, [first, second], RunSettings()).scores.tolist() == []
