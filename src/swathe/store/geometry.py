"""Footprints as files want them: outlines that go counter-clockwise."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]


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
