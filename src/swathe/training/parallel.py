"""One run in several processes, as `torchrun` starts them: each makes its share of the views of a step.

Gradients are added up, as they are over the batches that one process accumulates, so that two processes make the steps
that one makes with twice the accumulation. Processes on graphics cards are written and not measured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from swathe.errors import UsageError

LONGEST_WAIT = timedelta(hours=12)  # while the first process validates, the others wait


@dataclass(frozen=True)
class Peers:
    """This process among those that make the run."""

    rank: int  # from 0; the first one writes, validates and reports
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes, validates and reports."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all have come here."""
        if self.count > 1:
            distributed.barrier()

    def total(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place; return it."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def add_gradients(self, model: nn.Module) -> None:
        """Add up the gradients of a model over all processes, in place."""
        if self.count == 1:
            return
        found = [parameter for parameter in model.parameters() if parameter.requires_grad]
        own = [torch.zeros_like(each) if each.grad is None else each.grad for each in found]
        whole, start = self.total(torch.cat([gradient.flatten() for gradient in own])), 0
        for parameter in found:
            parameter.grad = whole[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()


@contextmanager
def joined(device: str) -> Iterator[Peers]:
    """Join the processes that `torchrun` started; without it this process is alone.

    Args:
        device: "cpu", or "cuda" for a graphics card of its own for each process.

    Yields:
        This process among the others.

    Raises:
        UsageError: If there is no such device.
    """
    rank, count, local = (int(os.environ.get(name, start)) for name, start in _ENVIRONMENT.items())
    if device == "cuda" and local >= torch.cuda.device_count():
        raise UsageError(f"run device is cuda, and this machine has {torch.cuda.device_count()} such cards; use cpu")
    place = torch.device("cpu") if device == "cpu" else torch.device("cuda", local)
    if count == 1:
        yield Peers(0, 1, place)
        return
    distributed.init_process_group("gloo" if device == "cpu" else "nccl", timeout=LONGEST_WAIT)
    try:
        yield Peers(rank, count, place)
    finally:
        distributed.destroy_process_group()


_ENVIRONMENT = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0}  # what torchrun sets, and its absence means
