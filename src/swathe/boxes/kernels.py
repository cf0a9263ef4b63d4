"""Compiled loops over rectangles: shared area, a grid of many levels, greedy suppression, cover, overlapping pairs.

They stand in one file because numba's cache notices changes per file (see `swathe.boxes.compiled`).

Area: in the frame of one rectangle, [-a, a] x [-b, b], Green's theorem turns the area shared with a polygon into a sum
over the polygon's edges: the integral of clamp(x, -a, a) dy over the part of the edge with |y| <= b. Nothing is stored,
nothing is sorted, and every quotient lies in [0, 1], so touching and coinciding edges need no special case.

Grid: a rectangle lives on the level whose cell is at least as wide as its hull and less than four times as wide, in the
cell of its centre. The cells of a level are folded onto a table of two to four buckets per rectangle, so memory is
linear however far apart the rectangles lie; one huge rectangle only adds a level.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from swathe.boxes.compiled import compiled

if TYPE_CHECKING:
    from swathe.boxes.convention import FloatArray, IndexArray

# Columns of a described rectangle; 8 of them fill one cache line.
X, Y, HALF_W, HALF_H, COSINE, SINE, HALF_HULL_W, HALF_HULL_H = range(8)
COLUMNS = 8
LEVELS = 16
LEVEL_RATIO = 4.0
SAFETY = 1e-9  # relative slack of the quick bounds, far above their rounding
NOISE = 1e-15  # shared area below this times the squared sum of the sides is rounding of touching sides
DROPPED, KEPT, OPEN = range(3)  # what suppression says of a rectangle


@compiled
def describe(boxes: FloatArray, order: IndexArray) -> FloatArray:
    """Gather boxes (n, 5) in an order and precompute what every comparison needs: (n, 8), see the columns above."""
    rows = np.empty((len(order), COLUMNS))
    for i in range(len(order)):
        box = boxes[order[i]]
        half_w, half_h, cosine, sine = 0.5 * box[2], 0.5 * box[3], math.cos(box[4]), math.sin(box[4])
        rows[i, X], rows[i, Y], rows[i, HALF_W], rows[i, HALF_H] = box[0], box[1], half_w, half_h
        rows[i, COSINE], rows[i, SINE] = cosine, sine
        rows[i, HALF_HULL_W] = half_w * abs(cosine) + half_h * abs(sine)
        rows[i, HALF_HULL_H] = half_w * abs(sine) + half_h * abs(cosine)
    return rows


@compiled
def _excess(start: float, end: float, bound: float) -> float:
    """Mean over a segment from start to end of what exceeds the bound."""
    high, low = max(start, end) - bound, min(start, end) - bound
    if high <= 0.0:
        return 0.0
    return 0.5 * (high + low) if low >= 0.0 else 0.5 * high * high / (high - low)


@compiled
def _edge_integral(x1: float, y1: float, x2: float, y2: float, a: float, b: float) -> float:
    """Integral of clamp(x, -a, a) dy along the part of an edge with |y| <= b."""
    start, end = min(max(y1, -b), b), min(max(y2, -b), b)
    if start == end:
        return 0.0
    slope = (x2 - x1) / (y2 - y1)
    left, right = x1 + (start - y1) * slope, x2 + (end - y2) * slope
    mean = 0.5 * (left + right) - _excess(left, right, a) + _excess(-left, -right, a)
    return mean * (end - start)


@compiled
def _comes_first(p: FloatArray, q: FloatArray) -> bool:
    """Whether p's frame is used for the pair: an arbitrary total order that makes results exactly symmetric."""
    for column in (HALF_W, HALF_H, COSINE, SINE, X, Y):
        if p[column] != q[column]:
            return bool(p[column] > q[column])
    return True


@compiled
def shared_area(p: FloatArray, q: FloatArray) -> float:
    """Area common to two described rectangles (8,), square pixels; 0 if either has no area."""
    if not _comes_first(p, q):
        p, q = q, p
    dx, dy = q[X] - p[X], q[Y] - p[Y]
    if abs(dx) >= p[HALF_HULL_W] + q[HALF_HULL_W] or abs(dy) >= p[HALF_HULL_H] + q[HALF_HULL_H]:
        return 0.0
    x, y = dx * p[COSINE] + dy * p[SINE], dy * p[COSINE] - dx * p[SINE]
    cosine, sine = p[COSINE] * q[COSINE] + p[SINE] * q[SINE], p[COSINE] * q[SINE] - p[SINE] * q[COSINE]
    wx, wy, hx, hy = q[HALF_W] * cosine, q[HALF_W] * sine, -q[HALF_H] * sine, q[HALF_H] * cosine
    a, b = p[HALF_W], p[HALF_H]
    area = (
        _edge_integral(x - wx - hx, y - wy - hy, x + wx - hx, y + wy - hy, a, b)
        + _edge_integral(x + wx - hx, y + wy - hy, x + wx + hx, y + wy + hy, a, b)
        + _edge_integral(x + wx + hx, y + wy + hy, x - wx + hx, y - wy + hy, a, b)
        + _edge_integral(x - wx + hx, y - wy + hy, x - wx - hx, y - wy - hy, a, b)
    )
    sides = p[HALF_W] + p[HALF_H] + q[HALF_W] + q[HALF_H]
    if area <= NOISE * sides * sides:
        return 0.0
    return float(min(area, 4.0 * p[HALF_W] * p[HALF_H], 4.0 * q[HALF_W] * q[HALF_H]))


@compiled
def _frame_bound(p: FloatArray, q: FloatArray, cosine: float, sine: float) -> float:
    """Area of p that the hull of q in p's frame covers; cosine and sine are absolute values for the angle between."""
    dx, dy = q[X] - p[X], q[Y] - p[Y]
    x, y = dx * p[COSINE] + dy * p[SINE], dy * p[COSINE] - dx * p[SINE]
    reach_x, reach_y = q[HALF_W] * cosine + q[HALF_H] * sine, q[HALF_W] * sine + q[HALF_H] * cosine
    width = min(p[HALF_W], x + reach_x) - max(-p[HALF_W], x - reach_x)
    height = min(p[HALF_H], y + reach_y) - max(-p[HALF_H], y - reach_y)
    return float(max(width, 0.0) * max(height, 0.0))


@compiled
def ratio(p: FloatArray, q: FloatArray) -> float:
    """Intersection over union of two described rectangles (8,), in [0, 1]."""
    shared = shared_area(p, q)
    if shared == 0.0:
        return 0.0
    return float(min(shared / (4.0 * (p[HALF_W] * p[HALF_H] + q[HALF_W] * q[HALF_H]) - shared), 1.0))


@compiled
def _exceeds(p: FloatArray, q: FloatArray, threshold: float) -> bool:
    """Whether the ratio of two rectangles is above the threshold; two cheap bounds decide most pairs."""
    both = 4.0 * (p[HALF_W] * p[HALF_H] + q[HALF_W] * q[HALF_H])
    enough = threshold * both / (1.0 + threshold) * (1.0 - SAFETY)  # ratio > threshold needs a shared area above this
    cosine = abs(p[COSINE] * q[COSINE] + p[SINE] * q[SINE])
    sine = abs(p[COSINE] * q[SINE] - p[SINE] * q[COSINE])
    if _frame_bound(p, q, cosine, sine) <= enough or _frame_bound(q, p, cosine, sine) <= enough:
        return False
    return ratio(p, q) > threshold


@compiled
def _covers(p: FloatArray, q: FloatArray, threshold: float) -> bool:
    """Whether two rectangles share more than a share of the smaller one's area."""
    return bool(shared_area(p, q) > threshold * 4.0 * min(p[HALF_W] * p[HALF_H], q[HALF_W] * q[HALF_H]))


class Cells(NamedTuple):
    """The grid over one set of rectangles; arrays with LEVELS entries describe the levels."""

    x: float  # left edge, pixels
    y: float  # top edge, pixels
    sizes: FloatArray  # side of a cell, pixels
    columns: IndexArray  # cells in a row of the level
    lines: IndexArray  # rows of cells
    first: IndexArray  # first bucket of the level's table
    buckets: IndexArray  # size of the table, a power of two, 0 for an unused level
    levels: npt.NDArray[np.int8]  # (n,) level of each rectangle
    keys: IndexArray  # (n,) unfolded cell of each inserted rectangle
    heads: npt.NDArray[np.int32]  # latest rectangle of each bucket, -1 for none
    links: npt.NDArray[np.int32]  # (n,) rectangle inserted before it in its bucket, -1 for none


@compiled
def _levels(rows: FloatArray, sizes: FloatArray) -> npt.NDArray[np.int8]:
    """Level of each rectangle: the last one whose cell is not narrower than its hull."""
    levels = np.empty(len(rows), np.int8)
    for i in range(len(rows)):
        extent, level = 2.0 * max(rows[i, HALF_HULL_W], rows[i, HALF_HULL_H]), 0
        while level + 1 < LEVELS and extent <= sizes[level + 1]:
            level += 1
        levels[i] = level
    return levels


@compiled
def lay_out(rows: FloatArray) -> Cells:
    """Make an empty grid that can take up any of the described rectangles (n, 8), n >= 1."""
    left, right, top, bottom, extent = np.inf, -np.inf, np.inf, -np.inf, 0.0
    for i in range(len(rows)):
        left, right = min(left, rows[i, X]), max(right, rows[i, X])
        top, bottom = min(top, rows[i, Y]), max(bottom, rows[i, Y])
        extent = max(extent, rows[i, HALF_HULL_W], rows[i, HALF_HULL_H])
    largest = max(2.0 * extent, max(right - left, bottom - top) / 2.0**20, 1e-6)  # keeps cell numbers within int64
    sizes = np.empty(LEVELS)
    for level in range(LEVELS):
        sizes[level] = largest / LEVEL_RATIO**level
    levels = _levels(rows, sizes)
    columns, lines = np.empty(LEVELS, np.int64), np.empty(LEVELS, np.int64)
    first, buckets = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64)
    population, total = np.bincount(levels, minlength=LEVELS), 0
    for level in range(LEVELS):
        columns[level] = int((right - left) / sizes[level]) + 1
        lines[level] = int((bottom - top) / sizes[level]) + 1
        first[level] = total
        if population[level] > 0:
            buckets[level] = 2
            while buckets[level] < 2 * population[level]:
                buckets[level] *= 2
        total += buckets[level]
    heads, links = np.full(total, -1, np.int32), np.empty(len(rows), np.int32)
    keys = np.empty(len(rows), np.int64)
    return Cells(left, top, sizes, columns, lines, first, buckets, levels, keys, heads, links)


@compiled
def insert(cells: Cells, rows: FloatArray, i: int) -> None:
    """Put rectangle i of the rows the grid was laid out for into it."""
    level = cells.levels[i]
    column = int((rows[i, X] - cells.x) / cells.sizes[level])
    line = int((rows[i, Y] - cells.y) / cells.sizes[level])
    key = column + line * (cells.columns[level] | 1)  # an odd stride folds lines and columns evenly onto the table
    bucket = cells.first[level] + (key & (cells.buckets[level] - 1))
    cells.keys[i], cells.links[i], cells.heads[bucket] = key, cells.heads[bucket], i


@compiled
def _reached_cells(cells: Cells, rows: FloatArray, i: int, level: int) -> tuple[int, int, int, int]:
    """Columns and lines of a level that may hold partners of rectangle i of any rows: left, right, top, bottom."""
    size = cells.sizes[level]
    x, reach_x = rows[i, X] - cells.x, rows[i, HALF_HULL_W] + 0.5 * size
    y, reach_y = rows[i, Y] - cells.y, rows[i, HALF_HULL_H] + 0.5 * size
    if x + reach_x < 0.0 or y + reach_y < 0.0:
        return 0, -1, 0, -1
    left, right = max((x - reach_x) / size, 0.0), min((x + reach_x) / size, cells.columns[level] - 1.0)
    top, bottom = max((y - reach_y) / size, 0.0), min((y + reach_y) / size, cells.lines[level] - 1.0)
    if left >= right + 1.0 or top >= bottom + 1.0:
        return 0, -1, 0, -1
    return int(left), int(right), int(top), int(bottom)


@compiled
def collect(
    cells: Cells,
    rows: FloatArray,
    others: FloatArray,
    i: int,
    smallest: float,
    largest: float,
    found: npt.NDArray[np.int32],
) -> int:
    """Find the inserted rectangles whose hull meets the hull of another one.

    Args:
        cells: The grid.
        rows: Described rectangles (n, 8) it was laid out for.
        others: Described rectangles (m, 8), the same ones or not.
        i: The one of `others` to find partners for.
        smallest: Levels with cells up to this side, in pixels, are left out.
        largest: Levels with cells from this side on are left out.
        found: Takes the indices into `rows`, each once; (n,).

    Returns:
        The number of indices found.
    """
    count, x, y, half_w, half_h = 0, others[i, X], others[i, Y], others[i, HALF_HULL_W], others[i, HALF_HULL_H]
    for level in range(LEVELS):
        size, first, mask = cells.sizes[level], cells.first[level], cells.buckets[level] - 1
        # The last level also holds everything smaller than its cells, so only its upper size means something.
        if mask < 0 or size <= smallest or (size >= largest and level + 1 < LEVELS):
            continue
        left, right, top, bottom = _reached_cells(cells, others, i, level)
        stride = cells.columns[level] | 1
        everything = float(right - left + 1) * float(bottom - top + 1) > mask
        if everything:  # fewer buckets than cells: look at each bucket once
            left, right, top, bottom = 0, mask, 0, 0
        for line in range(top, bottom + 1):
            for key in range(left + line * stride, right + line * stride + 1):
                entry = cells.heads[first + (key & mask)]
                while entry >= 0:
                    if (
                        abs(rows[entry, X] - x) < rows[entry, HALF_HULL_W] + half_w
                        and abs(rows[entry, Y] - y) < rows[entry, HALF_HULL_H] + half_h
                        and (everything or cells.keys[entry] == key)
                    ):
                        found[count] = entry
                        count += 1
                    entry = cells.links[entry]
    return count


@compiled
def _settle_group(
    rows: FloatArray,
    threshold: float,
    smaller: bool,
    complete: npt.NDArray[np.bool_],
    states: npt.NDArray[np.int8],
) -> None:
    """Greedy suppression of one class: rows by falling score, `states` (n,) is filled in; see `settle`."""
    cells, found = lay_out(rows), np.empty(len(rows), np.int32)
    for i in range(len(rows)):
        probe, states[i] = rows[i], KEPT
        long, short = max(probe[HALF_W], probe[HALF_H]), min(probe[HALF_W], probe[HALF_H])
        if short == 0.0:
            continue  # no area: it overlaps nothing, now or later
        if not complete[i]:
            states[i] = OPEN
        # What two rectangles share is no longer than the diagonal of one, so their ratio is at most that diagonal over
        # the long side of the other. Hull side, long side and diagonal differ by at most a factor of sqrt(2).
        smallest = threshold * 2.0 * long / math.sqrt(2.0) * (1.0 - SAFETY)
        diagonal = 2.0 * math.sqrt(long * long + short * short)
        largest = diagonal * math.sqrt(2.0) * LEVEL_RATIO / threshold * (1.0 + SAFETY)
        if smaller:  # a small one may lie in one of any size
            smallest, largest = 0.0, np.inf
        for k in range(collect(cells, rows, rows, i, smallest, largest, found)):
            better = found[k]
            if _covers(rows[better], probe, threshold) if smaller else _exceeds(rows[better], probe, threshold):
                if states[better] == KEPT:
                    states[i] = DROPPED
                    break
                states[i] = OPEN
        if states[i] != DROPPED:
            insert(cells, rows, i)


@compiled
def settle(
    rows: FloatArray,
    starts: IndexArray,
    threshold: float,
    smaller: bool,
    complete: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int8]:
    """Greedy suppression as far as it can be decided while some rectangles are still to come.

    A rectangle is dropped as soon as a kept one exceeds the threshold with it. It is kept when nothing that is to come
    can touch it and every better one that exceeds the threshold with it is dropped. Else it stays open.

    Args:
        rows: Described rectangles (n, 8): groups one after the other, by falling score within each.
        starts: First row of each group, and the end of the last one.
        threshold: Largest tolerated ratio.
        smaller: Whether the ratio is that of the shared area to the smaller rectangle, not to the union.
        complete: (n,) true where nothing that is to come can touch the rectangle.

    Returns:
        (n,) DROPPED, KEPT or OPEN; none is open if all are complete.
    """
    states = np.full(len(rows), KEPT, np.int8)
    for group in range(len(starts) - 1):
        start, stop = starts[group], starts[group + 1]
        if stop > start:
            _settle_group(rows[start:stop], threshold, smaller, complete[start:stop], states[start:stop])
    return states


@compiled
def covered(
    rows: FloatArray,
    groups: IndexArray,
    weights: FloatArray,
    probes: IndexArray,
    least_weights: FloatArray,
    share: float,
) -> npt.NDArray[np.bool_]:
    """Tell which rectangles a heavier one of their group covers by more than a share of their area.

    Args:
        rows: Described rectangles (n, 8), n >= 1.
        groups: (n,) only rectangles of one group count for each other.
        weights: (n,) weight of each rectangle.
        probes: (k,) rows to decide on.
        least_weights: (k,) weight that another one must exceed to count.
        share: Share of the probe's area.

    Returns:
        (k,) flags.
    """
    cells, found = lay_out(rows), np.empty(len(rows), np.int32)
    for i in range(len(rows)):
        insert(cells, rows, i)
    flags = np.zeros(len(probes), np.bool_)
    for k in range(len(probes)):
        i = probes[k]
        enough = share * (4.0 * rows[i, HALF_W] * rows[i, HALF_H])
        for entry in range(collect(cells, rows, rows, i, 0.0, np.inf, found)):
            other = found[entry]
            rival = other != i and groups[other] == groups[i] and weights[other] > least_weights[k]
            if rival and shared_area(rows[i], rows[other]) > enough:
                flags[k] = True
                break
    return flags


@compiled
def paired_areas(p: FloatArray, q: FloatArray) -> FloatArray:
    """Shared area of each pair of described rectangles (n, 8)."""
    areas = np.empty(len(p))
    for i in range(len(p)):
        areas[i] = shared_area(p[i], q[i])
    return areas


@compiled
def paired_ratios(p: FloatArray, q: FloatArray) -> FloatArray:
    """Intersection over union of each pair of described rectangles (n, 8)."""
    ratios = np.empty(len(p))
    for i in range(len(p)):
        ratios[i] = ratio(p[i], q[i])
    return ratios


@compiled
def all_ratios(p: FloatArray, q: FloatArray) -> FloatArray:
    """Intersection over union of each of the described rectangles p (n, 8) with each of q (m, 8)."""
    ratios = np.empty((len(p), len(q)))
    for i in range(len(p)):
        for j in range(len(q)):
            ratios[i, j] = ratio(p[i], q[j])
    return ratios


@compiled
def overlapping(p: FloatArray, q: FloatArray) -> tuple[IndexArray, FloatArray]:
    """Pairs (k, 2) of p (n, 8) and q (m, 8), m >= 1, that share area, by index in p, then in q; and the areas (k,)."""
    cells, found = lay_out(q), np.empty(len(q), np.int32)
    for j in range(len(q)):
        insert(cells, q, j)
    pairs, areas, total = np.empty((64, 2), np.int64), np.empty(64), 0
    for i in range(len(p)):
        count = collect(cells, q, p, i, 0.0, np.inf, found)
        if total + count > len(areas):
            room = 2 * (total + count)
            more_pairs, more_areas = np.empty((room, 2), np.int64), np.empty(room)
            more_pairs[:total], more_areas[:total] = pairs[:total], areas[:total]
            pairs, areas = more_pairs, more_areas
        for j in np.sort(found[:count]):
            area = shared_area(p[i], q[j])
            if area > 0.0:
                pairs[total, 0], pairs[total, 1], areas[total] = i, j, area
                total += 1
    return pairs[:total].copy(), areas[:total].copy()
