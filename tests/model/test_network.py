"""The network: shapes, sizes and the arithmetic it costs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from swathe.errors import ModelError
from swathe.model.info import ModelInfo
from swathe.model.yolov5 import SIZES, YWCSL

FIFTEEN = tuple(f"class {number}" for number in range(15))

# GFLOP of one 1024 px tile with 16 classes, measured independently of this code
GFLOP = {"n": 12.7, "s": 44.6, "m": 128.9, "l": 284.0, "x": 532.0}


def macs(model: nn.Module, side: int) -> float:
    """Count multiplications of all convolutions by running the network on the meta device."""
    total = 0

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d)
        kernel = layer.kernel_size[0] * layer.kernel_size[1] * layer.in_channels
        total += kernel * output.shape[1] * output.shape[2] * output.shape[3]

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    model(torch.empty(1, 3, side, side, device="meta"))
    return total


@pytest.mark.parametrize("size", SIZES)
def test_cost_is_the_family_s(size: str) -> None:
    classes = tuple(f"class {number}" for number in range(16))
    with torch.device("meta"):
        model = YWCSL(ModelInfo("test", size, classes, 1024))
        assert 2 * macs(model, 1024) / 1e9 == pytest.approx(GFLOP[size], rel=0.02)


def test_one_tile_of_the_paper_gives_the_raw_maps_of_the_paper() -> None:
    with torch.device("meta"):
        maps = YWCSL(ModelInfo("test", "n", FIFTEEN, 1024))(torch.empty(1, 3, 1024, 1024))
    assert [tuple(raw.shape) for raw in maps] == [(1, 600, 128, 128), (1, 600, 64, 64), (1, 600, 32, 32)]
    assert sum(raw.numel() for raw in maps) // 200 == 64_512


def test_plain_yolov5n_has_its_known_number_of_weights() -> None:
    """Without angle bins and with 80 classes this is YOLOv5n: 1,872,157 weights, normalisation not folded in."""
    with torch.device("meta"):
        info = ModelInfo("test", "n", tuple(map(str, range(80))), 640, angle_bins=1)
        model = YWCSL(info)
    extra = sum(3 * (channels + 1) for channels in (64, 128, 256))  # our one angle bin
    assert sum(parameter.numel() for parameter in model.parameters()) - extra == 1_872_157


def test_background_scores_low_before_training() -> None:
    torch.manual_seed(0)
    model = YWCSL(ModelInfo("test", "n", ("a",), 64)).eval()
    with torch.no_grad():
        maps = model(torch.rand(1, 3, 64, 64))
    scores = torch.cat([raw.view(3, -1, raw.shape[2] * raw.shape[3])[:, 4].sigmoid().flatten() for raw in maps])
    assert float(scores.mean()) < 0.05


def test_refuses_unknown_sizes_and_strides() -> None:
    with pytest.raises(ModelError, match="sizes are n, s, m, l, x"):
        YWCSL(ModelInfo("test", "z", ("a",), 64))
    with pytest.raises(ModelError, match="strides"):
        YWCSL(ModelInfo("test", "n", ("a",), 64, strides=(4, 8, 16)))
