"""Pictures in memory become files that hold the same pixels, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

import swathe
from swathe.errors import UsageError
from swathe.raster.arrays import TYPES, is_picture, write_picture

pytestmark = pytest.mark.filterwarnings(f"ignore::{NotGeoreferencedWarning.__module__}.NotGeoreferencedWarning")


def noise(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray[Any, Any]:
    return (np.random.default_rng(7).random(shape) * 250).astype(dtype)


def read(path: Path) -> np.ndarray[Any, Any]:
    with rasterio.open(path) as file:
        assert file.crs is None
        return np.moveaxis(file.read(), 0, 2)


@pytest.mark.parametrize("dtype", TYPES)
def test_pixels_come_back_as_they_were(dtype: str, tmp_path: Path) -> None:
    pixels = noise((300, 520, 3), dtype)
    views = {
        "plain": pixels,
        "turned": np.asfortranarray(pixels),
        "swapped": pixels.astype(pixels.dtype.newbyteorder()),
    }
    for name, view in views.items():
        found = read(write_picture(view, tmp_path / f"{name}.tif"))
        assert found.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (5, 7, 4), (3, 3, 3), (2000, 3, 2)])
def test_shapes(shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = noise(shape)
    found = read(write_picture(pixels, tmp_path / "scene.tif"))
    np.testing.assert_array_equal(found.reshape(shape), pixels)


def test_four_bands_of_an_array_are_no_alpha_and_those_of_an_image_are(tmp_path: Path) -> None:
    pixels = noise((9, 8, 4))
    for picture, last in ((pixels, ColorInterp.undefined), (Image.fromarray(pixels, "RGBA"), ColorInterp.alpha)):
        path = write_picture(picture, tmp_path / "scene.tif")
        with rasterio.open(path) as file:
            assert file.colorinterp[3] == last
        np.testing.assert_array_equal(read(path), pixels)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LA", "F"])
def test_images_of_pillow(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(noise((40, 30, 3))).convert(mode)
    found = read(write_picture(image, tmp_path / "scene.tif"))
    if mode in {"L", "F"}:
        np.testing.assert_array_equal(found[..., 0], np.asarray(image))
    else:
        wanted = image.convert("RGBA" if mode == "LA" else "RGB")
        np.testing.assert_array_equal(found, np.asarray(wanted))


def test_equal_pixels_are_the_same_file_to_a_run(tmp_path: Path) -> None:
    pixels = noise((64, 64, 3))
    other = pixels.copy()
    other[-1, -1, -1] += 1
    states = []
    for number, picture in enumerate((pixels, pixels.copy(), other)):
        state = write_picture(picture, tmp_path / f"{number}.tif").stat()
        states.append((state.st_size, state.st_mtime_ns))
    assert states[0] == states[1] != states[2]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros(3), r"shape \(3,\) is not a picture"),
        (np.zeros((0, 4, 3)), "is not a picture"),
        (np.zeros((2, 8, 8, 3)), "several pictures as a list"),
        (np.zeros((3, 64, 64), np.uint8), "bands first"),
        (np.zeros((8, 8, 3), np.complex64), "type complex64 cannot be shown"),
        (np.zeros((8, 8, 3), bool), "type bool cannot be shown"),
        (np.ma.masked_array(np.zeros((8, 8)), mask=True), "masked array"),
    ],
)
def test_what_is_no_picture_is_refused(picture: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        write_picture(picture, tmp_path / "scene.tif")
    assert not list(tmp_path.iterdir())


def test_texts_and_paths_are_no_pictures() -> None:
    assert not any(map(is_picture, ("scene.tif", Path("scene.tif"), None, 5, ["scene.tif"])))
    assert is_picture(np.zeros((2, 2)))
    assert is_picture(Image.new("L", (2, 2)))


def test_an_array_gives_what_its_file_gives(tmp_path: Path) -> None:
    with rasterio.open("data/banepa/banepa.tif") as file:
        pixels = np.moveaxis(file.read(window=((0, 600), (0, 700))), 0, 2)
    path = write_picture(pixels, tmp_path / "scene.tif")
    from_file = swathe.detect(path, "buildings", workers=0)
    from_array = swathe.detect(pixels, "buildings", workers=0)
    assert [scene for _, scene in from_array.scenes] == ["array-0"]
    assert not next(iter(from_array.scenes.values())).georeferenced
    assert len(from_array) == len(from_file) > 0
    np.testing.assert_array_equal(from_array.boxes, from_file.boxes)
    np.testing.assert_array_equal(from_array.scores, from_file.scores)
    with pytest.raises(UsageError, match="output"):
        swathe.detect(pixels, "buildings", output=tmp_path / "store")
