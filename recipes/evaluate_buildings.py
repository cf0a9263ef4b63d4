"""Judge a building model on the held-out, eastern side of the labelled part of Banepa, as the model card quotes it.

Usage: python recipes/evaluate_buildings.py MODEL [--side east|west] [--min-score 0.01] [--merge-iou 0.2]

The whole scene is detected with the command everybody uses; detections centred outside of the side's labelled area are
left out, since nobody knows about buildings there; the rest goes through `swathe.evaluation`. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

import swathe
from swathe.datasets import geojson
from swathe.datasets.sample import Sample
from swathe.evaluation.evaluate import evaluate_detections
from swathe.evaluation.found import from_detections
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene

DATA = Path(__file__).parents[1] / "data" / "banepa"
SPLIT = 2560  # column: west of it trains, east of it is held out
MARGIN = 16.0  # pixels around the outlines within which labels are complete


@dataclass(frozen=True)
class Side:
    """The labelled part of the scene on one side of `SPLIT`."""

    area: BaseGeometry  # scene pixels: where the labels are complete
    truth: Sample

    def holds(self, boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return which boxes (n, 5), scene pixels, are centred where they can be judged."""
        inside: npt.NDArray[np.bool_] = shapely.contains_xy(self.area, boxes[:, 0], boxes[:, 1])
        return inside


def side_of(scene: Scene, name: str) -> Side:
    """Read the labels of the eastern or western side."""
    rings = geojson.read_rings(DATA / "buildings.geojson", scene, class_name="building").rings
    sample = geojson.read_polygons(DATA / "buildings.geojson", scene, class_name="building")
    left, right = (SPLIT, scene.width) if name == "east" else (0, SPLIT)
    area = shapely.intersection(geojson.labelled_area(rings, MARGIN), shapely.box(left, 0, right, scene.height))
    centres = sample.polygons.mean(axis=1)
    chosen = sample.select(np.flatnonzero((centres[:, 0] >= left) & (centres[:, 0] < right)))
    return Side(area, Sample(scene.id, None, chosen.polygons, chosen.classes, chosen.difficult))


def main() -> None:
    """Detect, keep what lies on one side, evaluate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--side", choices=("east", "west"), default="east")
    parser.add_argument("--min-score", type=float, default=0.01)
    parser.add_argument("--merge-iou", type=float, default=0.2)
    parser.add_argument("--scales", type=float, nargs="*")
    options = parser.parse_args()
    scene = open_scene(DATA / "banepa.tif")
    side = side_of(scene, options.side)
    with tempfile.TemporaryDirectory() as folder:
        found = swathe.detect(
            scene.uri,
            options.model,
            min_score=options.min_score,
            merge_iou=options.merge_iou,
            scales=options.scales,
            output=Path(folder) / "store",
        )
    report = evaluate_detections(
        [side.truth], from_detections(found.take(side.holds(found.boxes))), classes=("building",)
    )
    sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")


if __name__ == "__main__":
    main()
