"""The undamaged inputs from which hostile ones are made."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from red_cells import RedCells, write_red_cells
from tiny_models import write_tiny

GRID = ("--tile", "128", "--stride", "96", "--workers", "0")
FORMATS = {
    "tiled.tif": {"driver": "GTiff", "tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"},
    "zstd.tif": {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "zstd"},
    "lzw.tif": {"driver": "GTiff", "compress": "lzw", "predictor": 2, "interleave": "band"},
    "jpeg.tif": {"driver": "GTiff", "tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "jpeg"},
    "big.tif": {"driver": "GTiff", "bigtiff": "yes"},
    "scene.png": {"driver": "PNG"},
    "scene.jpg": {"driver": "JPEG"},
    "scene.jp2": {"driver": "JP2OpenJPEG", "quality": 100, "reversible": "yes"},
}


@dataclass(frozen=True)
class Samples:
    """Where the undamaged inputs are; nothing below is written to once they are made."""

    folder: Path

    @property
    def scene(self) -> Path:
        """A tiled GeoTIFF in EPSG:3857."""
        return self.folder / "harbour.tif"

    @property
    def model(self) -> Path:
        """An ONNX model with seal."""
        return self.folder / "tiny.onnx"

    @property
    def store(self) -> Path:
        """A store of two runs over two scenes."""
        return self.folder / "store"

    @property
    def unfinished(self) -> Path:
        """A store whose only run, of `detect` over the scene, was interrupted after its first batch."""
        return self.folder / "unfinished"

    @property
    def finished(self) -> Path:
        """What `unfinished` becomes when it is resumed."""
        return self.folder / "finished"

    @property
    def queried(self) -> Path:
        """GeoJSON of all detections in `store`."""
        return self.folder / "queried.geojson"

    @property
    def labels(self) -> Path:
        """A folder with a DOTA label file for the scene."""
        return self.folder / "labels"

    @property
    def images(self) -> Path:
        """A folder with the scene as a PNG."""
        return self.folder / "images"

    @property
    def task1(self) -> Path:
        """A folder with DOTA task 1 results."""
        return self.folder / "task1"

    def raster(self, name: str) -> Path:
        """The scene in one of `FORMATS`."""
        return self.folder / "rasters" / name


def make_samples(folder: Path) -> Samples:
    """Write the undamaged inputs; opens rasters and models, so only for a process of its own.

    Args:
        folder: An empty folder.

    Returns:
        Where everything is.
    """
    samples = Samples(folder)
    scene = write_red_cells(samples.scene, width=320, height=256)
    second = write_red_cells(folder / "quay.tif", width=192, height=160)
    write_tiny(samples.model)
    _write_formats(samples)
    _write_labels(samples, scene)
    for sources, more in (((samples.scene, second.path), ()), ((samples.scene,), ("--min-score", "0.3"))):
        _command("detect", *sources, "-m", samples.model, "-o", samples.store, *GRID, *more)
    _command("query", samples.store, "-o", samples.queried)

    _write_unfinished(samples)
    _command("query", samples.finished, "-o", samples.task1, "--format", "dota")
    _command("evaluate", "--truth", samples.labels, "--found", samples.finished)
    _command("plan", samples.scene)
    _command("train", _write_configuration(samples), "--check")
    return samples


def _command(*words: object) -> None:
    """Run a command that must succeed."""
    from swathe.cli.main import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main([str(word) for word in words])
    if code:
        raise RuntimeError(f"{words} ended with {code}: {said.getvalue()}")


def _write_formats(samples: Samples) -> None:
    """Write the scene in each format."""
    import rasterio

    (samples.folder / "rasters").mkdir()
    with rasterio.open(samples.scene) as scene:
        pixels, place = scene.read(), {"crs": scene.crs, "transform": scene.transform}
    for name, options in FORMATS.items():
        profile = {
            "width": pixels.shape[2],
            "height": pixels.shape[1],
            "count": 3,
            "dtype": "uint8",
            **place,
            **options,
        }
        with rasterio.open(samples.raster(name), "w", **profile) as file:
            file.write(np.ascontiguousarray(pixels))
        samples.raster(name).with_name(f"{name}.aux.xml").unlink(missing_ok=True)


def _write_labels(samples: Samples, scene: RedCells) -> None:
    """Write the objects of the scene as DOTA labels."""
    samples.labels.mkdir()
    (samples.labels / "harbour.txt").write_text("\n".join(scene.dota_lines()))
    samples.images.mkdir()
    shutil.copy(samples.raster("scene.png"), samples.images / "harbour.png")


def configuration(samples: Samples) -> dict[str, list[str]]:
    """Return the lines of a training configuration by section."""
    run = ["tile = 128", "stride = 96", "seed = 1", "validate_every = 1", "threads = 1", "cache_megabytes = 10"]
    rates = ["epochs = 1", "batch = 2", "views = 2", "learning_rate = 0.01", "momentum = 0.9", "warmup_epochs = 1.0"]
    data = ['kind = "dota"', f'labels = "{samples.labels}"', f'images = "{samples.images}"', "scale = 1.0"]
    return {
        "[model]": ['name = "m"', 'classes = ["ship", "plane"]', 'size = "n"', "input_size = 128"],
        "[run]": ['output = "out"', *run],
        "[schedule]": rates,
        "[loss]": ["alpha = 1.0"],
        "[[train]]": data,
        "[[validate]]": data[:3],
    }


def to_toml(sections: Mapping[str, list[str]]) -> str:
    """Write sections of lines one after the other."""
    return "\n".join("\n".join([name, *lines]) for name, lines in sections.items())


def _write_configuration(samples: Samples) -> Path:
    """Write a training configuration that makes sense."""
    path = samples.folder / "train.toml"
    path.write_text(to_toml(configuration(samples)))
    return path


def _write_unfinished(samples: Samples) -> None:
    """Leave a run after its first batch, then resume a copy of it."""
    from swathe.api import Choices
    from swathe.engine.events import BatchFinished, ProgressEvent
    from swathe.engine.plan import make_plan
    from swathe.engine.run import run_plan
    from swathe.opened import open_readable
    from swathe.store import open_store

    def stop(event: ProgressEvent) -> None:
        if isinstance(event, BatchFinished):
            raise KeyboardInterrupt

    chosen = Choices(tile=128, stride=96, workers=0)
    spec, info = chosen.detector(samples.model)
    plan = make_plan(open_readable([samples.scene])[0], chosen.settings(info), spec)
    with contextlib.suppress(KeyboardInterrupt):
        run_plan(plan, open_store(samples.unfinished, create=True), progress=stop)
    shutil.copytree(samples.unfinished, samples.finished)
    _command("detect", samples.scene, "-m", samples.model, "-o", samples.finished, *GRID)
