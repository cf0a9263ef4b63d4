"""Rotated NMS at realistic density, beside an STRtree with shapely and OpenCV's own, interleaved; ends in JSON.

Every object of a scene is found several times by overlapping windows and scales. The ceiling is the exact overlap of
each pair of a class that shares area, once: pairs times the time of one compiled overlap. Run on one core, for instance
`taskset -c 0 python -m benchmarks.micro.nms`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely

from benchmarks._machine import processor
from swathe.boxes import kernels, nms, overlapping_pairs, to_polygons

if TYPE_CHECKING:
    from collections.abc import Callable

IOU = 0.2
CLASSES = 15
OBJECTS_PER_SQUARE_PIXEL = 60e-6  # a busy 1024 px window holds about 60 objects
COPIES = 4  # detections per object
MOST_FOR_SLOW = 20_000  # boxes; beyond it the references take too long to repeat

Scene = tuple[np.ndarray, np.ndarray, np.ndarray]


def make_scene(count: int, seed: int = 0) -> Scene:
    """Boxes (n, 5), scores (n,) and classes (n,) of objects of 10 to 100 px that are found several times each."""
    random = np.random.default_rng(seed)
    objects = -(-count // COPIES)
    centres = random.uniform(0.0, np.sqrt(objects / OBJECTS_PER_SQUARE_PIXEL), (objects, 2))
    long = np.exp(random.normal(np.log(35.0), 0.5, objects))
    short = long / random.uniform(1.2, 5.0, objects)
    truth = np.column_stack([centres, long, short, random.uniform(-np.pi / 2, np.pi / 2, objects)])
    found = np.repeat(truth, COPIES, axis=0)[:count]
    noise = random.normal(size=found.shape) * [1.0, 1.0, 0.05, 0.05, 0.03]
    noise[:, 2:4] = np.clip(noise[:, 2:4], -0.3, 0.3) * found[:, 2:4]
    return found + noise, random.uniform(size=count), np.repeat(random.integers(0, CLASSES, objects), COPIES)[:count]


def by_compiled_grid(scene: Scene) -> int:
    """Ours; the number of boxes kept."""
    return len(nms(*scene, iou=IOU))


def by_shapely(scene: Scene) -> int:
    """The straightforward exact way: a tree over the polygons, shapely's intersections, then the greedy loop."""
    boxes, scores, classes = scene
    polygons = shapely.polygons(to_polygons(boxes))
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    rivals = (first < second) & (classes[first] == classes[second])
    first, second = first[rivals], second[rivals]
    shared = shapely.area(shapely.intersection(polygons[first], polygons[second]))
    areas = shapely.area(polygons)
    over = shared > IOU * (areas[first] + areas[second] - shared)
    neighbours: list[list[int]] = [[] for _ in boxes]
    for i, j in zip(first[over].tolist(), second[over].tolist(), strict=True):
        neighbours[i].append(j)
        neighbours[j].append(i)
    gone = np.zeros(len(boxes), dtype=bool)
    for i in np.argsort(-scores, kind="stable").tolist():
        if not gone[i]:
            gone[neighbours[i]] = True
    return int((~gone).sum())


def by_opencv(scene: Scene) -> int:
    """OpenCV's rotated NMS, class by class (float32)."""
    import cv2

    boxes, scores, classes = scene
    rows = [((x, y), (w, h), angle) for x, y, w, h, angle in np.column_stack([boxes[:, :4], np.degrees(boxes[:, 4])])]
    kept = 0
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        kept += len(cv2.dnn.NMSBoxesRotated([rows[i] for i in members], scores[members].tolist(), 0.0, IOU))
    return kept


def contestants() -> dict[str, Callable[[Scene], int]]:
    """What can run here."""
    ways: dict[str, Callable[[Scene], int]] = {"swathe": by_compiled_grid, "shapely STRtree": by_shapely}
    try:
        import cv2
    except ImportError:
        return ways
    return {**ways, "opencv per class": by_opencv} if hasattr(cv2.dnn, "NMSBoxesRotated") else ways


def measure(count: int, runs: int) -> dict[str, object]:
    """Time all ways on one scene in turn, `runs` times each; of two calls a turn the second counts."""
    scene, results = make_scene(count), {}
    ways = {name: way for name, way in contestants().items() if name == "swathe" or count <= MOST_FOR_SLOW}
    kept = {name: way(scene) for name, way in ways.items()}
    memory = peak_of_ours(scene)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            way(scene)
            start = time.perf_counter()
            way(scene)
            times[name].append(1e3 * (time.perf_counter() - start))
    for name, taken in times.items():
        results[name] = {"min_ms": min(taken), "median_ms": statistics.median(taken), "kept": kept[name]}
    pairs = overlapping_pairs(scene[0], scene[0])[0]
    same_class = int(((pairs[:, 0] < pairs[:, 1]) & (scene[2][pairs[:, 0]] == scene[2][pairs[:, 1]])).sum())
    return {"boxes": count, "pairs": same_class, "peak_bytes": memory, "ways": results}


def peak_of_ours(scene: Scene) -> int | None:
    """Most memory that one of our runs added to the process, bytes; None where Linux does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        before = resident("VmRSS")
        by_compiled_grid(scene)
        return resident("VmHWM") - before
    except OSError:
        return None


def resident(field: str) -> int:
    """A memory figure of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def microseconds_per_pair() -> float:
    """Time of one exact overlap, from twins that share area."""
    boxes = make_scene(100_000)[0]
    first, second = (kernels.describe(boxes, np.arange(start, len(boxes), 2)) for start in (0, 1))
    kernels.paired_areas(first, second)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        kernels.paired_areas(first, second)
        times.append(time.perf_counter() - start)
    return 1e6 * min(times) / len(first)


def main() -> None:
    """Run the benchmark and print its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="timed runs per way and scene (default 7)")
    parser.add_argument("--boxes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="boxes per scene")
    arguments = parser.parse_args()
    pair = microseconds_per_pair()
    scenes = [measure(count, arguments.runs) for count in arguments.boxes]
    report = {"benchmark": "rotated nms", "cpu": processor(), "iou": IOU, "us_per_pair": pair, "scenes": scenes}
    for scene in scenes:
        for name, result in scene["ways"].items():  # type: ignore[attr-defined]
            timing = f"min {result['min_ms']:9.2f} ms  median {result['median_ms']:9.2f} ms"
            print(f"{scene['boxes']:>8} boxes  {name:<18} {timing}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
