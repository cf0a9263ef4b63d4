"""Cloud-optimised GeoTIFF: rasterio reads back what was there, and nothing unfinished is ever seen."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from swathe.errors import SourceError, StoreError, UsageError
from swathe.raster import gdal
from swathe.raster.convert import ConvertOptions, Job, cache_bytes, convert, copy
from swathe.raster.environment import CACHE_BYTES
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.window import Window

SIZE = (700, 600)
RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
COLOURS = {0: (1, 2, 3, 255), 1: (255, 0, 0, 255), 2: (0, 0, 255, 255), 3: (0, 255, 0, 0)}
# A process that converts its first argument to the second, where no file may grow beyond a limit of bytes.
LIMITED = """
import pathlib, resource, signal, sys
from swathe.errors import StoreError
from swathe.raster.convert import convert
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    convert(sys.argv[1], pathlib.Path(sys.argv[2]))
except StoreError as error:
    sys.exit(str(error))
"""


def convert_here(source: Path, target: Path, options: ConvertOptions | None = None) -> Any:
    """Convert without the process around it."""
    with gdal.open_dataset(str(source)) as dataset:
        creation = (options or ConvertOptions()).creation_options(dataset)
    assert copy(Job(str(source), target, CACHE_BYTES, creation)) is None
    return gdal.open_dataset(str(target))


def noise(bands: int = 3, dtype: str = "uint8") -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 200, (bands, SIZE[1], SIZE[0]))
    return pixels.astype(dtype)


def with_nan() -> np.ndarray:
    pixels = noise(2, "float32") / 7
    pixels[:, :9] = np.nan
    return pixels


KINDS: dict[str, Any] = {
    "placed": lambda write: write(noise(), crs="EPSG:32633", transform=rasterio.Affine(0.5, 0.1, 9, 0.1, -0.5, 7)),
    "png": lambda write: write(noise(), "scene.png"),
    "mask": lambda write: write(noise(), mask=noise(1)[0] // 150 * 255),
    "alpha": lambda write: write(noise(4), tags=RGBA),
    "palette": lambda write: write(noise(1) % 4, colormap=COLOURS),
    "nodata": lambda write: write(noise(4, "uint16"), nodata=7),
    "float": lambda write: write(with_nan(), nodata=np.nan),
    "one bit": lambda write: write(noise(1) % 2, nbits=1),
    "signed": lambda write: write(noise(1, "int16") - 100),
    "one pixel": lambda write: write(noise()[:, :1, :1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_kept(kind: str, write: Any, tmp_path: Path) -> None:
    source = KINDS[kind](write)
    with rasterio.open(source) as before, convert_here(source, tmp_path / "cog.tif") as after:
        assert np.array_equal(after.read(), before.read(), equal_nan=before.dtypes[0] == "float32")
        assert np.array_equal(after.dataset_mask(), before.dataset_mask())
        for name in ("crs", "transform", "count", "dtypes", "colorinterp", "mask_flag_enums"):
            assert getattr(after, name) == getattr(before, name), name
        assert np.array_equal(after.nodatavals, before.nodatavals, equal_nan=before.nodata is not None)
        assert after.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert after.profile["tiled"] or after.width == 1
        assert after.overviews(1) == ([2] if before.width > 1 else [])
        if kind == "palette":
            assert after.colormap(1) == before.colormap(1)


def test_metadata_and_control_points_are_kept(write: Any, tmp_path: Path) -> None:
    source = write(noise())
    corners = [(0, 0, 10, 20), (0, 700, 11, 20), (600, 0, 10, 19)]
    with rasterio.open(source, "r+") as file:
        file.gcps = [GroundControlPoint(*corner) for corner in corners], rasterio.CRS.from_epsg(4326)
        file.update_tags(LICENSE="CC BY 4.0", TIFFTAG_DATETIME="2020:01:02 03:04:05")
        file.update_tags(1, sensor="x")
        file.descriptions = ("r", "g", "b")
    with convert_here(source, tmp_path / "cog.tif") as after:
        points, crs = after.gcps
        assert [(p.row, p.col, p.x, p.y) for p in points] == corners
        assert crs == rasterio.CRS.from_epsg(4326)
        assert after.tags()["LICENSE"] == "CC BY 4.0"
        assert after.tags()["TIFFTAG_DATETIME"] == "2020:01:02 03:04:05"
        assert after.tags(1)["sensor"] == "x"
        assert after.descriptions == ("r", "g", "b")


def test_overviews_are_what_the_reader_makes_of_the_source(picture: Any, write: Any, tmp_path: Path) -> None:
    source = write(picture(1200, 1100))
    convert_here(source, tmp_path / "cog.tif").close()
    level, window = Level.of(1200, 1100, 0.5), Window(100, 50, 300, 200)
    read = []
    for path in (source, tmp_path / "cog.tif"):
        with RasterReader(open_scene(path)) as reader:
            read.append(reader.read(level, window).pixels.astype(int))
    assert np.abs(read[0] - read[1]).max() <= 1


def test_jpeg_is_smaller_and_near(picture: Any, write: Any, tmp_path: Path) -> None:
    source = write(picture(700, 600))
    sizes = []
    for quality in (60, 95):
        with convert_here(source, tmp_path / "cog.tif", ConvertOptions("jpeg", quality)) as after:
            assert np.abs(after.read().astype(int) - picture(700, 600)).mean() < 5
        sizes.append((tmp_path / "cog.tif").stat().st_size)
    assert sizes[0] < sizes[1] < source.stat().st_size


def test_what_jpeg_cannot_hold_is_refused(write: Any, tmp_path: Path) -> None:
    for kind in ("palette", "nodata", "float"):
        with pytest.raises(UsageError, match="use zstd"):
            convert(str(KINDS[kind](write)), tmp_path / "cog.tif", ConvertOptions("jpeg"))
    with pytest.raises(UsageError, match="quality 0"):
        ConvertOptions("jpeg", 0)
    with pytest.raises(UsageError, match="lzma"):
        ConvertOptions("lzma")  # type: ignore[arg-type]


def test_a_source_in_strips_is_decoded_once() -> None:
    class Wide:
        width, height, dtypes, block_shapes = 60_000, 50_000, ("uint8",) * 3, [(1, 60_000)] * 3

    assert cache_bytes(Wide) == 2 * 512 * 60_000 * 3 > CACHE_BYTES


def test_targets_are_published_whole_or_not_at_all(write: Any, tmp_path: Path) -> None:
    source, target = write(noise()), tmp_path / "out" / "cog.tif"
    with pytest.raises(StoreError, match="folder does not exist"):
        convert(str(source), target)
    target.parent.mkdir()
    written: list[int] = []
    assert convert(str(source), target, progress=written.append) == target.stat().st_size
    with pytest.raises(StoreError, match="exists already"):
        convert(str(source), target)
    with pytest.raises(StoreError, match="is the source itself"):
        convert(str(source), source, overwrite=True)
    source.write_bytes(source.read_bytes()[:200_000])
    before = target.read_bytes()
    with pytest.raises(SourceError, match=r"scene\.tif: cannot be converted"):
        convert(str(source), target, overwrite=True)
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["cog.tif"]


def test_a_full_disk_leaves_nothing(write: Any, tmp_path: Path) -> None:
    source, target = write(noise()), tmp_path / "out" / "cog.tif"
    target.parent.mkdir()
    command = [sys.executable, "-c", LIMITED, str(source), str(target), "100000"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert f"{target} cannot be written" in outcome.stderr
    assert "ulimit" in outcome.stderr
    assert list(target.parent.iterdir()) == []


def test_a_killed_conversion_publishes_nothing_and_the_next_one_cleans_up(write: Any, tmp_path: Path) -> None:
    big = np.random.default_rng(0).integers(0, 255, (3, 4000, 4000), dtype=np.uint8)
    source, target = write(big), tmp_path / "out" / "cog.tif"
    target.parent.mkdir()
    command = [sys.executable, "-c", LIMITED, str(source), str(target), str(1 << 40)]
    with subprocess.Popen(command) as process:
        while process.poll() is None and not list(tmp_path.glob("out/.*/*")):
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not target.exists()
    assert list(target.parent.iterdir())
    small = write(noise(), "small.tif")
    convert(str(small), target)
    assert [path.name for path in target.parent.iterdir()] == ["cog.tif"]
