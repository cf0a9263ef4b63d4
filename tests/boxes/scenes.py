"""Random boxes and slow references that the tests of this room share."""

from __future__ import annotations

import numpy as np
import shapely

from swathe.boxes import to_polygons


def random_boxes(
    seed: int, count: int, *, side: float = 200.0, sizes: tuple[float, float] = (4.0, 60.0), origin: float = 0.0
) -> np.ndarray:
    """Boxes (count, 5) with log-uniform sides, any direction, centres in a square of a side at an origin."""
    random = np.random.default_rng(seed)
    sides = np.sort(np.exp(random.uniform(np.log(sizes[0]), np.log(sizes[1]), (count, 2))), axis=1)[:, ::-1]
    centres = origin + random.uniform(0.0, side, (count, 2))
    return np.column_stack([centres, sides, random.uniform(-np.pi / 2, np.pi / 2, count)])


def shapes(boxes: np.ndarray) -> np.ndarray:
    """Shapely polygons of boxes, about the first centre so that shapely keeps its precision too."""
    local = np.array(boxes, dtype=np.float64)
    if len(local):
        local[:, :2] -= boxes[0, :2]
    return shapely.polygons(to_polygons(local))


def slow_areas(polygons: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Shared areas of shapely polygons, all with all."""
    first, second = np.broadcast_arrays(polygons[:, None], others[None])
    shared = shapely.area(shapely.intersection(first, second))
    # For collinear edges at 45 degrees GEOS now and then finds nothing where much is shared; its snapping overlay does.
    doubtful = (shared == 0.0) & shapely.intersects(first, second)
    again = shapely.area(shapely.intersection(first[doubtful], second[doubtful], grid_size=1e-9))
    shared[doubtful] = np.where(again > 1e-6, again, 0.0)
    return shared


def slow_iou_matrix(polygons: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of shapely polygons, all with all."""
    shared = slow_areas(polygons, others)
    union = shapely.area(polygons)[:, None] + shapely.area(others)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0.0)


def slow_nms(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray | None, iou: float, ratios: np.ndarray | None = None
) -> list[int]:
    """Greedy suppression as one would say it: by falling score, keep what no kept box of the class covers."""
    ratios = slow_iou_matrix(shapes(boxes), shapes(boxes)) if ratios is None else ratios
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        rivals = [k for k in kept if classes is None or classes[k] == classes[i]]
        if not any(ratios[i, k] > iou for k in rivals):
            kept.append(i)
    return kept
