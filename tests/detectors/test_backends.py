"""One suite over all backends: known answers, equality with PyTorch, and refusals."""

from __future__ import annotations

import math
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from requirements import need
from swathe.boxes import iou_matrix
from swathe.detectors.protocol import Detector, Tile, TileDetections
from swathe.detectors.registry import open_detector, resolve_model
from swathe.errors import MissingExtraError, ModelError, UsageError
from tiny_models import LIVELY, TINY, write_tiny

LIBRARIES = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}
PIXELS, RADIANS, SCORE = 0.02, 2e-3, 1e-3  # stated tolerance between backends


@pytest.fixture(params=["onnx", "openvino"])
def graph_backend(request: pytest.FixtureRequest) -> str:
    """Every backend that runs ONNX files."""
    need(LIBRARIES[request.param])
    return str(request.param)


@pytest.fixture(params=["onnx", "openvino", "torch"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend."""
    need(LIBRARIES[request.param])
    return str(request.param)


def picture(seed: int, tile: int) -> npt.NDArray[np.uint8]:
    """Noise of 8 pixel squares, so that every level has something to see."""
    squares = np.random.default_rng(seed).integers(0, 256, (-(-tile // 8), -(-tile // 8), 3), dtype=np.uint8)
    return squares.repeat(8, axis=0).repeat(8, axis=1)[:tile, :tile]


def make_tile(pixels: npt.NDArray[np.uint8], width: int | None = None, height: int | None = None) -> Tile:
    """Wrap pixels as a tile, of which the given part is valid, or all."""
    side = len(pixels)
    return Tile(pixels, "scene", 1.0, 0, 0, side if width is None else width, side if height is None else height)


def open_tiny(path: Path, backend: str, **settings: object) -> Detector:
    """Open the graph of known answers for tiles of 100 px, which are padded to 128."""
    spec, _ = resolve_model(path, backend=backend, **{"tile": 100, **settings})  # type: ignore[arg-type]
    return open_detector(spec)


def cells(*places: tuple[int, int, str], red: int = 0, tile: int = 100) -> npt.NDArray[np.uint8]:
    """Draw ships (red cells) and planes (yellow cells) at (row, column)."""
    pixels = np.zeros((tile, tile, 3), np.uint8)
    for row, column, kind in places:
        pixels[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8, red] = 255
        if kind == "plane":
            pixels[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8, 1] = 255
    return pixels


def share_equal(found: TileDetections, expected: TileDetections) -> float:
    """Share of the expected detections that were found again, within the stated tolerance."""
    difference = np.abs(found.boxes[None] - expected.boxes[:, None])
    equal = (difference[..., :4] < PIXELS).all(axis=2)
    equal &= np.minimum(difference[..., 4], math.pi - difference[..., 4]) < RADIANS
    equal &= np.abs(found.scores[None] - expected.scores[:, None]) < SCORE
    equal &= found.classes[None] == expected.classes[:, None]
    return float(equal.any(axis=1).mean())


def test_known_answers(tiny: Path, graph_backend: str) -> None:
    found = open_tiny(tiny, graph_backend).detect([make_tile(cells((2, 3, "ship"), (9, 7, "plane")))])[0]
    by_row = np.argsort(found.boxes[:, 1])
    turned = math.radians(-57.5)
    expected = [[3.5 * 8, 2.5 * 8, 30.0, 16.0, turned], [7.5 * 8, 9.5 * 8, 30.0, 16.0, turned]]
    np.testing.assert_allclose(found.boxes[by_row], expected, atol=1e-3)
    assert found.classes[by_row].tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, 1.0, atol=1e-3)


def test_blue_first_models_are_given_blue_first(tmp_path: Path, graph_backend: str) -> None:
    path = write_tiny(tmp_path / "bgr.onnx", replace(TINY, colour_order="BGR"))
    detector = open_tiny(path, graph_backend)
    assert len(detector.detect([make_tile(cells((2, 3, "ship")))])[0]) == 1
    assert len(detector.detect([make_tile(cells((2, 3, "ship"), red=2))])[0]) == 0


def test_neighbours_of_a_class_are_suppressed(tiny: Path, graph_backend: str) -> None:
    tile = make_tile(cells((4, 4, "ship"), (4, 5, "ship"), (5, 4, "plane")))
    assert sorted(open_tiny(tiny, graph_backend, iou=0.2).detect([tile])[0].classes) == [0, 1]
    assert sorted(open_tiny(tiny, graph_backend, iou=0.9).detect([tile])[0].classes) == [0, 0, 1]


def test_only_the_wanted_classes(tiny: Path, graph_backend: str) -> None:
    tile = make_tile(cells((2, 3, "ship"), (9, 7, "plane")))
    assert open_tiny(tiny, graph_backend, keep=("plane",)).detect([tile])[0].classes.tolist() == [1]


def test_padding_holds_no_objects(tiny: Path, graph_backend: str) -> None:
    detector = open_tiny(tiny, graph_backend)
    pixels = cells((2, 3, "ship"), (9, 7, "plane"))
    assert detector.detect([make_tile(pixels, width=60)])[0].classes.tolist() == [
        0
    ]  # the plane's centre is at column 60
    assert detector.detect([make_tile(pixels, height=20)])[0].classes.tolist() == []
    assert len(detector.detect([make_tile(pixels, width=61, height=77)])[0]) == 2


def test_buffers_do_not_leak_between_tiles(tiny: Path, graph_backend: str) -> None:
    detector = open_tiny(tiny, graph_backend)
    first = detector.detect([make_tile(cells((2, 3, "ship")))])[0]
    copy = TileDetections(first.boxes.copy(), first.scores.copy(), first.classes.copy())
    assert len(detector.detect([make_tile(cells((9, 7, "plane")))])[0]) == 1
    again = detector.detect([make_tile(cells((2, 3, "ship")))])[0]
    for before, kept, after in zip(*(vars(found).values() for found in (copy, first, again)), strict=True):
        np.testing.assert_array_equal(before, kept)
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("tile", [128, 200])
def test_boxes_equal_those_of_torch(exported: Path, backend: str, tile: int) -> None:
    need("torch")
    reference = open_detector(resolve_model(exported.parent, backend="torch", tile=tile)[0])
    detector = open_detector(resolve_model(exported.parent, backend=backend, tile=tile)[0])
    for seed in range(2):
        made = make_tile(picture(seed, tile))
        expected, found = reference.detect([made])[0], detector.detect([made])[0]
        assert len(expected) > 100
        # Random weights have a tie of two angle bins or classes now and then, which rounding may decide either way.
        assert share_equal(found, expected) >= 0.99
        assert share_equal(expected, found) >= 0.99


def test_fitted_tiles_may_have_any_shape(exported: Path, backend: str) -> None:
    need("torch")
    reference, detector = (
        open_detector(replace(resolve_model(exported.parent, backend=name, tile=256)[0], fitted=True))
        for name in ("torch", backend)
    )
    tiles = [make_tile(picture(3, 256)[:height, :width]) for height, width in ((128, 192), (256, 96), (128, 192))]
    tiles = [replace(tile, width=tile.pixels.shape[1], height=tile.pixels.shape[0]) for tile in tiles]
    found = [detector.detect([tile])[0] for tile in tiles]
    for tile, mine in zip(tiles, found, strict=True):
        expected = reference.detect([tile])[0]
        assert len(expected) > 60
        assert mine.boxes[:, 1].max() < tile.height
        assert share_equal(mine, expected) >= 0.99
    np.testing.assert_array_equal(found[0].boxes, found[2].boxes)
    with pytest.raises(UsageError, match="opened for 8-bit RGB tiles"):
        detector.detect([make_tile(picture(3, 512))])


def test_what_a_detector_promises(exported: Path, backend: str) -> None:
    spec, info = resolve_model(exported.parent, backend=backend, tile=200, iou=0.3, min_score=0.4)
    found = open_detector(spec).detect([make_tile(picture(5, 200), width=150)])[0]
    assert info.classes == LIVELY.classes
    assert len(found) > 10
    assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (np.float64, np.float64, np.int64)
    assert (np.diff(found.scores) <= 0).all()
    assert found.scores[-1] >= 0.4
    assert found.boxes[:, 0].max() < 150
    overlap = np.triu(iou_matrix(found.boxes, found.boxes), 1)
    assert overlap[found.classes[:, None] == found.classes[None, :]].max() <= 0.3


def test_tiles_of_another_size_are_refused(exported: Path, backend: str) -> None:
    detector = open_detector(resolve_model(exported.parent, backend=backend, tile=128)[0])
    with pytest.raises(UsageError, match="128 x 128 pixels"):
        detector.detect([make_tile(np.zeros((64, 64, 3), np.uint8))])[0]


def test_a_missing_library_is_named(exported: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = resolve_model(exported.parent, backend=backend, tile=128)
    monkeypatch.setitem(sys.modules, LIBRARIES[backend], None)
    extra = {"onnx": "onnx", "openvino": "openvino", "torch": "train"}[backend]
    with pytest.raises(MissingExtraError, match=rf"pip install 'swathe\[{extra}\]'"):
        open_detector(spec)
    with pytest.raises(MissingExtraError, match=rf"pip install 'swathe\[{extra}\]'"):
        resolve_model(exported.parent, backend=backend)


def test_graphs_of_other_classes_are_refused(tmp_path: Path, graph_backend: str) -> None:
    other = replace(TINY, classes=("ship", "plane", "harbor"))
    path = write_tiny(tmp_path / "mixed.onnx", TINY, other)
    with pytest.raises(ModelError, match=r"mixed\.onnx: output 'p3'.*\(None, 132, None, None\) instead of"):
        open_tiny(path, graph_backend)


def test_a_model_that_changed_is_refused(tmp_path: Path, graph_backend: str) -> None:
    path = write_tiny(tmp_path / "model.onnx")
    spec, _ = resolve_model(path, backend=graph_backend)
    write_tiny(path, replace(TINY, name="another"))
    with pytest.raises(ModelError, match="has changed since"):
        open_detector(spec)


def test_a_specification_of_other_classes_is_refused(tiny: Path, graph_backend: str) -> None:
    spec, _ = resolve_model(tiny, backend=graph_backend)
    with pytest.raises(ModelError, match="finds ship, plane, but boat were planned"):
        open_detector(replace(spec, classes=("boat",)))


def test_an_empty_graph_is_refused(tmp_path: Path, graph_backend: str) -> None:
    need("onnx")
    import onnx

    from swathe.detectors.files import seal_onnx

    path = tmp_path / "empty.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []), ir_version=8), str(path))
    seal_onnx(path, TINY.to_json())
    with pytest.raises(ModelError, match=r"empty\.onnx"):
        open_detector(resolve_model(path, backend=graph_backend)[0])


def test_weights_that_give_no_numbers_are_refused(tiny: Path, tmp_path: Path, graph_backend: str) -> None:
    need("onnx")
    import onnx

    from swathe.detectors.files import seal_onnx

    model = onnx.load(str(tiny))
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "p4.bias")
    weight.CopyFrom(onnx.numpy_helper.from_array(np.full(weight.dims[0], np.nan, np.float32), "p4.bias"))
    path = tmp_path / "nan.onnx"
    onnx.save(model, str(path))
    seal_onnx(path, TINY.to_json())
    with pytest.raises(ModelError, match=r"nan\.onnx.*not finite"):
        open_tiny(path, graph_backend).detect([make_tile(cells())])[0]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "pickle"])
@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_corrupt_weights_are_refused(exported: Path, tmp_path: Path, suffix: str, damage: str) -> None:
    data = bytearray(exported.with_suffix(suffix).read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 0x10
    contents = {
        "truncated": bytes(data[: len(data) // 2]),
        "flipped": bytes(data),
        "empty": b"",
        "text": b"these are no weights\n" * 99,
        "pickle": pickle.dumps({"weights": [0.5] * 999}),
    }
    path = tmp_path / f"best{suffix}"
    path.write_bytes(contents[damage])
    with pytest.raises(ModelError, match=rf"best{suffix}"):
        resolve_model(path)


def test_weights_of_another_network_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    need("torch")
    from swathe.model.checkpoint import load_safetensors, save_safetensors

    tensors, info = load_safetensors(checkpoint)
    path = tmp_path / "best.safetensors"
    save_safetensors(path, tensors, replace(info, classes=("ship",)))
    with pytest.raises(ModelError, match=r"best\.safetensors: the weights do not fit .* 1 classes"):
        open_detector(resolve_model(path)[0])
