"""Layers of YOLOv5 v6.0 that backbone and neck are made of. Shapes are (batch, channels, height, width)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Convolution(nn.Module):
    """Convolution, batch normalisation, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int | None = None) -> None:
        """Create the layers; without `padding` the size is kept at stride 1."""
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        out: Tensor = self.act(self.norm(self.conv(x)))
        return out


def widened(kernel: Tensor, bands: int) -> Tensor:
    """Return a kernel of a first layer that sees more bands: what is new starts as the mean of what is there.

    All is scaled down so that a picture whose bands are all alike gives what it gave before.

    Args:
        kernel: (outputs, inputs, k, k).
        bands: Inputs wanted, no fewer.

    Returns:
        (outputs, bands, k, k).
    """
    more = kernel.mean(dim=1, keepdim=True).expand(-1, bands - kernel.shape[1], -1, -1)
    return torch.cat((kernel, more), dim=1) * (kernel.shape[1] / bands)


class Bottleneck(nn.Module):
    """1x1 then 3x3 convolution, with the input added where `shortcut` is set."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        """Create the two convolutions."""
        super().__init__()
        self.reduce = Convolution(channels, channels, 1)
        self.expand = Convolution(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        out: Tensor = self.expand(self.reduce(x))
        return x + out if self.shortcut else out


class C3(nn.Module):
    """Cross-stage partial block: half of the channels pass through `depth` bottlenecks, half go by."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool = True) -> None:
        """Create the block with `depth` bottlenecks."""
        super().__init__()
        hidden = outputs // 2
        self.main = Convolution(inputs, hidden, 1)
        self.side = Convolution(inputs, hidden, 1)
        self.blocks = nn.Sequential(*(Bottleneck(hidden, shortcut) for _ in range(depth)))
        self.join = Convolution(2 * hidden, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h, w)."""
        out: Tensor = self.join(torch.cat((self.blocks(self.main(x)), self.side(x)), dim=1))
        return out


class SPPF(nn.Module):
    """Spatial pyramid pooling by three 5x5 maximum poolings in a row (fields of 5, 9 and 13 cells)."""

    def __init__(self, channels: int) -> None:
        """Create the pooling and the convolutions around it."""
        super().__init__()
        hidden = channels // 2
        self.reduce = Convolution(channels, hidden, 1)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.join = Convolution(4 * hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        first = self.reduce(x)
        second = self.pool(first)
        third = self.pool(second)
        out: Tensor = self.join(torch.cat((first, second, third, self.pool(third)), dim=1))
        return out
