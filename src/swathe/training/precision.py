"""Which precision a machine trains quicker in: asked of the machine, since some only emulate bfloat16."""

from __future__ import annotations

import copy
import time

import torch

from swathe.model.yolov5 import YWCSL
from swathe.training.config import Precision

ROUNDS = 2  # timed after one that warms up; the quickest counts


def choose_precision(wanted: Precision, model: YWCSL, batch: int, size: int) -> Precision:
    """Return the precision of a run.

    Args:
        wanted: As configured.
        model: The network; a copy of it is timed.
        batch: Views at once.
        size: Side of the views, pixels.

    Returns:
        `wanted`, or for "auto" the one whose forward and backward pass is quicker here.
    """
    if wanted != "auto":
        return wanted
    if next(model.parameters()).is_cuda:
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    trial = copy.deepcopy(model).train()
    images = torch.rand(batch, model.info.bands, size, size, generator=torch.Generator().manual_seed(0))
    images = images.contiguous(memory_format=torch.channels_last)
    precisions: tuple[Precision, Precision] = ("float32", "bfloat16")
    times: dict[Precision, list[float]] = {precision: [] for precision in precisions}
    for _ in range(1 + ROUNDS):  # in turns, so that other work on the machine slows both
        for precision in precisions:
            times[precision].append(_seconds(trial, images, precision))
    return min(precisions, key=lambda precision: min(times[precision][1:]))


def _seconds(model: YWCSL, images: torch.Tensor, precision: Precision) -> float:
    started = time.perf_counter()
    with autocast(precision):
        levels = model.outputs(images)
    torch.stack([level.objectness().square().mean() for level in levels]).sum().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - started


def autocast(precision: Precision, device: str = "cpu") -> torch.autocast:
    """Return the context of a forward pass in a precision, on a kind of device."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")
