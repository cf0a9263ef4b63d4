"""Which anchors of which cells answer for an object during training.

An anchor may answer if neither of its sides is more than `RATIO` times the object's or less than one
`RATIO`th of it; the cell that holds the centre answers, and so do up to two neighbours that the centre lies
next to (within half a cell). The angle takes no part. Facts: YOLOv5's target assignment.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RATIO = 4.0  # largest factor between the sides of object and anchor
NEAR = 0.5  # a neighbour answers if the centre is closer to it than this, in cells


@dataclass(frozen=True)
class Assignment:
    """Positive places of one level; k of them, row by row."""

    image: Tensor  # (k,) index in the batch
    anchor: Tensor  # (k,) index of the anchor
    row: Tensor  # (k,) cell row
    col: Tensor  # (k,) cell column
    target: Tensor  # (k,) index of the object in the batch's targets


def assign(targets: Tensor, anchors: Tensor, shape: tuple[int, int], stride: int) -> Assignment:
    """Find the positive places of one level.

    Args:
        targets: (n, 7) image index, class, cx, cy, w, h (pixels, w the long side), theta.
        anchors: (a, 2) long and short side of the level's anchors, pixels.
        shape: Rows and columns of the level's map.
        stride: Pixels per cell.

    Returns:
        The places; an object may have none, or up to three per anchor.
    """
    rows, cols = shape
    ratio = targets[None, :, 4:6] / anchors[:, None, :]  # (a, n, 2)
    fits = torch.maximum(ratio, 1.0 / ratio).amax(dim=2) < RATIO
    anchor, target = torch.nonzero(fits, as_tuple=True)
    x, y = targets[target, 2] / stride, targets[target, 3] / stride
    col, row = x.floor(), y.floor()
    left, top = x - col < NEAR, y - row < NEAR
    step_x, step_y = torch.where(left, -1.0, 1.0), torch.where(top, -1.0, 1.0)
    # exactly on the middle of a cell no neighbour is nearer than half a cell
    near_x, near_y = (x - col) != NEAR, (y - row) != NEAR
    every = torch.ones_like(near_x)
    col = torch.cat((col, col + step_x, col)).long()
    row = torch.cat((row, row, row + step_y)).long()
    inside = (col >= 0) & (col < cols) & (row >= 0) & (row < rows) & torch.cat((every, near_x, near_y))
    anchor, target = anchor.repeat(3)[inside], target.repeat(3)[inside]
    return Assignment(targets[target, 0].long(), anchor, row[inside], col[inside], target)


def best_possible_recall(sizes: Tensor, anchors: Tensor) -> float:
    """Return the share of objects for which some anchor fits.

    Args:
        sizes: (n, 2) long and short sides, pixels.
        anchors: (a, 2) long and short sides over all levels, pixels.

    Returns:
        A number in 0..1; 1 for no objects.
    """
    if len(sizes) == 0:
        return 1.0
    ratio = sizes[:, None, :] / anchors[None, :, :]
    return float((torch.maximum(ratio, 1.0 / ratio).amax(dim=2) < RATIO).any(dim=1).float().mean())
