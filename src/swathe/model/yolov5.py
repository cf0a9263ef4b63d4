"""YWCSL's network: YOLOv5 v6.0 with 180 more channels per anchor for the angle.

Read from `YWCSL.forward` upwards. Shapes are (batch, channels, height, width); /8 means one eighth of the
input's height and width. Layer facts: the YOLOv5 v6.0 release; head: circular smooth label.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from swathe.errors import ModelError
from swathe.model.info import Angles, ModelInfo
from swathe.model.layers import C3, SPPF, Convolution
from swathe.model.lite import LiteBackbone
from swathe.model.outputs import LazyOutput

# size -> (depth multiple, width multiple)
SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
LITE = "lite0"  # EfficientNet-Lite0 instead of CSPDarknet, below the neck and heads of size n


class Backbone(nn.Module):
    """CSPDarknet of YOLOv5 v6.0: features at /8, /16 and /32."""

    def __init__(
        self, c1: int, c2: int, c3: int, c4: int, c5: int, depths: tuple[int, int, int, int], bands: int
    ) -> None:
        """Create the stages; `c1` to `c5` are the channels at /2 to /32."""
        super().__init__()
        self.stem = Convolution(bands, c1, 6, 2, 2)
        self.stage2 = nn.Sequential(Convolution(c1, c2, 3, 2), C3(c2, c2, depths[0]))
        self.stage3 = nn.Sequential(Convolution(c2, c3, 3, 2), C3(c3, c3, depths[1]))
        self.stage4 = nn.Sequential(Convolution(c3, c4, 3, 2), C3(c4, c4, depths[2]))
        self.stage5 = nn.Sequential(Convolution(c4, c5, 3, 2), C3(c5, c5, depths[3]), SPPF(c5))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, bands, h, w) -> features (b, c3, /8), (b, c4, /16), (b, c5, /32)."""
        p3 = self.stage3(self.stage2(self.stem(images)))
        p4 = self.stage4(p3)
        return p3, p4, self.stage5(p4)


class Neck(nn.Module):
    """Path aggregation: down the pyramid by upsampling, up again by strided convolutions."""

    def __init__(self, c3: int, c4: int, c5: int, depth: int) -> None:
        """Create the layers; `c3` to `c5` are the channels of the three levels."""
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.reduce5 = Convolution(c5, c4, 1)
        self.down4 = C3(2 * c4, c4, depth, shortcut=False)
        self.reduce4 = Convolution(c4, c3, 1)
        self.out3 = C3(2 * c3, c3, depth, shortcut=False)
        self.stride3 = Convolution(c3, c3, 3, 2)
        self.out4 = C3(2 * c3, c4, depth, shortcut=False)
        self.stride4 = Convolution(c4, c4, 3, 2)
        self.out5 = C3(2 * c4, c5, depth, shortcut=False)

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Three feature maps -> three feature maps of the same shapes."""
        lateral5 = self.reduce5(p5)
        lateral4 = self.reduce4(self.down4(torch.cat((self.upsample(lateral5), p4), dim=1)))
        out3 = self.out3(torch.cat((self.upsample(lateral4), p3), dim=1))
        out4 = self.out4(torch.cat((self.stride3(out3), lateral4), dim=1))
        out5 = self.out5(torch.cat((self.stride4(out4), lateral5), dim=1))
        return out3, out4, out5


class YWCSL(nn.Module):
    """The whole detector: raw maps at /8, /16 and /32, nothing decoded.

    Attributes:
        info: Description of the model; its size, classes, anchors and angle bins shape the network.
    """

    def __init__(self, info: ModelInfo) -> None:
        """Create the network with fresh weights.

        Args:
            info: Size (n, s, m, l, x, lite0), classes, anchors per level and angle bins.

        Raises:
            ModelError: If the size is unknown or the levels are not /8, /16, /32.
            MissingExtraError: If the size is lite0 and timm is not installed.
        """
        super().__init__()
        if info.size not in (*SIZES, LITE):
            raise ModelError(f"model {info.name!r} has size {info.size!r}; the sizes are {', '.join(SIZES)} and {LITE}")
        if info.strides != (8, 16, 32):
            raise ModelError(f"model {info.name!r} has strides {info.strides}; the network makes 8, 16 and 32")
        self.info = info
        depth, width = SIZES["n" if info.size == LITE else info.size]
        c1, c2, c3, c4, c5 = (math.ceil(channels * width / 8) * 8 for channels in (64, 128, 256, 512, 1024))
        d3, d6, d9 = (max(round(count * depth), 1) for count in (3, 6, 9))
        self.backbone: Backbone | LiteBackbone = (
            LiteBackbone(c3, c4, c5, info.bands)
            if info.size == LITE
            else Backbone(c1, c2, c3, c4, c5, (d3, d6, d9, d3), info.bands)
        )
        self.neck = Neck(c3, c4, c5, d3)
        outputs = info.anchors_per_cell * info.channels
        self.heads = nn.ModuleList(nn.Conv2d(channels, outputs, 1) for channels in (c3, c4, c5))
        self._start_biases()

    def _start_biases(self) -> None:
        """Start from the scores that background deserves, so that the first steps do not only learn rarity."""
        classes = len(self.info.classes)
        for head, stride in zip(self.heads, self.info.strides, strict=True):
            bias = head.get_parameter("bias").data.view(self.info.anchors_per_cell, -1)
            bias[:, 4] = math.log(8 / (640 / stride) ** 2)  # about 8 objects in a 640 px image
            bias[:, 5 : 5 + classes] = _logit(0.6 / classes)
            bias[:, 5 + classes :] = _logit(min(0.5, 5.0 / self.info.angle_bins))  # a window of radius 2 sums to 5

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the raw maps.

        Args:
            images: (b, bands, h, w), stored values times `info.input_scale`; h and w multiples of 32.

        Returns:
            One (b, anchors * channels, h / stride, w / stride) map of logits per level. Channels of an anchor:
            cx, cy, w, h, objectness, classes, angle bins.
        """
        features = self.neck(*self.backbone(images))
        return [head(feature) for head, feature in zip(self.heads, features, strict=True)]

    def split(self) -> tuple[SplitHeads, list[Angles]]:
        """Take the angle bins out of the network, which are needed for objects alone.

        Returns:
            The network without them, which shares the weights of all other layers, and per level what computes them.
        """
        anchors, channels, bins = self.info.anchors_per_cell, self.info.channels, self.info.angle_bins
        heads, angles = [], []
        for head in self.heads:
            weight = head.get_parameter("weight").detach().view(anchors, channels, -1)
            bias = head.get_parameter("bias").detach().view(anchors, channels)
            rest = nn.Conv2d(weight.shape[2], anchors * (channels - bins), 1)
            rest.weight.data = weight[:, : channels - bins].flatten(0, 1)[:, :, None, None].clone()
            rest.get_parameter("bias").data = bias[:, : channels - bins].flatten().clone()
            heads.append(rest)
            turned = weight[:, channels - bins :].transpose(1, 2).contiguous()
            angles.append((turned.numpy(), bias[:, channels - bins :].contiguous().numpy()))
        return SplitHeads(self, heads).eval(), angles

    def outputs(self, images: Tensor) -> list[LazyOutput]:
        """Compute what the loss needs; see `forward`.

        Args:
            images: As for `forward`.

        Returns:
            The output of each level.
        """
        features = self.neck(*self.backbone(images))
        return [
            LazyOutput(feature, head, self.info)
            for head, feature in zip(self.heads, features, strict=True)
            if isinstance(head, nn.Conv2d)
        ]


class SplitHeads(nn.Module):
    """A detector whose maps have no angle bins; its features, from which these are computed, come after the maps."""

    def __init__(self, network: YWCSL, heads: list[nn.Conv2d]) -> None:
        """Share backbone and neck of a network."""
        super().__init__()
        self.backbone, self.neck, self.heads = network.backbone, network.neck, nn.ModuleList(heads)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(b, 3, h, w) -> per level, (b, anchors * (5 + classes), grid) maps; then (b, channels, grid) features."""
        features = self.neck(*self.backbone(images))
        return [*(head(feature) for head, feature in zip(self.heads, features, strict=True)), *features]


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))
