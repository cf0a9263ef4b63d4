"""The merge across the scenes of a run: sheets that overlap show an object at their edges twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.detections import Detections, SceneInfo
from swathe.engine.seam import AREA_ROUNDING, canonical_order
from swathe.engine.settings import RunSettings

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Detections of some scenes of one reference system, in the pixels of the first scene, which has no ends here."""

    boxes: Floats  # (n, 5)
    scores: Floats  # (n,)
    classes: Integers  # (n,) numbers of the classes that compete
    scenes: Integers  # (n,) numbers of the scenes
    at_edge: Flags  # (n,) whether the edge of the own scene cuts it
    cut: Flags  # (n,) whether that, or the edge of a window, does


def merge_scenes(found: Detections) -> Detections:
    """Merge what several scenes of one run and one reference system show, as overlapping sheets do.

    What the edge of a scene cuts gives way to a more whole object of its class in another scene that covers it; then
    one exact greedy rotated suppression per class goes over all of them, in map coordinates, by the thresholds of the
    run. Scenes without georeference, and scenes of different reference systems, are left as they are. Boxes are exact
    where the pixels of two scenes differ by a shift, a turn, a mirror or a factor; elsewhere the rectangle around a
    box counts.

    Args:
        found: Detections of any scenes and runs.

    Returns:
        Those that stay, in canonical order.
    """
    keys, codes = found.scene_codes()
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        crs = found.scenes[key].crs
        if crs is not None and found.scenes[key].georeferenced:
            groups[key[0], crs].append(number)
    stays = np.ones(len(found), dtype=np.bool_)
    for (run, _), numbers in groups.items():
        if len(numbers) > 1:
            rows = np.flatnonzero(np.isin(codes, numbers))
            own, scenes = found.take(rows), [found.scenes[keys[number]] for number in numbers]
            stays[rows] = _staying(own, np.searchsorted(numbers, codes[rows]), scenes, found.runs.get(run, {}))
    return found.take(stays).sorted()


def _staying(found: Detections, codes: Integers, scenes: Sequence[SceneInfo], about: Mapping[str, Any]) -> Flags:
    """Tell which detections (n,) stay, given the number (n,) of the scene of each."""
    told = about.get("settings", {})
    names = ("merge_iou", "merge_ios", "across_classes", "give_way", "cut_margin")
    settings = RunSettings(**{name: told[name] for name in names if name in told})
    base = np.linalg.inv(_matrix(scenes[0]))
    maps = [base @ _matrix(scene) for scene in scenes]
    rows = _placed(found, codes, scenes, maps, settings)
    stays = ~_given_way(rows, scenes, maps, settings.give_way)
    left = np.flatnonzero(stays)
    left = left[canonical_order(rows.boxes[left], rows.scores[left], rows.classes[left], rows.cut[left])]
    smaller = settings.merge_ios is not None
    threshold = settings.merge_iou if settings.merge_ios is None else settings.merge_ios
    kept = box_math.nms(rows.boxes[left], rows.scores[left], rows.classes[left], threshold, smaller=smaller)
    stays[:] = False
    stays[left[kept]] = True
    return stays


def _placed(
    found: Detections, codes: Integers, scenes: Sequence[SceneInfo], maps: Sequence[Floats], settings: RunSettings
) -> Rows:
    """Bring boxes into common coordinates, and mark those that the edge of their scene cuts."""
    boxes, at_edge = found.boxes, np.zeros(len(found), dtype=np.bool_)
    for number, scene in enumerate(scenes):
        own = np.flatnonzero(codes == number)
        hulls = box_math.hulls(boxes[own]).reshape(-1, 4)
        ends = np.array([scene.width, scene.height]) - settings.cut_margin
        at_edge[own] = (hulls[:, :2] < settings.cut_margin).any(axis=1) | (hulls[:, 2:] > ends).any(axis=1)
        boxes[own] = box_math.affine(boxes[own], maps[number])
    classes = np.unique(found.classes, return_inverse=True)[1].astype(np.int64)
    competing = np.zeros_like(classes) if settings.across_classes else classes
    return Rows(boxes, found.scores, competing, codes, at_edge, found.cut | at_edge)


def _given_way(rows: Rows, scenes: Sequence[SceneInfo], maps: Sequence[Floats], give_way: float) -> Flags:
    """Tell which detections (n,) the edge of their scene cuts and a more whole one of another scene covers."""
    import shapely

    frames = np.array([[(0, 0), (one.width, 0), (one.width, one.height), (0, one.height)] for one in scenes], float)
    placed = [box_math.affine_polygons(frame[None], matrix)[0] for frame, matrix in zip(frames, maps, strict=True)]
    outlines = shapely.polygons(placed)
    tree = shapely.STRtree(outlines)
    areas = rows.boxes[:, 2] * rows.boxes[:, 3]
    wholeness = np.where(rows.cut, areas, np.inf)
    gone = np.zeros(len(rows.scores), dtype=np.bool_)
    for number, outline in enumerate(outlines):
        fragments = np.flatnonzero(rows.at_edge & (rows.scenes == number))
        neighbours = tree.query(outline, predicate="intersects")
        others = np.flatnonzero(np.isin(rows.scenes, neighbours[neighbours != number]))
        if len(fragments) and len(others):
            both = np.concatenate([fragments, others])
            weights = np.concatenate([np.zeros(len(fragments)), wholeness[others]])  # its own scene has been merged
            places, least = np.arange(len(fragments)), areas[fragments] * (1.0 + AREA_ROUNDING)
            args = rows.boxes[both], rows.classes[both], weights, places, least, give_way
            gone[fragments] = box_math.covered(*args)
    return gone


def _matrix(scene: SceneInfo) -> Floats:
    """Return the map (3, 3) from pixels of a scene to its reference system."""
    return np.array([*(scene.transform or ()), 0.0, 0.0, 1.0]).reshape(3, 3)
