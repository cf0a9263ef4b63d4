"""Two models on disk: the graph of known answers, and a small network with lively random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from requirements import need
from tiny_models import LIVELY, write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the graph of known answers."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "model.onnx")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the weights of a training run: size n, random, giving hundreds of objects in any picture."""
    need("torch")
    import torch

    from swathe.model.checkpoint import save_safetensors
    from swathe.model.yolov5 import YWCSL

    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(7)
        network = YWCSL(LIVELY).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                # Keeps the signal alive through all layers, which the usual start leaves to the normalisation.
                torch.nn.init.normal_(module.weight, std=1.8 / module.weight[0].numel() ** 0.5)
        pictures = torch.rand(2, 3, 24, 24).repeat_interleave(8, 2).repeat_interleave(8, 3)
        for head, level in zip(network.heads, network(pictures), strict=True):
            # Let each logit vary by 2 over such pictures, around -2 for the objectness and 0 for all others.
            weight, bias = head.get_parameter("weight"), head.get_parameter("bias")
            factor = 2.0 / level.std(dim=(0, 2, 3))
            weight *= factor[:, None, None, None]
            bias.copy_((bias - level.mean(dim=(0, 2, 3))) * factor)
            bias.view(3, -1)[:, 4] -= 2.0
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_safetensors(path, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, LIVELY)
    return path


@pytest.fixture(scope="session")
def exported(checkpoint: Path) -> Path:
    """Export the lively network beside its checkpoint."""
    need("onnxruntime")
    from swathe.detectors.export import export_onnx

    return export_onnx(checkpoint, checkpoint.with_suffix(".onnx")).path
