"""What a scene covers on the ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from swathe.detections.footprints import cut_at_antimeridian
from swathe.errors import SourceError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from swathe.detections.scene import SceneInfo

POINTS_PER_SIDE = 8  # of an outline, whose sides are curves in degrees


def outline_of(scene: SceneInfo) -> BaseGeometry | None:
    """Return what a scene covers.

    Args:
        scene: The scene.

    Returns:
        A shapely polygon or multipolygon in longitude and latitude; None without georeference, or if its reference
        system does not reach there.
    """
    if not scene.georeferenced:
        return None
    shares = np.linspace(0.0, 1.0, POINTS_PER_SIDE, endpoint=False)
    zeros, ones = np.zeros_like(shares), np.ones_like(shares)
    sides = [(shares, zeros), (ones, shares), (1.0 - shares, ones), (zeros, 1.0 - shares)]
    ring = np.concatenate([np.column_stack(side) for side in sides]) * (scene.width, scene.height)
    try:
        return cut_at_antimeridian(scene.place(ring, "lonlat")[None])[0]
    except SourceError:
        return None
