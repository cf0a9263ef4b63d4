"""What the scripts that export random models share: pictures, lively weights, and the file of candidates.

Runs in the tools' own environments, which have PyTorch and NumPy; nothing of any tool is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

IMAGES, CLASSES = 3, ("ship", "plane", "harbour")
Candidates = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]


def pictures(side: int) -> npt.NDArray[np.uint8]:
    """Noise of 8 pixel squares, (n, side, side, 3)."""
    squares = np.random.default_rng(3).integers(0, 256, (IMAGES, side // 8, side // 8, 3), dtype=np.uint8)
    return squares.repeat(8, axis=1).repeat(8, axis=2)


def as_tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Return the input of most networks, (n, 3, side, side) from 0 to 1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def enliven(network: torch.nn.Module, images: torch.Tensor) -> None:
    """Keep the signal alive through all layers, as training would: with the statistics of real inputs."""
    network.eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics of all that was seen
            module.train()
    with torch.no_grad():
        network(images)
    network.eval()


def write(path: Path, images: npt.NDArray[np.uint8], candidates: Iterable[Candidates]) -> None:
    """Write NAME.npz: the images and, of each, corners (n, 4, 2), scores (n,) and classes (n,) of all candidates."""
    arrays: dict[str, Any] = {"images": images}
    for index, found in enumerate(candidates):
        arrays |= {f"{name}{index}": field for name, field in zip(("corners", "scores", "classes"), found, strict=True)}
    np.savez_compressed(path, **arrays)
    print(path.stem, *(f"{len(arrays[f'scores{i}'])} up to {arrays[f'scores{i}'].max():.3f}" for i in range(IMAGES)))
