"""Spatial sort keys: rows that are near each other on the ground come near each other in a file."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
KeyArray: TypeAlias = npt.NDArray[np.uint64]

BITS = 16  # cells per axis are 2 ** BITS


def hilbert(columns: KeyArray, rows: KeyArray, bits: int = BITS) -> KeyArray:
    """Compute places along the Hilbert curve (Hilbert 1891), quadrant by quadrant from the largest.

    Args:
        columns: Cells (n,) along x, 0 to 2**bits - 1.
        rows: Cells (n,) along y, 0 to 2**bits - 1.
        bits: Binary digits per axis, at most 32.

    Returns:
        Places (n,), 0 to 4**bits - 1; neighbouring places are neighbouring cells.
    """
    x, y = columns.astype(np.uint64), rows.astype(np.uint64)
    place = np.zeros(len(x), dtype=np.uint64)
    last = np.uint64((1 << bits) - 1)
    for bit in range(bits - 1, -1, -1):
        right, upper = (x >> np.uint64(bit)) & np.uint64(1), (y >> np.uint64(bit)) & np.uint64(1)
        place += ((np.uint64(3) * right) ^ upper) << np.uint64(2 * bit)
        # The curve enters the lower quadrants turned: the right one is mirrored, then both are transposed.
        mirror = (upper == 0) & (right == 1)
        x, y = np.where(mirror, last - x, x), np.where(mirror, last - y, y)
        x, y = np.where(upper == 0, y, x), np.where(upper == 0, x, y)
    return place


def spatial_keys(hulls: FloatArray) -> KeyArray:
    """Compute sort keys of rectangles from their centres, on a grid over all of them.

    Args:
        hulls: Rectangles (n, 4) as xmin, ymin, xmax, ymax in any coordinates.

    Returns:
        Hilbert places (n,) of the centres.
    """
    if not len(hulls):
        return np.empty(0, dtype=np.uint64)
    centres = 0.5 * (hulls[:, :2] + hulls[:, 2:])
    low = centres.min(axis=0)
    span = np.maximum(centres.max(axis=0) - low, np.finfo(np.float64).tiny)
    cells = ((centres - low) / span * (2**BITS - 1)).astype(np.uint64)
    return hilbert(cells[:, 0], cells[:, 1])
