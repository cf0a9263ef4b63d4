"""Crops for training and validation: what nobody knows is neither learned nor judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
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
from swathe.training.config import parse_config  # noqa: E402
from swathe.training.data import CropSet, LabelledCrop, open_sets  # noqa: E402


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


def test_crops_come_to_one_resolution_where_it_is_known(tmp_path: Path) -> None:
    """One image is georeferenced, one has a header, one says nothing: halved, halved again, and left as it is."""
    rasterio = pytest.importorskip("rasterio")
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    headers = {"header": "imagesource:GoogleEarth\ngsd:0.1\n", "none": "gsd:null\n", "placed": ""}
    for name, header in headers.items():
        Image.new("RGB", (200, 120)).save(tmp_path / "images" / f"{name}.png")
        (tmp_path / "labels" / f"{name}.txt").write_text(f"{header}40 40 80 40 80 60 40 60 ship 0\n")
    place = {"crs": "EPSG:32645", "transform": rasterio.Affine(0.2, 0, 500_000, 0, -0.2, 3_000_000)}
    (tmp_path / "images" / "placed.png").unlink()
    profile = {"driver": "GTiff", "width": 200, "height": 120, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "images" / "placed.tif", "w", **profile, **place) as file:
        file.write(np.full((3, 120, 200), 90, np.uint8))
    entry = {"kind": "dota", "images": str(tmp_path / "images"), "labels": str(tmp_path / "labels"), "resolution": 0.4}
    document = {"model": {"name": "a", "classes": ["ship"]}, "run": {"output": str(tmp_path / "run")}, "train": [entry]}
    config = parse_config(document, where="here")
    crops = {item.name.split("__")[0]: item for item in open_sets(config.train, config, 512, 512).crops}
    assert {name: (item.window.width, item.window.height) for name, item in crops.items()} == {
        "header": (50, 30),
        "none": (200, 120),
        "placed": (100, 60),
    }
    np.testing.assert_allclose(crops["header"].sample.boxes()[0, 2:4], (10, 5), atol=0.1)
    np.testing.assert_allclose(crops["placed"].sample.boxes()[0, 2:4], (20, 10), atol=0.1)
