"""Exports an mmrotate model with random weights by mmdeploy, and writes down what the tool finds before suppression.

Runs in the tool's own environment: benchmarks/rivals/.venv-mmrotate/bin/python mmrotate_candidates.py FOLDER
The folder then holds rotated-retinanet.onnx, the export before its last operator, as recipes/cut_mmrotate.py cuts it;
rotated-retinanet.toml, its card; and rotated-retinanet.npz, as exports.py describes it.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import mmcv
import numpy as np
import torch
from exports import CLASSES, IMAGES, enliven, pictures, write


class NotCompiled(ModuleType):
    """Stands for mmcv's compiled operators, which would take a compiler and CUDA; only suppression needs them."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *given: given[2][:100]  # of boxes in the order of their scores


mmcv._ext = sys.modules["mmcv._ext"] = NotCompiled("mmcv._ext")  # noqa: SLF001

import mmdeploy.codebase.mmrotate  # noqa: E402, F401 registers what it rewrites
import mmrotate  # noqa: E402
from mmdeploy.apis.onnx import export  # noqa: E402
from mmrotate.core import obb2poly  # noqa: E402
from mmrotate.models import build_detector  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
from cut_mmrotate import cut  # noqa: E402

SIDE, NAME = 256, "rotated-retinanet"
CONFIG = "rotated_retinanet/rotated_retinanet_obb_r50_fpn_1x_dota_le90.py"
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
DEPLOY = {
    "onnx_config": {"type": "onnx", "input_shape": [SIDE, SIDE]},
    "backend_config": {"type": "onnxruntime"},
    "codebase_config": {
        "type": "mmrotate",
        "task": "RotatedDetection",
        "post_processing": {
            "score_threshold": 0.05,
            "iou_threshold": 0.1,
            "pre_top_k": -1,
            "keep_top_k": 2000,
            "max_output_boxes_per_class": 2000,
        },
    },
}


def make_model() -> torch.nn.Module:
    """Build a network of three classes whose random weights give lively scores."""
    torch.manual_seed(5)
    config = mmcv.Config.fromfile(str(Path(mmrotate.__file__).parent / ".mim" / "configs" / CONFIG)).model
    config.backbone.update(depth=18, norm_eval=False, frozen_stages=-1, init_cfg=None)
    config.neck.in_channels = [64, 128, 256, 512]
    config.bbox_head.num_classes = len(CLASSES)
    model = build_detector(config)
    head = model.bbox_head
    head.retina_cls.weight.data *= 0.5
    head.retina_cls.bias.data.fill_(-1.0)
    head.retina_reg.weight.data *= 0.2
    return model


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """Return the input of the network, (n, 3, side, side), as the configuration says it."""
    normal = (images.astype(np.float32) - np.float32(MEAN)) / np.float32(DEVIATION)
    return torch.from_numpy(normal).permute(0, 3, 1, 2)


@torch.no_grad()
def main(folder: Path) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    images, model = pictures(SIDE), make_model()
    tensors = as_tensor(images)
    model.forward = model.forward_dummy
    enliven(model, tensors)
    del model.forward  # its class's again, which mmdeploy rewrites
    metas = [{"img_shape": (SIDE, SIDE, 3), "scale_factor": 1.0}] * IMAGES
    found = []
    for boxes, scores in model.bbox_head.get_bboxes(*model.forward_dummy(tensors), img_metas=metas, with_nms=False):
        best, classes = scores[:, :-1].max(1)
        found.append((obb2poly(boxes, "le90").reshape(-1, 4, 2).numpy(), best.numpy(), classes.numpy()))
    write(folder / f"{NAME}.npz", images, found)
    whole = folder / "whole"
    export(
        model,
        tensors[:1],
        str(whole),
        backend="onnxruntime",
        input_metas={"img_metas": [metas[:1]], "return_loss": False, "rescale": False},
        context_info={"deploy_cfg": mmcv.Config(DEPLOY)},
        input_names=["input"],
        output_names=["dets", "labels"],
    )
    cut(whole.with_suffix(".onnx"), folder / f"{NAME}.onnx")
    whole.with_suffix(".onnx").unlink()
    mean, deviation = ([float(value) / 255 for value in values] for values in (MEAN, DEVIATION))
    card = f"classes = {list(CLASSES)}\nmean = {mean}\ndeviation = {deviation}\n"
    (folder / f"{NAME}.toml").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
