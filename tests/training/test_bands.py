"""Images of more than three bands, from training to boxes; what only the fourth band shows is found by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from requirements import need
from swathe.errors import UsageError

need("torch")
need("cv2")

import torch  # noqa: E402 - after the check

import swathe  # noqa: E402
from swathe.datasets import dota  # noqa: E402
from swathe.datasets.augment import Augmentation  # noqa: E402
from swathe.detectors.export import export_onnx  # noqa: E402
from swathe.detectors.registry import resolve_model  # noqa: E402
from swathe.model.checkpoint import load_safetensors  # noqa: E402
from swathe.raster.opening import open_scene  # noqa: E402
from swathe.raster.pyramid import Level  # noqa: E402
from swathe.raster.reader import RasterReader  # noqa: E402
from swathe.raster.window import Window  # noqa: E402
from swathe.training.config import TrainingConfig, parse_config  # noqa: E402
from swathe.training.data import make_batch, open_sets  # noqa: E402
from swathe.training.loop import train  # noqa: E402


@pytest.fixture(scope="module", params=[4, 5])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """One image, one object, seen by the last band alone."""
    folder, bands = tmp_path_factory.mktemp("bands"), int(request.param)
    for name in ("images", "labels"):
        (folder / name).mkdir()
    pixels = np.random.default_rng(0).integers(20, 60, (bands, 128, 128)).astype(np.uint8)
    pixels[-1, 50:66, 40:90] = 240
    shape = {"width": 128, "height": 128, "count": bands, "dtype": "uint8", "photometric": "minisblack"}
    with rasterio.open(folder / "images" / "a.tif", "w", driver="GTiff", **shape) as file:
        file.write(pixels)
    corners = np.array([[[40, 50], [90, 50], [90, 66], [40, 66]]], float)
    dota.write_labels(folder / "labels" / "a.txt", corners, ["bar"], np.zeros(1, np.bool_))
    return folder, bands


def config(folder: Path, bands: int, output: Path, **model: object) -> TrainingConfig:
    data = {"kind": "dota", "labels": str(folder / "labels"), "images": str(folder / "images")}
    return parse_config(
        {
            "model": {"name": "many", "classes": ["bar"], "input_size": 64, **model},
            "run": {"output": str(output), "tile": 128, "stride": 128, "threads": 1},
            "schedule": {"epochs": 1, "batch": 1, "nominal_batch": 1, "optimiser": "adamw", "learning_rate": 0.001},
            "train": [{**data, "bands": list(range(1, bands + 1))}],
            "validate": [{**data, "bands": list(range(1, bands + 1))}],
        },
        where="test",
    )


def test_training_export_and_detection_see_all_bands(many: tuple[Path, int], tmp_path: Path) -> None:
    folder, bands = many
    result = train(config(folder, bands, tmp_path / "run"))
    tensors, info = load_safetensors(result.last)
    assert info.bands == bands
    assert tensors["backbone.stem.conv.weight"].shape[1] == bands
    export_onnx(result.last, tmp_path / "many.onnx")
    _, card = resolve_model(tmp_path / "many.onnx", min_score=0.0)
    assert card.bands == bands
    image = folder / "images" / "a.tif"
    found = swathe.detect(image, tmp_path / "many.onnx", min_score=0.001, workers=0, tile=128)
    asked = {"min_score": 0.001, "workers": 0, "tile": 128}
    same = swathe.detect(image, tmp_path / "many.onnx", bands=range(1, bands + 1), **asked)
    other = swathe.detect(image, tmp_path / "many.onnx", bands=[*range(1, bands), 1], **asked)
    assert len(found)
    np.testing.assert_array_equal(found.boxes, same.boxes)
    assert not np.array_equal(found.scores, other.scores)
    with pytest.raises(UsageError, match=f"{bands} bands"):
        swathe.detect(image, tmp_path / "many.onnx", bands=(1, 2, 3), **asked)
    with pytest.raises(UsageError, match="3 bands"):
        swathe.detect(image, "buildings", bands=range(1, bands + 1), **asked)


def test_weights_that_saw_three_bands_are_widened(many: tuple[Path, int], tmp_path: Path) -> None:
    folder, bands = many
    three = train(config(folder, 3, tmp_path / "three"))
    tensors, _ = load_safetensors(three.last)
    settings = config(folder, bands, tmp_path / "wide", initial=str(three.last))
    settings = replace(settings, schedule=replace(settings.schedule, learning_rate=1e-12))
    wide, _ = load_safetensors(train(settings).last)
    kernel = torch.from_numpy(np.array(tensors["backbone.stem.conv.weight"]))
    expected = torch.cat((kernel, kernel.mean(dim=1, keepdim=True).repeat(1, bands - 3, 1, 1)), dim=1) * 3 / bands
    np.testing.assert_allclose(wide["backbone.stem.conv.weight"], expected, atol=1e-6)


def test_views_have_all_bands_in_their_places(many: tuple[Path, int], tmp_path: Path) -> None:
    folder, bands = many
    settings = config(folder, bands, tmp_path / "run")
    crops = open_sets(settings.train, settings, 128, 128)
    wild = Augmentation(mosaic=1.0, mixup=1.0, grey=1.0)
    for seed in range(3):
        batch = make_batch(crops, 0, 2, 64, wild, seed)
        assert batch.images.shape == (2, 64, 64, bands)
        seen = batch.images[..., -1] > 150
        if seen.any():
            assert batch.images[..., -1][seen].mean() > 1.5 * batch.images[..., 0][seen].mean()


@pytest.mark.parametrize("scale", [0.5, 0.7, 1.5])
def test_each_band_is_resampled_as_it_is_alone(many: tuple[Path, int], scale: float) -> None:
    folder, bands = many
    image = folder / "images" / "a.tif"
    level = Level.of(128, 128, scale)
    window = Window(3, 5, 50, 40)

    def read(*chosen: int) -> np.ndarray:
        with RasterReader(open_scene(image, bands=chosen)) as reader:
            return reader.read(level, window).pixels

    together = read(*range(1, bands + 1))
    for band in range(bands):
        np.testing.assert_array_equal(together[..., band], read(band + 1)[..., 0])


def test_sets_of_different_bands_are_refused(many: tuple[Path, int], tmp_path: Path) -> None:
    folder, bands = many
    settings = config(folder, bands, tmp_path / "run")
    with pytest.raises(UsageError, match="name as many"):
        replace(settings, validate=(replace(settings.validate[0], bands=None),))
    with pytest.raises(UsageError, match="three or more"):
        replace(settings.train[0], bands=(1, 2))
