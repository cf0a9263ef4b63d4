"""Footprints as files want them: closed rings that go counter-clockwise, their hulls, and well-known binary."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatArray: TypeAlias = npt.NDArray[np.float64]

POLYGON = 3  # geometry type of the OGC Simple Features well-known binary
RING_POINTS = 5
_RECORD = np.dtype(
    [("little", "u1"), ("type", "<u4"), ("rings", "<u4"), ("points", "<u4"), ("xy", "<f8", (RING_POINTS, 2))]
)


def closed_rings(corners: FloatArray) -> FloatArray:
    """Close quadrilaterals and let them go counter-clockwise (x right, y up), as RFC 7946 and GeoParquet want it.

    Args:
        corners: Corners (n, 4, 2), in either direction.

    Returns:
        Rings (n, 5, 2) that begin and end with the first corner.
    """
    x, y = corners[..., 0], corners[..., 1]
    twice_area = ((x[:, 2] - x[:, 0]) * (y[:, 3] - y[:, 1])) - ((x[:, 3] - x[:, 1]) * (y[:, 2] - y[:, 0]))
    reversed_corners = corners[:, [0, 3, 2, 1]]
    turned = np.where((twice_area < 0)[:, None, None], reversed_corners, corners)
    return np.concatenate([turned, turned[:, :1]], axis=1)


def ring_hulls(rings: FloatArray) -> FloatArray:
    """Compute the axis-aligned rectangles around rings.

    Args:
        rings: Rings (n, k, 2).

    Returns:
        Rectangles (n, 4) as xmin, ymin, xmax, ymax.
    """
    return np.concatenate([rings.min(axis=1), rings.max(axis=1)], axis=1)


def to_wkb(rings: FloatArray) -> pa.BinaryArray:
    """Encode rings as well-known binary polygons, little-endian.

    Args:
        rings: Closed rings (n, 5, 2).

    Returns:
        Binary column of n polygons.
    """
    records = np.empty(len(rings), dtype=_RECORD)
    records["little"], records["type"], records["rings"], records["points"] = 1, POLYGON, 1, RING_POINTS
    records["xy"] = rings
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_RECORD.itemsize), len(rings), [None, pa.py_buffer(records.tobytes())]
    )
    return fixed.cast(pa.binary())
