"""Models of other makes: hand-made graphs of each layout, whose answers are known."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from known_graphs import DETECT, OBB, SIDE, ULTRALYTICS, rows, write_graph
from requirements import need
from swathe.boxes import to_polygons
from swathe.detectors.heads.layouts import LAYOUTS
from swathe.detectors.network import NetworkDetector
from swathe.detectors.protocol import DetectorSpec, Tile
from swathe.detectors.registry import open_detector, resolve_model
from swathe.errors import ModelError, UsageError
from swathe.testing.suites.detector import DetectorSuite

need("onnx")
need("onnxruntime")

PICTURE = np.zeros((SIDE, SIDE, 3), np.uint8)


def columns(*values: list[float]) -> npt.NDArray[np.float32]:
    """Return an output (1, columns, n) with more places than values in each, as exports have them."""
    padded = np.zeros((1, len(values[0]), 84), np.float32)
    padded[0, :, : len(values)] = np.array(values, np.float32).T
    return padded


def csl(*values: list[float]) -> npt.NDArray[np.float32]:
    """Return an output (1, n, 5 + 2 + 180); the last value of each row is the degree of its highest bin."""
    bins = np.zeros((len(values), 180), np.float32)
    bins[np.arange(len(values)), [int(row[-1]) + 90 for row in values]] = 0.9
    return np.concatenate([np.array([row[:-1] for row in values], np.float32), bins], axis=1)[None]


QUARTER, TURN = math.pi / 2, math.radians(30)
CARD = 'classes = ["ship", "plane"]\n'
# Every model sees a ship of 20 x 8 px at (30, 20) and a plane of 10 x 6 px at (40, 50), and something below the score.
UPRIGHT = [[30, 20, 20, 8, 0.0, 0.9, 0], [40, 50, 10, 6, -QUARTER, 0.8, 1]]
TURNED = [[30, 20, 20, 8, TURN, 0.9, 0], [40, 50, 10, 6, -QUARTER, 0.8, 1]]
CASES: dict[str, tuple[dict[str, npt.NDArray[Any]], dict[str, str], str, list[list[float]]]] = {
    "ultralytics-obb": (
        {
            "output0": columns(
                [30, 20, 8, 20, 0.9, 0.1, TURN + QUARTER],  # the shorter side first
                [40, 50, 10, 6, 0.3, 0.8, QUARTER],
                [1, 1, 5, 5, 0.2, 0.1, 0],
                [9, 9, -5, 5, 0.9, 0.1, 0],  # a negative side is no box
            )
        },
        OBB,
        "",
        TURNED,
    ),
    "ultralytics-obb-end2end": (
        {
            "output0": rows(
                [30, 20, 20, 8, 0.9, 0, TURN - 2 * math.pi], [40, 50, 6, 10, 0.8, 1, 0], [1, 1, 5, 5, 0.2, 0, 0]
            )
        },
        {**OBB, "end2end": "True"},
        "",
        TURNED,
    ),
    "ultralytics-detect": (
        {"output0": columns([30, 20, 20, 8, 0.9, 0.1], [40, 50, 6, 10, 0.3, 0.8], [1, 1, 5, 5, 0.2, 0.1])},
        DETECT,
        "",
        UPRIGHT,
    ),
    "ultralytics-detect-end2end": (
        {"output0": rows([20, 16, 40, 24, 0.9, 0], [37, 45, 43, 55, 0.8, 1], [0, 0, 5, 5, 0.2, 0])},
        DETECT,
        "",
        UPRIGHT,
    ),
    "ultralytics-rtdetr": (
        {
            "output0": rows(
                [30 / 64, 20 / 64, 20 / 64, 8 / 64, 0.9, 0], [40 / 64, 50 / 64, 6 / 64, 10 / 64, 0.8, 1], [0.1] * 6
            )
        },
        {**DETECT, "head": "RTDETRDecoder"},
        "",
        UPRIGHT,
    ),
    "yolov5-detect": (
        {"output": rows([30, 20, 20, 8, 0.9, 1, 0], [40, 50, 6, 10, 1, 0.1, 0.8], [1, 1, 5, 5, 0.2, 1, 0])},
        ULTRALYTICS,
        "",
        UPRIGHT,
    ),
    "yolov5-obb": (
        {"output": csl([30, 20, 20, 8, 0.9, 1, 0, -30], [40, 50, 10, 6, 1, 0.1, 0.8, -90], [1, 1, 5, 5, 0.2, 1, 0, 0])},
        {},
        CARD,
        TURNED,
    ),
    "detr-obb": (
        {
            "boxes": rows(
                [30 / 64, 20 / 64, 20 / 64, 8 / 64, 1 / 6], [40 / 64, 50 / 64, 10 / 64, 6 / 64, 0.5], [0.5] * 5
            ),
            "logits": rows([math.log(9), -9], [-9, math.log(4)], [-3, -3]),
        },
        {},
        CARD,
        TURNED,
    ),
}
CASES["rotated-boxes"] = (
    {
        "scores": rows([0.9, 0.1], [0.3, 0.8], [0.2, 0.1]),
        "boxes": rows([30, 20, 8, 20, TURN + QUARTER], [40, 50, 6, 10, 0], [1, 1, 5, 5, 0]),
    },
    {"task": "obb", "names": '{"0": "ship", "1": "plane"}'},  # as LibreYOLO says it, without stride
    "",
    TURNED,
)
CASES["oriented-det"] = (
    {
        "pre_nms_boxes": np.array(
            [[9, 9, 5, 5, 0], [30, 20, 8, 20, TURN + QUARTER], [0, 0, 0, 0, 0], [40, 50, 6, 10, 0]], np.float32
        ),
        "pre_nms_scores": np.array([0.1, 0.9, 0, 0.8], np.float32),
        "pre_nms_labels": np.array([1, 1, 0, 2]),
        "pre_nms_count": np.array(3),
    },
    {},
    CARD,
    TURNED,
)


def make_model(folder: Path, layout: str) -> Path:
    """Write the graph of a layout, and its card where it needs one."""
    outputs, metadata, card, _ = CASES[layout]
    if card:
        (folder / f"{layout}.toml").write_text(card)
    return write_graph(folder / f"{layout}.onnx", outputs, metadata)


def test_every_layout_has_a_graph() -> None:
    assert set(CASES) == set(LAYOUTS)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("layout", CASES)
def test_known_answers(tmp_path: Path, layout: str, backend: str) -> None:
    need(backend if backend == "openvino" else "onnxruntime")
    spec, card = resolve_model(make_model(tmp_path, layout), backend=backend)
    assert (card.layout, card.classes, card.input_size, spec.tile) == (layout, ("ship", "plane"), SIDE, SIDE)
    (found,) = open_detector(spec).detect([Tile(PICTURE, "scene", 1.0, 0, 0, SIDE, SIDE)])
    expected = np.array(CASES[layout][-1])
    np.testing.assert_allclose(to_polygons(found.boxes), to_polygons(expected[:, :5]), atol=1e-4)
    np.testing.assert_allclose(found.boxes, expected[:, :5], atol=1e-4)
    np.testing.assert_allclose(found.scores, expected[:, 5], atol=1e-5)
    assert found.classes.tolist() == expected[:, 6].tolist()


class TestForeign(DetectorSuite):
    """A model of another make keeps what every detector promises."""

    @pytest.fixture(params=list(CASES))
    def spec(self, request: pytest.FixtureRequest, tmp_path: Path) -> DetectorSpec:
        return resolve_model(make_model(tmp_path, request.param))[0]


def test_candidates_are_given_before_suppression(tmp_path: Path) -> None:
    double = columns([30, 20, 8, 20, 0.9, 0.1, 1.0], [30, 20, 8, 20, 0.8, 0.1, 1.0])
    detector = open_detector(resolve_model(write_graph(tmp_path / "double.onnx", {"output0": double}, OBB))[0])
    assert len(cast("NetworkDetector", detector).candidates([PICTURE])[0][1]) == 2
    assert len(detector.detect([Tile(PICTURE, "scene", 1.0, 0, 0, SIDE, SIDE)])[0]) == 1


@pytest.mark.parametrize(("count", "full"), [(3, True), (2, False)])
def test_a_tile_with_no_room_left_is_told(tmp_path: Path, count: int, full: bool) -> None:
    boxes = rows(*([20.0 * place, 20, 8, 8, 0.9 if place < count else 0.1, 0, 0] for place in range(3)))
    spec, card = resolve_model(write_graph(tmp_path / "few.onnx", {"output0": boxes}, OBB))
    assert card.most == 3
    (found,) = open_detector(spec).detect([Tile(PICTURE, "scene", 1.0, 0, 0, SIDE, SIDE)])
    assert found.full is full


def test_libreyolo_says_what_its_inputs_are(tmp_path: Path) -> None:
    outputs, metadata, _, _ = CASES["rotated-boxes"]
    path = write_graph(tmp_path / "nas.onnx", outputs, {**metadata, "model_family": "yolonas"})
    assert resolve_model(path)[1].colour_order == "BGR"
    path = write_graph(tmp_path / "gtr.onnx", outputs, {**metadata, "model_family": "gtr"})
    assert resolve_model(path)[1].mean == (0.485, 0.456, 0.406)


def test_an_export_of_mmdeploy_is_run_without_its_last_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    outputs = CASES["rotated-boxes"][0]
    whole = write_graph(tmp_path / "whole.onnx", {"b": outputs["boxes"], "s": outputs["scores"].transpose(0, 2, 1)})
    model = onnx.load(whole)
    model.graph.node.append(onnx.helper.make_node("NMSRotated", ["b", "s"], ["dets"], domain="mmdeploy"))
    model.opset_import.append(onnx.helper.make_opsetid("mmdeploy", 1))
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("dets", onnx.TensorProto.INT64, [None, 3]))
    onnx.save(model, whole)
    (tmp_path / "whole.toml").write_text(CARD)
    with pytest.raises(ModelError, match="mmdeploy"):
        resolve_model(whole)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "recipes"))
    importlib.import_module("cut_mmrotate").cut(whole, tmp_path / "cut.onnx")
    (tmp_path / "cut.toml").write_text(CARD)
    spec, card = resolve_model(tmp_path / "cut.onnx")
    assert card.layout == "rotated-boxes"
    (found,) = open_detector(spec).detect([Tile(PICTURE, "scene", 1.0, 0, 0, SIDE, SIDE)])
    np.testing.assert_allclose(found.boxes, np.array(TURNED)[:, :5], atol=1e-4)


def test_deepness_says_the_resolution(tmp_path: Path) -> None:
    values = {
        "model_type": "Detector",
        "det_type": "YOLO_Ultralytics_obb",
        "class_names": {"0": "ship", "1": "plane"},
        "resolution": 30,
        "det_conf": 0.4,
        "standardization_mean": [0.1, 0.2, 0.3],
        "standardization_std": [0.5, 0.5, 0.5],
    }
    metadata = {name: json.dumps(value) for name, value in values.items()}
    spec, card = resolve_model(write_graph(tmp_path / "deep.onnx", CASES["ultralytics-obb"][0], metadata))
    assert (card.layout, card.resolution, card.classes) == ("ultralytics-obb", 0.3, ("ship", "plane"))
    assert (spec.min_score, card.mean, card.deviation) == (0.4, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))


def test_the_file_beside_models_of_oriented_det_is_read(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "odet.onnx", CASES["oriented-det"][0])
    said = {
        "class_names": ["ship", "plane"],
        "score_threshold": 0.3,
        "normalize_mean": [0.4, 0.5, 0.6],
        "normalize_std": [0.2, 0.2, 0.2],
    }
    (tmp_path / "odet.export_meta.json").write_text(json.dumps(said))
    card = resolve_model(path)[1]
    assert (card.layout, card.min_score, card.mean) == ("oriented-det", 0.3, (0.4, 0.5, 0.6))


def test_the_card_goes_before_the_file(tmp_path: Path) -> None:
    path = make_model(tmp_path, "ultralytics-obb")
    (tmp_path / "ultralytics-obb.toml").write_text('classes = ["boat", "kite"]\nresolution = 0.5\nlicence = "own"\n')
    card = resolve_model(path)[1]
    assert (card.classes, card.resolution, card.licence) == (("boat", "kite"), 0.5, "own")


def test_an_open_input_takes_any_tile(tmp_path: Path) -> None:
    outputs, metadata, _, _ = CASES["ultralytics-obb"]
    path = write_graph(tmp_path / "open.onnx", outputs, metadata, side="side")
    assert resolve_model(path)[0].tile == 1024
    spec, card = resolve_model(path, tile=100)
    assert (card.input_size, card.stride) == (None, 32)
    picture = np.zeros((100, 100, 3), np.uint8)
    assert len(open_detector(spec).detect([Tile(picture, "scene", 1.0, 0, 0, 100, 100)])[0]) == 2


def test_other_tiles_than_the_only_one_are_refused(tmp_path: Path) -> None:
    path = make_model(tmp_path, "ultralytics-obb")
    with pytest.raises(UsageError, match="tile 1024: must be 64, the only"):
        resolve_model(path, tile=1024)


@pytest.mark.parametrize(
    ("metadata", "card", "told"),
    [
        ({}, "", r"does not say which classes.*model\.toml"),
        ({**ULTRALYTICS, "task": "segment"}, "", "made to segment"),
        ({"names": "{0: 'a', 2: 'b'}", "stride": "32"}, "", "cannot be read"),
        ({"names": "__import__('os')", "stride": "32"}, "", "cannot be read"),
        ({}, 'classes = ["a", "b", "c", "d"]\n', "how boxes stand in its outputs.*yolov5-obb"),
        ({}, 'classes = ["a"]\nlayout = "nonsense"\n', "one of ywcsl, ultralytics-obb"),
        ({}, 'classes = ["a"]\nlayout = "ywcsl"\n', "description"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, metadata: dict[str, str], card: str, told: str) -> None:
    path = write_graph(tmp_path / "model.onnx", CASES["ultralytics-obb"][0], metadata)
    if card:
        (tmp_path / "model.toml").write_text(card)
    with pytest.raises(ModelError, match=rf"model\.onnx: .*{told}"):
        open_detector(resolve_model(path)[0])


@pytest.mark.parametrize(
    ("layout", "classes", "told"),
    [("yolov5-obb", ("ship",), "needs 186 values"), ("ultralytics-obb-end2end", ("ship",), "gave class 1")],
)
def test_wrong_cards_are_told_when_boxes_are_read(
    tmp_path: Path, layout: str, classes: tuple[str, ...], told: str
) -> None:
    path = make_model(tmp_path, layout)
    (tmp_path / f"{layout}.toml").write_text(f'layout = "{layout}"\nclasses = {json.dumps(classes)}\n')
    detector = open_detector(resolve_model(path)[0])
    with pytest.raises(ModelError, match=rf"{layout}\.onnx: .*{told}"):
        detector.detect([Tile(PICTURE, "scene", 1.0, 0, 0, SIDE, SIDE)])


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    values = CASES["ultralytics-obb"][0]["output0"].copy()
    values[0, 2, 5] = np.nan
    detector = open_detector(resolve_model(write_graph(tmp_path / "nan.onnx", {"output0": values}, OBB))[0])
    with pytest.raises(ModelError, match=r"nan\.onnx: .*not finite"):
        detector.detect([Tile(PICTURE, "scene", 1.0, 0, 0, SIDE, SIDE)])
