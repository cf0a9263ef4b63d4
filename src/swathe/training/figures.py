"""Pictures computed from the training code itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from swathe.atomic import published_file
from swathe.errors import MissingExtraError, StoreError
from swathe.model.loss import alpha_iou_loss

ALPHAS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
SIDE = 1000.0  # of the boxes whose overlap makes the IoU; large, so that float32 shows no steps


def alpha_weights(
    alphas: Sequence[float] = ALPHAS, points: int = 199
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Measure how alpha re-weights loss and gradient, from the loss code and its gradient.

    Pairs of equal squares shifted along x have every IoU; the loss and its derivative by the shift are compared with
    those of alpha = 1. Paper: Eq. 2, 1 + (IoU - IoU^a) / (1 - IoU), and Eq. 3, a IoU^(a - 1).

    Args:
        alphas: Powers to draw, positive.
        points: Number of IoU values between 0 and 1, ends left out.

    Returns:
        IoU (points,), loss weight (alphas, points), gradient weight (alphas, points).
    """
    iou = np.linspace(0.0, 1.0, points + 2)[1:-1]
    shift = torch.tensor(SIDE * (1.0 - iou) / (1.0 + iou), dtype=torch.float64)

    def loss_and_slope(alpha: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        moved = shift.clone().requires_grad_()
        sides = torch.full_like(moved, SIDE)
        zeros = torch.zeros_like(moved)
        predicted = torch.stack((moved, zeros, sides, sides), dim=1)
        target = torch.stack((zeros, zeros, sides, sides), dim=1)
        loss, _ = alpha_iou_loss(predicted, target, "iou", alpha)
        (slope,) = torch.autograd.grad(loss.sum(), moved)
        return loss.detach().numpy(), slope.numpy()

    plain_loss, plain_slope = loss_and_slope(1.0)
    pairs = [loss_and_slope(alpha) for alpha in alphas]
    losses = np.stack([loss / plain_loss for loss, _ in pairs])
    slopes = np.stack([slope / plain_slope for _, slope in pairs])
    return iou, losses, slopes


def draw_alpha(path: Path, alphas: Sequence[float] = ALPHAS) -> None:
    """Draw the weights of loss and gradient over the IoU: Fig. 3 of the paper. The file appears when it is complete.

    Args:
        path: Picture to write, replaced if it exists; its suffix chooses the format, PNG without one.
        alphas: Powers to draw.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        StoreError: If the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(library="matplotlib", extra="plot") from error
    iou, losses, slopes = alpha_weights(alphas)
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes: Any = figure.subplots(1, 2)
    titles = ("Weight of the loss", "Weight of the gradient")
    for axis, rows, title in zip(axes, (losses, slopes), titles, strict=True):
        for alpha, row in zip(alphas, rows, strict=True):
            axis.plot(iou, row, label=f"α = {alpha:g}")
        axis.set(xlabel="IoU", ylabel="relative to α = 1", title=title, xlim=(0, 1), ylim=(0, 3.2))
        axis.grid(alpha=0.3)
    axes[0].legend()
    try:
        with published_file(path, overwrite=True) as stream:
            figure.savefig(stream, format=path.suffix.lower()[1:] or "png", dpi=110)
    except ValueError as error:
        raise StoreError(f"{path}: cannot write the picture ({error}); use .png, .svg or .pdf") from error
