"""PyTorch: runs a training checkpoint as it is, and is what the other backends are compared with."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from swathe.detectors.card import ModelCard, make_card, values_beside
from swathe.detectors.heads import ywcsl_head
from swathe.detectors.heads.head import Outputs
from swathe.detectors.heads.ywcsl import card_values
from swathe.detectors.network import NetworkDetector, Run
from swathe.detectors.pixels import PixelBuffer
from swathe.detectors.protocol import DetectorSpec
from swathe.errors import MissingExtraError, ModelError
from swathe.model.checkpoint import load_safetensors
from swathe.model.info import ModelInfo

if TYPE_CHECKING:
    from swathe.model.yolov5 import YWCSL


class TorchBackend:
    """Runs the weights of a safetensors file eagerly on the CPU."""

    suffixes = frozenset({".safetensors"})

    def describe(self, path: str) -> ModelCard:
        """Say what a training checkpoint holds.

        Args:
            path: The file; a card beside it goes before what the file says.

        Returns:
            The card.

        Raises:
            MissingExtraError: If PyTorch or safetensors is not installed.
            ModelError: If the file is missing or damaged.
        """
        _need_torch()
        file = Path(path)
        return make_card(card_values(load_safetensors(file)[1]) | values_beside(file), where=file)

    def open(self, spec: DetectorSpec) -> NetworkDetector:
        """Load a training checkpoint.

        Args:
            spec: Path of the model, number of threads (of the whole process), side of the tiles.

        Returns:
            The detector.

        Raises:
            MissingExtraError: If PyTorch or safetensors is not installed.
            ModelError: If the file is missing, damaged, or its weights do not fit the described network.
            UsageError: If the tile of the specification has no pixels.
        """
        _need_torch()
        import torch

        torch.set_num_threads(spec.threads)
        return around(load_network(Path(spec.path))[0], spec)


BACKEND = TorchBackend()


def around(network: YWCSL, spec: DetectorSpec, *, lazy: bool = True) -> NetworkDetector:
    """Make a detector of a network in memory.

    Args:
        network: In evaluation mode.
        spec: Lowest score, threshold of the suppression, side of the tiles.
        lazy: Whether to compute the angle bins where something is found, instead of everywhere.

    Returns:
        The detector, which runs the network channels last.

    Raises:
        ModelError: If the network finds other classes than the specification.
        UsageError: If the tile of the specification has no pixels.
    """
    import torch

    layers, angles = network.split() if lazy else (network, [])
    head = ywcsl_head(spec, network.info, angles)
    card = spec.card or make_card(card_values(network.info), where=Path(spec.path))
    layers, device = layers.to(memory_format=torch.channels_last), next(network.parameters()).device

    def prepare(height: int, width: int) -> tuple[PixelBuffer, Run]:
        pixels = PixelBuffer(card, height, width, spec.batch)

        def run() -> Outputs:
            images = torch.from_numpy(pixels.array).to(device).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                return [level_map.cpu().numpy() for level_map in layers(images)]

        return pixels, run

    return NetworkDetector(spec, head, prepare)


def _need_torch() -> None:
    """Refuse to go on without PyTorch; that it is there is seen without the seconds of loading it."""
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError(library="PyTorch", extra="train")


def load_network(path: Path) -> tuple[YWCSL, ModelInfo]:
    """Build the network of a checkpoint and load its weights.

    Args:
        path: A safetensors file written by training.

    Returns:
        The network in evaluation mode, and its description.

    Raises:
        MissingExtraError: If the library that reads weights is not installed.
        ModelError: If the file is missing, damaged, or its weights do not fit the described network.
    """
    import torch

    from swathe.model.yolov5 import YWCSL

    tensors, info = load_safetensors(path)
    network = YWCSL(info).eval()
    try:
        # A copy, because the arrays are read-only views of the file's bytes.
        network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    except RuntimeError as error:
        raise ModelError(
            f"{path}: the weights do not fit a network of size {info.size} with {len(info.classes)} classes "
            f"({str(error).splitlines()[-1].strip()}); use the file as training wrote it"
        ) from error
    return network, info
