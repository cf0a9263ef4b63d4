"""Places on the Z-order curve (Morton 1966): neighbours on the ground are mostly neighbours in the order of keys."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
CellArray: TypeAlias = npt.NDArray[np.uint64]

BITS = 31  # binary digits per axis
LONLAT = (-180.0, -90.0, 180.0, 90.0)  # degrees
PIXELS = (-(2.0**22), -(2.0**22), 2.0**22, 2.0**22)  # pixels; what lies outside is taken to the edge
MOST_RANGES = 12  # of keys for one question: each is a call, or several
_SPREAD = ((16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F), (2, 0x3333333333333333))
_LAST_SPREAD = (1, 0x5555555555555555)


def columns_and_rows(points: FloatArray, extent: tuple[float, float, float, float]) -> CellArray:
    """Return the column and row (n, 2) of points (n, 2) on the grid of 2**BITS cells per axis over an extent."""
    low, high = np.array(extent[:2]), np.array(extent[2:])
    shares = np.clip((points - low) / (high - low), 0.0, 1.0)
    return np.asarray(np.minimum(shares * 2.0**BITS, 2.0**BITS - 1), dtype=np.uint64)


def places(points: FloatArray, extent: tuple[float, float, float, float]) -> CellArray:
    """Compute the places of points along the curve.

    Args:
        points: Points (n, 2) as x, y.
        extent: xmin, ymin, xmax, ymax of the grid.

    Returns:
        Places (n,), 0 to 4**BITS - 1.
    """
    cells = columns_and_rows(points, extent)
    return _spread(cells[:, 0]) | (_spread(cells[:, 1]) << np.uint64(1))


def first_places(places: CellArray, level: int) -> CellArray:
    """Return the first place (n,) of the cell of 4**level places that holds each place (n,)."""
    shift = np.uint64(2 * level)
    return (places >> shift) << shift


def ranges(
    rectangles: FloatArray, extent: tuple[float, float, float, float], least: int = 0, most: int = MOST_RANGES
) -> list[tuple[int, int]]:
    """Cover rectangles by ranges of places, from the largest quadrants down.

    Args:
        rectangles: Rectangles (m, 4) as xmin, ymin, xmax, ymax.
        extent: xmin, ymin, xmax, ymax of the grid.
        least: Ranges are of whole cells of 4**least places.
        most: About how many ranges.

    Returns:
        First and last place of each range, sorted, without overlap; all points in the rectangles lie in them.
    """
    corners = columns_and_rows(rectangles.reshape(-1, 2), extent).reshape(-1, 4).astype(np.int64)
    whole: list[tuple[int, int]] = []  # quadrants inside of a rectangle: place of the first cell, level
    cut = [(0, 0, 0, BITS)] if len(corners) else []  # column, row, first place, level
    while cut and cut[0][3] > least and len(whole) + len(cut) < most:
        column, row, first, level = cut.pop(0)  # the largest: children are put at the end
        half = 1 << (level - 1)
        for quadrant in range(4):
            x, y = column + half * (quadrant & 1), row + half * (quadrant >> 1)
            touched = corners[(corners[:, :2] < (x + half, y + half)).all(1) & (corners[:, 2:] >= (x, y)).all(1)]
            if not len(touched):
                continue
            start = first + (quadrant << 2 * (level - 1))
            inside = (touched[:, :2] <= (x, y)).all(1) & (touched[:, 2:] >= (x + half - 1, y + half - 1)).all(1)
            if inside.any():
                whole.append((start, level - 1))
            else:
                cut.append((x, y, start, level - 1))
    found = sorted([*whole, *((first, level) for _, _, first, level in cut)])
    merged: list[tuple[int, int]] = []
    for first, level in found:
        last = first + (1 << 2 * level) - 1
        if merged and merged[-1][1] + 1 == first:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged


def _spread(values: CellArray) -> CellArray:
    """Put a zero between the binary digits of numbers below 2**32."""
    for shift, mask in (*_SPREAD, _LAST_SPREAD):
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
