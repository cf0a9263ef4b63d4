"""Footprints, measures and times of detections, until `Detections` and `Query` tell them themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from swathe.detections import Detections, SceneInfo
    from swathe.query import Query


def footprints(detections: Detections) -> npt.NDArray[Any]:
    """Return the footprints (n,) in geometry coordinates."""
    import shapely

    told = getattr(detections, "footprints", None)
    return np.asarray(shapely.polygons(detections.to_polygons("geometry")) if told is None else told())


def measures(detections: Detections) -> npt.NDArray[np.float64]:
    """Return length in metres, width in metres, azimuth in degrees (n, 3)."""
    told = getattr(detections, "measures", None)
    return np.full((len(detections), 3), np.nan) if told is None else np.asarray(told())


def acquired(scene: SceneInfo | None) -> str | None:
    """Return when a scene was acquired."""
    return getattr(scene, "acquired", None)


def sure_mask(query: Query, hulls: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which hulls surely belong to footprints that touch the regions of a query."""
    others = (query.polygon, getattr(query, "areas", None), getattr(query, "near", None))
    if query.box is None or any(other is not None for other in others):
        return np.zeros(len(hulls), dtype=np.bool_)
    low, high = np.asarray(query.box[:2]), np.asarray(query.box[2:])
    return np.asarray((hulls[:, :2] >= low).all(axis=1) & (hulls[:, 2:] <= high).all(axis=1))
