"""What the loss reads of one level: objectness everywhere, all channels only where an object is.

195 channels an anchor are computed by the last layer, and 194 of them get no gradient away from objects. Computing
these at the objects alone makes the last layer almost free in training.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from swathe.model.assign import Assignment
from swathe.model.decode import FIRST_CLASS, OBJECTNESS
from swathe.model.info import ModelInfo


class LevelOutput(Protocol):
    """Logits of one level."""

    shape: tuple[int, int, int]  # images, rows, columns

    def objectness(self) -> Tensor:
        """Return the logits (b, anchors, rows, cols) of the objectness."""
        ...

    def likeliest(self) -> Tensor:
        """Return the index (b, anchors, rows, cols) of the likeliest class, without gradient."""
        ...

    def at(self, places: Assignment) -> Tensor:
        """Return all channels (k, channels) of k places."""
        ...


class DenseOutput:
    """Logits that were all computed, as `YWCSL.forward` returns them."""

    def __init__(self, raw: Tensor, info: ModelInfo) -> None:
        """Take a raw map (b, anchors * channels, rows, cols)."""
        batch, _, rows, cols = raw.shape
        self.shape = batch, rows, cols
        self._grid = raw.float().view(batch, info.anchors_per_cell, info.channels, rows, cols)
        self._classes = len(info.classes)

    def objectness(self) -> Tensor:
        """See `LevelOutput`."""
        return self._grid[:, :, OBJECTNESS]

    def likeliest(self) -> Tensor:
        """See `LevelOutput`."""
        return self._grid[:, :, FIRST_CLASS : FIRST_CLASS + self._classes].detach().argmax(dim=2)

    def at(self, places: Assignment) -> Tensor:
        """See `LevelOutput`."""
        return self._grid[places.image, places.anchor, :, places.row, places.col]


class LazyOutput:
    """Logits that are computed from the neck's features where they are asked for."""

    def __init__(self, feature: Tensor, head: nn.Conv2d, info: ModelInfo) -> None:
        """Take the features (b, c, rows, cols) of a level and its last layer."""
        batch, _, rows, cols = feature.shape
        self.shape = batch, rows, cols
        self._feature = feature
        self._anchors, self._channels = info.anchors_per_cell, info.channels
        self._weight = head.weight.view(self._anchors, self._channels, -1)
        self._bias = head.get_parameter("bias").view(self._anchors, self._channels)
        self._classes = len(info.classes)

    def objectness(self) -> Tensor:
        """See `LevelOutput`."""
        return self._of(self._feature.float(), OBJECTNESS, OBJECTNESS + 1)[:, :, 0]

    @torch.no_grad()
    def likeliest(self) -> Tensor:
        """See `LevelOutput`."""
        return self._of(self._feature.float(), FIRST_CLASS, FIRST_CLASS + self._classes).argmax(dim=2)

    def at(self, places: Assignment) -> Tensor:
        """See `LevelOutput`."""
        rows = self._feature.permute(0, 2, 3, 1)[places.image, places.row, places.col].float()
        found = rows.new_empty(len(rows), self._channels)
        for anchor in range(self._anchors):
            mine = torch.nonzero(places.anchor == anchor)[:, 0]
            found = found.index_copy(0, mine, linear(rows[mine], self._weight[anchor], self._bias[anchor]))
        return found

    def _of(self, feature: Tensor, first: int, end: int) -> Tensor:
        """Return some channels (b, anchors, end - first, rows, cols) everywhere."""
        weight = self._weight[:, first:end].flatten(0, 1)[:, :, None, None]
        maps = conv2d(feature, weight, self._bias[:, first:end].flatten())
        return maps.view(len(feature), self._anchors, end - first, *feature.shape[2:])
