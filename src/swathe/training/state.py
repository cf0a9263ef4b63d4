"""The state of a run on disk: enough to go on as if it had never stopped. Safetensors and JSON, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from swathe.atomic import published_file
from swathe.errors import ModelError
from swathe.training.config import Precision
from swathe.training.schedule import AveragedWeights

KEY = "swathe-training"


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    steps: int  # optimiser steps done
    config: str  # hash of the settings that shape the run
    seconds: float  # training time so far
    best: float  # best validation score so far, -1 before the first
    anchors: tuple[tuple[tuple[float, float], ...], ...]  # in use
    precision: Precision = "float32"  # of the forward pass, in use


def save_state(
    path: Path, model: nn.Module, average: AveragedWeights, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write the state of a run, whole or not at all.

    Args:
        path: File to replace.
        model: The network as it is trained.
        average: Its averaged weights.
        optimiser: Its buffers are kept.
        progress: Where the run stands.

    Raises:
        StoreError: If the file cannot be written.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state.items()}
    for index, parameter in enumerate(_parameters(optimiser)):
        for name, value in optimiser.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with published_file(path, overwrite=True) as stream:
        stream.write(save_tensors(plain, {KEY: json.dumps(vars(progress))}))


def read_progress(path: Path) -> tuple[dict[str, Tensor], Progress]:
    """Read a state file.

    Args:
        path: File written by `save_state`.

    Returns:
        Its tensors, and where the run stands.

    Raises:
        ModelError: If the file is damaged.
    """
    try:
        data = path.read_bytes()
        tensors = load_tensors(data)
        metadata: Mapping[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        values = json.loads(metadata[KEY])
        anchors = tuple(tuple((float(pair[0]), float(pair[1])) for pair in level) for level in values["anchors"])
        return tensors, Progress(**{**values, "anchors": anchors})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: the state of the run is damaged ({error}); delete its folder to start anew"
        ) from error


def restore(
    tensors: Mapping[str, Tensor], model: nn.Module, average: AveragedWeights, optimiser: torch.optim.Optimizer
) -> None:
    """Put tensors of a state file back in their places.

    Args:
        tensors: As `read_progress` returned them.
        model: Network to fill.
        average: Averaged weights to fill.
        optimiser: Optimiser to fill.
    """
    model.load_state_dict({name.removeprefix("model."): value for name, value in _of(tensors, "model.")})
    for name, value in _of(tensors, "average."):
        average.state[name.removeprefix("average.")].copy_(value)
    parameters = _parameters(optimiser)
    for name, value in _of(tensors, "optimiser."):
        _, index, key = name.split(".", 2)
        parameter = parameters[int(index)]
        # a buffer has its parameter's memory layout, or the next sums would be ordered otherwise
        same_shape = value.shape == parameter.shape
        optimiser.state[parameter][key] = (
            torch.empty_like(parameter).copy_(value) if same_shape else value.to(parameter.device)
        )


def _of(tensors: Mapping[str, Tensor], prefix: str) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in tensors.items() if name.startswith(prefix)]


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
