"""Exact overlap of raw quadrilaterals, as annotators draw them: either orientation, dented or self-crossing ones too.

A dented quadrilateral is cut into two triangles at its dent. A self-crossing one counts as the two triangles that meet
at the crossing, like shapely's `make_valid`. Convex pieces are clipped one by another (Sutherland and Hodgman, 1974).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.boxes.compiled import compiled
from swathe.boxes.convention import FloatArray, as_rows
from swathe.errors import UsageError

MOST_CORNERS = 16  # a quadrilateral clipped by four lines has at most 8 corners; the rest is room for degenerate input


def polygon_iou(p: npt.ArrayLike, q: npt.ArrayLike) -> FloatArray:
    """Compute intersection over union of quadrilateral i of `p` and quadrilateral i of `q`.

    Args:
        p: Corners (n, 4, 2) as (x, y) in pixels, in either orientation.
        q: Corners (n, 4, 2).

    Returns:
        Ratios (n,) in [0, 1]; 0 if a quadrilateral has no area.

    Raises:
        UsageError: If a shape is another one, a value is not finite, or the lengths differ.
    """
    first, second = as_rows(p, (4, 2), "p"), as_rows(q, (4, 2), "q")
    if len(first) != len(second):
        raise UsageError(
            f"p and q are compared row by row, but have {len(first)} and {len(second)} rows; use polygon_iou_matrix"
        )
    return _paired(*_prepare(first), *_prepare(second))


def polygon_iou_matrix(p: npt.ArrayLike, q: npt.ArrayLike) -> FloatArray:
    """Compute intersection over union of each quadrilateral of `p` with each of `q`.

    Args:
        p: Corners (n, 4, 2) as (x, y) in pixels, in either orientation.
        q: Corners (m, 4, 2).

    Returns:
        Ratios (n, m) in [0, 1]; 0 if a quadrilateral has no area.

    Raises:
        UsageError: If a shape is another one or a value is not finite.
    """
    return _matrix(*_prepare(as_rows(p, (4, 2), "p")), *_prepare(as_rows(q, (4, 2), "q")))


@compiled
def _turn(a: FloatArray, b: FloatArray, c: FloatArray) -> float:
    """Twice the signed area of the triangle a, b, c."""
    return float((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]))


@compiled
def _area(corners: FloatArray, count: int) -> float:
    """Signed area of the first corners; relative to one of them, so that it does not suffer far from the origin."""
    total = 0.0
    for i in range(1, count - 1):
        total += _turn(corners[0], corners[i], corners[i + 1])
    return 0.5 * total


@compiled
def _write(piece: FloatArray, corner: int, x: float, y: float) -> None:
    """Set one corner of a piece."""
    piece[corner, 0], piece[corner, 1] = x, y


@compiled
def _dent(quad: FloatArray) -> int:
    """The corner that turns against the three others; -1 for a convex, -2 for a self-crossing quadrilateral."""
    left, right, last_left, last_right = 0, 0, 0, 0
    for i in range(4):
        turn = _turn(quad[i - 1], quad[i], quad[(i + 1) % 4])
        if turn > 0.0:
            left, last_left = left + 1, i
        elif turn < 0.0:
            right, last_right = right + 1, i
    if left == 0 or right == 0:
        return -1
    if left == right == 2:
        return -2
    return last_right if right <= left else last_left


@compiled
def _cross(quad: FloatArray, start: int) -> float:
    """Where along the opposite side (0 to 1) the side that begins at corner `start` is crossed; -1 if it is not."""
    a, b, c, d = quad[start], quad[start + 1], quad[start + 2], quad[(start + 3) % 4]
    before, after = _turn(a, b, c), _turn(a, b, d)
    if before == after or before * after > 0.0 or _turn(c, d, a) * _turn(c, d, b) > 0.0:
        return -1.0
    return before / (before - after)


@compiled
def _split(quad: FloatArray, pieces: FloatArray) -> None:
    """Write the convex pieces (2, 4, 2) of a quadrilateral (4, 2); the second is empty for a convex one."""
    dent = _dent(quad)
    start = 0 if dent != -2 or _cross(quad, 0) >= 0.0 else 1
    for k in range(2):
        if dent == -1:
            for i in range(4):
                _write(pieces[k], i, quad[i * (1 - k), 0], quad[i * (1 - k), 1])
            continue
        first, second, third = dent, dent + k + 1, dent + k + 2
        if dent == -2:
            first, second, third = start + 2, start + 1 + 2 * k, start + 2 + 2 * k
        _write(pieces[k], 1, quad[second % 4, 0], quad[second % 4, 1])
        _write(pieces[k], 2, quad[third % 4, 0], quad[third % 4, 1])
        x, y = quad[first % 4, 0], quad[first % 4, 1]
        if dent == -2:
            part, end = max(_cross(quad, start), 0.0), (start + 3) % 4
            x, y = x + (quad[end, 0] - x) * part, y + (quad[end, 1] - y) * part
        _write(pieces[k], 0, x, y)
        _write(pieces[k], 3, x, y)


@compiled
def _orient(piece: FloatArray) -> float:
    """Reverse a piece whose area is negative; returns its area."""
    area = _area(piece, 4)
    if area < 0.0:
        for i in range(2):
            x, y = piece[i, 0], piece[i, 1]
            _write(piece, i, piece[3 - i, 0], piece[3 - i, 1])
            _write(piece, 3 - i, x, y)
    return abs(area)


@compiled
def _prepare(quads: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Convex pieces (n, 2, 4, 2) of quadrilaterals (n, 4, 2); areas of the pieces and hulls (n, 6): xmin .. ymax."""
    pieces, summary = np.empty((len(quads), 2, 4, 2)), np.empty((len(quads), 6))
    for i in range(len(quads)):
        _split(quads[i], pieces[i])
        summary[i, 0], summary[i, 1] = _orient(pieces[i, 0]), _orient(pieces[i, 1])
        summary[i, 2], summary[i, 3] = quads[i, :, 0].min(), quads[i, :, 1].min()
        summary[i, 4], summary[i, 5] = quads[i, :, 0].max(), quads[i, :, 1].max()
    return pieces, summary


@compiled
def _cut(corners: FloatArray, count: int, a: FloatArray, b: FloatArray, kept: FloatArray) -> int:
    """Write the part of a convex polygon that lies left of the line ab; returns its number of corners."""
    total, dx, dy = 0, b[0] - a[0], b[1] - a[1]
    x, y = corners[count - 1, 0], corners[count - 1, 1]
    side = dx * (y - b[1]) - dy * (x - b[0])
    for i in range(count):
        next_x, next_y = corners[i, 0], corners[i, 1]
        next_side = dx * (next_y - b[1]) - dy * (next_x - b[0])
        if side * next_side < 0.0:
            part = side / (side - next_side)
            kept[total, 0], kept[total, 1] = x + (next_x - x) * part, y + (next_y - y) * part
            total += 1
        if next_side >= 0.0:
            kept[total, 0], kept[total, 1] = next_x, next_y
            total += 1
        x, y, side = next_x, next_y, next_side
    return total


@compiled
def _shared(p: FloatArray, q: FloatArray, work: FloatArray) -> float:
    """Area common to two convex pieces (4, 2); `work` (2, MOST_CORNERS, 2) is scratch memory."""
    for i in range(4):
        work[0, i, 0], work[0, i, 1] = p[i, 0], p[i, 1]
    count, now = 4, 0
    for i in range(4):
        after = (i + 1) % 4
        if count > 0 and (q[i, 0] != q[after, 0] or q[i, 1] != q[after, 1]):
            count = _cut(work[now], count, q[i], q[after], work[1 - now])
            now = 1 - now
    return max(_area(work[now], count), 0.0)


@compiled
def _ratio(p: FloatArray, about_p: FloatArray, q: FloatArray, about_q: FloatArray, work: FloatArray) -> float:
    """Intersection over union of two prepared quadrilaterals: convex pieces (2, 4, 2) and their summary (6,)."""
    for axis in range(2):
        if about_p[4 + axis] <= about_q[2 + axis] or about_q[4 + axis] <= about_p[2 + axis]:
            return 0.0
    shared = 0.0
    for k in range(2):
        for m in range(2):
            if about_p[k] > 0.0 and about_q[m] > 0.0:
                shared += _shared(p[k], q[m], work)
    both = about_p[0] + about_p[1] + about_q[0] + about_q[1]
    return min(shared / (both - shared), 1.0) if shared > 0.0 else 0.0


@compiled
def _paired(p: FloatArray, about_p: FloatArray, q: FloatArray, about_q: FloatArray) -> FloatArray:
    """Intersection over union of each pair of prepared quadrilaterals."""
    ratios, work = np.empty(len(p)), np.empty((2, MOST_CORNERS, 2))
    for i in range(len(p)):
        ratios[i] = _ratio(p[i], about_p[i], q[i], about_q[i], work)
    return ratios


@compiled
def _matrix(p: FloatArray, about_p: FloatArray, q: FloatArray, about_q: FloatArray) -> FloatArray:
    """Intersection over union (n, m) of each of n with each of m prepared quadrilaterals."""
    ratios, work = np.empty((len(p), len(q))), np.empty((2, MOST_CORNERS, 2))
    for i in range(len(p)):
        for j in range(len(q)):
            ratios[i, j] = _ratio(p[i], about_p[i], q[j], about_q[j], work)
    return ratios
