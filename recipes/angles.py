"""Compare ways to read an angle from its 180 scores: its error, and AP on the held-out side of Banepa.

Usage: python recipes/angles.py [MODEL.safetensors] [-o FOLDER] [--side east|west]

The network looks at each window once. Each way then reads the angles of all boxes that may count, all else being equal:
its angle is put back as the smooth label that the decoder reads exactly. Nearly square buildings stand apart, since
their long side is a matter of chance. Prints JSON; with -o also writes it and a picture.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import torch
from evaluate_buildings import DATA, Side, side_of

from swathe import boxes
from swathe.detectors.pixels import padded
from swathe.detectors.registry import resolve_model
from swathe.detectors.torch import around, load_network
from swathe.evaluation.evaluate import evaluate_detections
from swathe.evaluation.found import Found
from swathe.model.csl import encode
from swathe.model.decode import FIRST_CLASS, OBJECTNESS, decode
from swathe.model.info import ANGLE_BINS, ModelInfo
from swathe.raster.grid import Grid
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.scene import Scene

Floats = npt.NDArray[np.float64]
Way = Callable[[Floats], Floats]  # (n, 180) probabilities -> (n,) radians

TILE, STRIDE, MIN_SCORE, MERGE_IOU = 1024, 768, 0.01, 0.2


def bin_centre(scores: Floats) -> Floats:
    """Take the middle of the best bin, as the baseline does."""
    return to_angle(scores.argmax(axis=1).astype(float))


def parabola(scores: Floats) -> Floats:
    """Take the top of the parabola through the logarithms of the best bin and its neighbours."""
    left, middle, right = np.log(around_best(scores, 1) + 1e-12).T
    return to_angle(scores.argmax(axis=1) + 0.5 * (left - right) / np.minimum(left - 2 * middle + right, -1e-9))


def window_mean(scores: Floats) -> Floats:
    """Take the mean of six bins on either side of the best, weighted by their scores."""
    near = around_best(scores, 6)
    return to_angle(scores.argmax(axis=1) + near @ np.arange(-6, 7) / near.sum(axis=1))


def circle_mean(scores: Floats) -> Floats:
    """Take the mean direction of all bins on the circle of half a turn."""
    turn = np.exp(2j * to_angle(np.arange(ANGLE_BINS, dtype=float)))
    return np.angle(scores @ turn) / 2


WAYS: dict[str, Way | None] = {
    "bin centre": bin_centre,
    "parabola": parabola,
    "mean of the window": window_mean,
    "mean of the circle": circle_mean,
    "mean shift (the decoder)": None,
}


def to_angle(bins: Floats) -> Floats:
    """Return radians of positions in bins."""
    return (bins + 0.5) * np.pi / ANGLE_BINS - np.pi / 2


def around_best(scores: Floats, reach: int) -> Floats:
    """Return the scores of the best bin and of some on either side."""
    places = scores.argmax(axis=1)[:, None] + np.arange(-reach, reach + 1)
    return np.take_along_axis(scores, places % ANGLE_BINS, axis=1)


def main() -> None:
    """Look, read the angles in each way, judge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="buildings")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--side", choices=("east", "west"), default="east")
    options = parser.parse_args()
    scene = open_scene(DATA / "banepa.tif")
    side = side_of(scene, options.side)
    found = look(scene, side, options.model)
    report = {name: judge(scene, side, *boxes_of) for name, boxes_of in found.items()}
    text = json.dumps(report, indent=1) + "\n"
    sys.stdout.write(text)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "angles.json").write_text(text, encoding="utf-8")
        draw(report, options.output / "angles.png")


def look(scene: Scene, side: Side, model: str) -> dict[str, tuple[Floats, Floats]]:
    """Return the boxes and scores that each way leads to, in scene pixels, after suppression."""
    spec, _ = resolve_model(model, backend="torch", min_score=MIN_SCORE, iou=1.0, tile=TILE)
    network, info = load_network(Path(spec.path))
    detector = around(network, replace(spec, tile=TILE), lazy=False)
    scale = info.scales[0]
    level = Level.of(scene.width, scene.height, scale)
    parts: dict[str, list[tuple[Floats, Floats]]] = {name: [] for name in WAYS}
    with RasterReader(scene) as reader:
        for window in Grid(level.width, level.height, TILE, STRIDE):
            corners = np.array([window.col_off, window.row_off, window.col_off + TILE, window.row_off + TILE]) / scale
            if not side.area.intersects(shapely.box(*corners)):
                continue
            maps = [output[0] for output in detector.outputs([padded(reader.read(level, window).pixels, TILE, TILE)])]
            for name, way in WAYS.items():
                found, scores, _ = decode(maps if way is None else read_by(way, maps, info), info, MIN_SCORE)
                placed = (found + np.array([window.col_off, window.row_off, 0, 0, 0])) * [*[1 / scale] * 4, 1]
                parts[name].append((placed, scores))
    joined = {name: tuple(map(np.concatenate, zip(*each, strict=True))) for name, each in parts.items()}
    return {name: suppressed(*each) for name, each in joined.items()}


def suppressed(found: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Drop the worse of two boxes that overlap."""
    kept = boxes.nms(found, scores, np.zeros(len(scores), np.int64), MERGE_IOU)
    return found[kept], scores[kept]


def read_by(way: Way, maps: list[Any], info: ModelInfo) -> list[Any]:
    """Put the label of the angle that a way reads in the place of the angle's scores."""
    changed = []
    for level in maps:
        grid = level.reshape(info.anchors_per_cell, info.channels, *level.shape[1:]).copy()
        anchor, row, col = np.nonzero(grid[:, OBJECTNESS] > np.log(MIN_SCORE / 2))
        logits = grid[anchor, FIRST_CLASS + len(info.classes) :, row, col].astype(float)
        label = (
            encode(torch.from_numpy(way(1.0 / (1.0 + np.exp(-logits)))), continuous=True).numpy().clip(1e-9, 1 - 1e-6)
        )
        grid[anchor, FIRST_CLASS + len(info.classes) :, row, col] = np.log(label / (1.0 - label))
        changed.append(grid.reshape(level.shape))
    return changed


def judge(scene: Scene, side: Side, found: Floats, scores: Floats) -> dict[str, Any]:
    """Evaluate what lies where it can be judged."""
    inside = side.holds(found)
    names = (np.full(int(inside.sum()), name) for name in (scene.id, "building"))
    judged = Found(*names, scores[inside], boxes.to_polygons(found[inside]))
    return evaluate_detections([side.truth], judged, classes=("building",)).to_json()["classes"]["building"]


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw the error of each way by the shape of the buildings."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot(ylabel="median error of the sides' direction, degrees")
    for name, entry in report.items():
        parts = {shape: part["angle"] for shape, part in entry["aspects"].items() if part["angle"] is not None}
        axes.plot(list(parts), [angle["median_of_sides"] for angle in parts.values()], "o-", label=name)
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
