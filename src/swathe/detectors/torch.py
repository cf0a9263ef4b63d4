"""Detector on PyTorch: runs a training checkpoint as it is, and is what the other backends are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.detectors.base import RawMapDetector
from swathe.detectors.extras import install_hint
from swathe.detectors.protocol import DetectorSpec
from swathe.errors import MissingExtraError, ModelError
from swathe.model.checkpoint import load_safetensors
from swathe.model.decode import Maps
from swathe.model.info import ModelInfo

if TYPE_CHECKING:
    from swathe.model.yolov5 import YWCSL


class TorchDetector(RawMapDetector):
    """Runs the weights of a safetensors file eagerly on the CPU, channels last."""

    def __init__(self, spec: DetectorSpec) -> None:
        """Load the file.

        Args:
            spec: Path of the model, number of threads (of the whole process), side of the tiles.

        Raises:
            MissingExtraError: If PyTorch or safetensors is not installed.
            ModelError: If the file is missing, damaged, or its weights do not fit the described network.
            UsageError: If the tile of the specification has no pixels.
        """
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError(install_hint("PyTorch", "train")) from error
        network, info = load_network(Path(spec.path))
        super().__init__(spec, info)
        torch.set_num_threads(spec.threads)
        self._network = network.to(memory_format=torch.channels_last)

    def raw_maps(self, pixels: npt.NDArray[np.uint8]) -> Maps:
        """Run the network on one tile.

        Args:
            pixels: RGB, (tile, tile, 3).

        Returns:
            Per level, float32 logits (anchors * channels, grid height, grid width), in whatever memory layout.

        Raises:
            UsageError: If the pixels have another size or type.
        """
        import torch

        images = torch.from_numpy(self.pixels.fill(pixels)).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            return [level_map[0].numpy() for level_map in self._network(images)]


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
