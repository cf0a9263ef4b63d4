"""Compares what Swathe reads from models of another make with what that tool reads itself, before any suppression.

`python -m benchmarks.rivals.compare FOLDER` after the scripts TOOL_candidates.py have written the folder. Score for
score and corner for corner; the largest differences of each model go to benchmarks/results/rivals-candidates.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from swathe.boxes import to_polygons
from swathe.detectors.network import NetworkDetector
from swathe.detectors.registry import open_detector, resolve_model
from swathe.errors import ModelError

CORNER, SCORE = 0.05, 1e-3  # pixels; both compute in float32, and divide the pixels by 255 each in its own way
RESULT = Path(__file__).resolve().parents[1] / "results" / "rivals-candidates.json"
COMPARED = 2000  # the best candidates of each image
SHARE = 0.9  # and of few the best of these: where an export ends its own selection, rounding decides between equals


@dataclass(frozen=True)
class Difference:
    """How far the candidates of a model are apart."""

    layout: str
    candidates: int
    corner: float  # pixels
    score: float


def compare(model: Path) -> Difference:
    """Compare the candidates of all images of one model.

    Args:
        model: NAME.onnx, with NAME.npz beside it.

    Returns:
        The largest differences.

    Raises:
        ModelError: If a candidate is missing or differs.
    """
    stored = np.load(model.with_suffix(".npz"))
    count, corner, score = 0, 0.0, 0.0
    for index, image in enumerate(stored["images"]):
        corners, scores, classes = (stored[f"{name}{index}"] for name in ("corners", "scores", "classes"))
        threshold = float(np.sort(scores)[-min(COMPARED, int(SHARE * len(scores)))])
        spec, card = resolve_model(model, min_score=max(0.0, threshold - SCORE))
        detector = cast("NetworkDetector", open_detector(spec))
        ((boxes, own_scores, own_classes),) = detector.candidates([image])
        for row in np.flatnonzero(scores >= threshold):
            same = (own_classes == classes[row]) & (np.abs(own_scores - scores[row]) <= SCORE)
            distance = _distances(to_polygons(boxes[same]), corners[row])
            if not len(distance) or distance.min() > CORNER:
                nearest = f"{distance.min():.3g} px off" if len(distance) else "no such score"
                raise ModelError(f"{model}: image {index}, candidate {row}, score {scores[row]:.4f}: {nearest}")
            best = int(distance.argmin())
            corner = max(corner, float(distance[best]))
            score = max(score, float(abs(own_scores[same][best] - scores[row])))
            count += 1
    return Difference(card.layout, count, corner, score)


def _distances(polygons: npt.NDArray[np.float64], corners: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return how far the farthest corner is off, for each polygon (n, 4, 2); corners may begin anywhere, either way."""
    orders = [np.roll(corners[::step], turn, axis=0) for step in (1, -1) for turn in range(4)]
    worst = [np.linalg.norm(polygons - order, axis=2).max(axis=1) for order in orders]
    return np.asarray(np.min(worst, axis=0)) if len(polygons) else np.empty(0)


def main() -> None:
    """Compare every model of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    results = {path.stem: vars(compare(path)) for path in sorted(parser.parse_args().folder.glob("*.onnx"))}
    for name, result in results.items():
        print(
            f"{name:22} {result['layout']:28} {result['candidates']:6} candidates, corners within "
            f"{result['corner']:.2g} px, scores within {result['score']:.2g}"
        )
    RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
