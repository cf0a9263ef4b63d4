"""What changes over a run: the learning rate, the averaged weights, alpha."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from swathe.model.lite import LiteBackbone
from swathe.model.yolov5 import YWCSL
from swathe.training.config import ScheduleSettings


def learning_rate(settings: ScheduleSettings, step: int, warmup: int, total: int) -> float:
    """Return the learning rate of a step: a straight rise, then a cosine down to the final share.

    Args:
        settings: Peak and final share.
        step: Number of the optimiser step, from 0.
        warmup: Steps of the rise.
        total: Steps of the run.

    Returns:
        The learning rate.
    """
    progress = min(1.0, step / max(1, total - 1))
    share = settings.final_share + (1.0 - settings.final_share) * (1.0 + math.cos(math.pi * progress)) / 2.0
    return settings.learning_rate * share * min(1.0, (step + 1) / max(1, warmup))


def alpha_at(start: float, end: float | None, progress: float) -> float:
    """Return alpha on the straight line from start to end; constant without an end.

    Args:
        start: Alpha at the beginning.
        end: Alpha at the end, or None.
        progress: Share of the run that is done, 0..1.

    Returns:
        Alpha.
    """
    return start if end is None else start + (end - start) * progress


def radius_at(start: float, end: float | None, progress: float) -> float:
    """Return the radius of the angle's label, changed by the same factor in each step; constant without an end.

    Args:
        start: Radius at the beginning, bins.
        end: Radius at the end, bins, or None.
        progress: Share of the run that is done, 0..1.

    Returns:
        The radius, bins.
    """
    return start if end is None else start * (end / start) ** progress


class AveragedWeights:
    """Exponential moving average of a model's floating-point state; what is validated and kept."""

    def __init__(self, model: nn.Module, decay: float, ramp: float) -> None:
        """Start at the model's weights; the decay approaches its value over `ramp` steps."""
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.decay = decay
        self.ramp = ramp

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights after optimiser step `step` (from 0)."""
        decay = self.decay * (1.0 - math.exp(-(step + 1) / self.ramp))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1.0 - decay)
            else:
                self.state[name].copy_(tensor)


def make_optimiser(model: YWCSL, settings: ScheduleSettings) -> torch.optim.Optimizer:
    """Make the optimiser: kernels decay, biases and normalisation do not; pretrained parameters are changed slowly.

    Args:
        model: The network.
        settings: Kind, learning rate, momentum (the first beta of AdamW) and weight decay.

    Returns:
        SGD with Nesterov momentum, or AdamW; the "share" of a group is that of the learning rate.
    """
    slow = {id(parameter) for parameter in _pretrained(model)}
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": decay, "share": share}
        for share in (1.0, settings.backbone_share)
        for decay in (settings.weight_decay, 0.0)
    ]
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups[2 * (id(parameter) in slow) + (parameter.ndim <= 1)]["params"].append(parameter)
    groups = [group for group in groups if group["params"]]
    fused = all(parameter.is_cuda for group in groups for parameter in group["params"])
    rate, momentum = settings.learning_rate, settings.momentum
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=(momentum, 0.999), fused=fused)
    return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=True, fused=fused)


def _pretrained(model: YWCSL) -> Iterable[nn.Parameter]:
    return model.backbone.pretrained_parameters() if isinstance(model.backbone, LiteBackbone) else ()
