"""Circular smooth label: an angle as 180 classes of one degree with a Gaussian window over the circle.

Yang and Yan, "Arbitrary-Oriented Object Detection with Circular Smooth Label" (ECCV 2020). Bin k covers
[k - 90, k - 89) degrees. The way back, from scores to an angle, is in `swathe.model.decode`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from swathe.model.info import ANGLE_BINS

EDGE = 1e-4  # bins: whole degrees are not exact in radians, so an angle this close below a bin is in it


def angle_to_bin(theta: Tensor, bins: int = ANGLE_BINS) -> Tensor:
    """Return the bin that holds each angle.

    Args:
        theta: Angles in radians, any shape; taken modulo pi.
        bins: Number of bins over the half turn.

    Returns:
        Integer bins in [0, bins), same shape. The floor is taken, so no bin is wider than another.
    """
    position = (theta / math.pi + 0.5) * bins
    return torch.floor(position + EDGE).long() % bins


def encode(theta: Tensor, bins: int = ANGLE_BINS, radius: float = 2.0, *, continuous: bool = False) -> Tensor:
    """Return the smoothed label of each angle: exp(-d^2 / (2 r^2)), d the circular distance in bins.

    Args:
        theta: (n,) angles in radians.
        bins: Number of bins over the half turn.
        radius: Standard deviation of the window, in bins, positive.
        continuous: Put the peak on the angle itself instead of on the centre of its bin; the label then
            also says where in the bin the angle lies, and its largest value may be below 1.

    Returns:
        (n, bins) labels in (0, 1], in the dtype of `theta`; the peak is 1 and nothing is cut off.
    """
    centred, exact = angle_to_bin(theta, bins).to(theta.dtype), (theta / math.pi + 0.5) * bins - 0.5
    peak = exact if continuous else centred
    distance = torch.abs(torch.arange(bins, dtype=theta.dtype, device=theta.device) - peak[:, None]) % bins
    distance = torch.minimum(distance, bins - distance)
    return torch.exp(-(distance**2) / (2.0 * radius**2))
