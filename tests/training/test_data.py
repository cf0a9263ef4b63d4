"""Crops for training and validation: what nobody knows is neither learned nor judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
from PIL import Image

from requirements import need
from swathe.datasets.augment import TrainingImage
from swathe.datasets.sample import Sample

need("torch")
need("cv2")

import torch  # noqa: E402 - after the check

from swathe.detectors.protocol import DetectorSpec  # noqa: E402
from swathe.detectors.torch import around  # noqa: E402
from swathe.model.info import ModelInfo  # noqa: E402
from swathe.model.yolov5 import YWCSL  # noqa: E402
from swathe.raster.opening import open_scene  # noqa: E402
from swathe.raster.pyramid import Level  # noqa: E402
from swathe.raster.window import Window  # noqa: E402
from swathe.training import validate  # noqa: E402
from swathe.training.data import CropSet, LabelledCrop  # noqa: E402


def test_an_area_that_also_touches_the_crop_in_a_line_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "plain.png")
    scene = open_scene(tmp_path / "plain.png")
    area = shapely.GeometryCollection([shapely.box(0, 0, 16, 32), shapely.LineString([(32, 0), (32, 8)])])
    nothing = Sample("plain", None, np.empty((0, 4, 2)), (), np.empty(0, np.bool_))
    level, window, labelled = Level.of(32, 32, 1.0), Window(0, 0, 32, 32), np.array([True])
    image = CropSet([LabelledCrop(scene, level, window, nothing, area, labelled)], ("ship",), 2**20).load(0)
    assert not image.ignore[:, :16].any()
    assert image.ignore[:, 17:].all()


def test_validation_does_not_judge_classes_that_a_set_does_not_label() -> None:
    torch.manual_seed(0)
    model = YWCSL(ModelInfo("two", "n", ("ship", "plane"), 64)).eval()
    for head in model.heads:
        head.get_parameter("bias").data.view(3, -1)[:, 4:7] = torch.tensor([4.0, 1.0, 1.0])
        torch.nn.init.normal_(head.get_parameter("weight"), std=0.5)
    spec = DetectorSpec("torch", "two", model.info.classes, "", 0.01, 0.3, tile=64)
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    every, ships = (
        validate._detect(
            around(model, spec),
            TrainingImage(pixels, np.empty((0, 5)), np.empty(0, np.int64), np.zeros((64, 64), np.uint8), known),
        )
        for known in (np.array([True, True]), np.array([True, False]))
    )
    assert set(every.classes.tolist()) == {0, 1}
    np.testing.assert_array_equal(ships.boxes, every.boxes[every.classes == 0])
    assert set(ships.classes.tolist()) == {0}
