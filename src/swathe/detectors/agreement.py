"""Whether two backends find the same objects: what a faster one must show before it is taken by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.detectors.protocol import Detector, Tile, TileDetections

# Numbers of 16 bits move scores by a hundredth and sides by a fraction of a pixel.
LEAST_IOU = 0.85  # of two detections of one object
SCORE_DIFFERENCE = 0.05  # that two detections of one object may have; what is as close to the lowest score is left out
LEAST_SHARE = 0.97  # of the detections of either that the other must have found, too
LEAST_DETECTIONS = 20  # fewer tell nothing


@dataclass(frozen=True)
class Agreement:
    """How well two detectors agree on some tiles."""

    detections: int  # of the first, clear of the lowest score
    share: float  # of the clear detections of either that the other found, too; the lower of both

    @property
    def is_enough(self) -> bool:
        """Whether one may stand for the other."""
        return self.detections >= LEAST_DETECTIONS and self.share >= LEAST_SHARE


def compare(one: Detector, other: Detector, tiles: Sequence[Tile]) -> Agreement:
    """Let two detectors look at the same tiles.

    Args:
        one: A detector.
        other: Another one of the same specification but for its backend.
        tiles: What to look at.

    Returns:
        How well they agree.
    """
    clear = one.spec.min_score + SCORE_DIFFERENCE
    counts = np.zeros((2, 2), np.int64)  # of one and other: clear detections, and those of them found again
    for tile in tiles:
        found = one.detect([tile])[0], other.detect([tile])[0]
        for row, (mine, others) in enumerate((found, found[::-1])):
            wanted = mine.scores >= clear
            counts[row] += int(wanted.sum()), int((_found_again(mine, others) & wanted).sum())
    shares = [again / total if total else 1.0 for total, again in counts.tolist()]
    return Agreement(int(counts[0, 0]), min(shares))


def _found_again(mine: TileDetections, others: TileDetections) -> npt.NDArray[np.bool_]:
    """Tell which detections another one of the same class, place and score stands for."""
    if not len(mine) or not len(others):
        return np.zeros(len(mine), np.bool_)
    same = box_math.iou_matrix(mine.boxes, others.boxes) >= LEAST_IOU
    same &= mine.classes[:, None] == others.classes[None, :]
    same &= np.abs(mine.scores[:, None] - others.scores[None, :]) <= SCORE_DIFFERENCE
    return np.asarray(same.any(axis=1))
