"""Anchors from the data, where the given ones do not fit it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from swathe.model.assign import best_possible_recall
from swathe.model.info import Anchors

ENOUGH = 0.98  # anchors are kept if they can answer for this share of the objects
ROUNDS = 100  # of k-means; it settles long before


def recall_of(sizes: npt.NDArray[np.float64], anchors: Anchors) -> float:
    """Return the share of objects that some anchor can answer for.

    Args:
        sizes: (n, 2) long and short sides, pixels of the training view.
        anchors: Per level, (long, short) in pixels.

    Returns:
        A number in 0..1.
    """
    flat = torch.tensor([pair for level in anchors for pair in level], dtype=torch.float64)
    return best_possible_recall(torch.from_numpy(np.ascontiguousarray(sizes, np.float64)), flat)


def fit_anchors(sizes: npt.NDArray[np.float64], levels: int, per_level: int) -> Anchors:
    """Find anchors by k-means on the logarithms of the sides, so that ratios count and not differences.

    Args:
        sizes: (n, 2) long and short sides, pixels; n at least 1.
        levels: Number of output levels, finest first.
        per_level: Anchors per level.

    Returns:
        Anchors by rising area; the same sizes always give the same anchors.
    """
    points = np.log(np.maximum(sizes, 1.0))
    points = points[np.argsort(points.sum(axis=1), kind="stable")]
    count = levels * per_level
    centres = np.quantile(points, (np.arange(count) + 0.5) / count, axis=0)
    for _ in range(ROUNDS):
        nearest = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
        moved = np.array(
            [
                points[nearest == index].mean(axis=0) if (nearest == index).any() else centres[index]
                for index in range(count)
            ]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    ordered = np.exp(centres[np.argsort(centres.sum(axis=1), kind="stable")])
    pairs = [(round(float(long), 2), round(float(short), 2)) for long, short in ordered]
    return tuple(tuple(pairs[level * per_level : (level + 1) * per_level]) for level in range(levels))
