"""Target assignment against the rule, one object and one cell at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.model.assign import assign, best_possible_recall

ANCHORS = torch.tensor([(10.0, 13.0), (16.0, 30.0), (33.0, 23.0)])


def slow_assign(targets: np.ndarray, shape: tuple[int, int], stride: int) -> set[tuple[int, int, int, int]]:
    """The rule in plain loops: (target, anchor, row, col)."""
    found = set()
    for number, (_, _, cx, cy, w, h, _) in enumerate(targets):
        for index, (long, short) in enumerate(ANCHORS.tolist()):
            if max(w / long, long / w, h / short, short / h) >= 4.0:
                continue
            x, y = cx / stride, cy / stride
            col, row = math.floor(x), math.floor(y)
            cells = [(row, col)]
            if x - col < 0.5:
                cells.append((row, col - 1))
            elif x - col > 0.5:
                cells.append((row, col + 1))
            if y - row < 0.5:
                cells.append((row - 1, col))
            elif y - row > 0.5:
                cells.append((row + 1, col))
            found |= {(number, index, r, c) for r, c in cells if 0 <= r < shape[0] and 0 <= c < shape[1]}
    return found


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.sampled_from([8, 16]))
def test_equals_the_rule(seed: int, count: int, stride: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 64 * 4, (count, 2)) / 4  # quarters: the middle of a cell comes up too
    targets = np.column_stack(
        (rng.integers(0, 3, count), np.zeros(count), centres, rng.uniform(2, 200, (count, 2)), np.zeros(count))
    ).astype(np.float32)
    shape = (64 // stride, 64 // stride)
    places = assign(torch.from_numpy(targets), ANCHORS, shape, stride)
    columns = (places.target, places.anchor, places.row, places.col)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert len(rows) == len(set(rows))
    assert set(rows) == slow_assign(targets, shape, stride)
    assert places.image.tolist() == targets[places.target.numpy(), 0].astype(int).tolist()


def test_recall_counts_objects_that_some_anchor_fits() -> None:
    sizes = torch.tensor([(10.0, 13.0), (39.0, 51.0), (500.0, 2.0)])
    assert best_possible_recall(sizes, ANCHORS) == float(torch.tensor(2 / 3))
    assert best_possible_recall(torch.empty(0, 2), ANCHORS) == 1.0
