"""What pages and notebooks start from: a folder with a part of the scene that ships with the project."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENE = ROOT / "data" / "banepa" / "banepa.tif"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cut a part out of the scene that ships with the project."""
    import rasterio
    from rasterio.windows import Window

    path = tmp_path_factory.mktemp("scene") / "banepa.tif"
    window = Window(2300, 1900, 1024, 700)
    with rasterio.open(SCENE) as whole:
        profile = {"driver": "GTiff", "width": 1024, "height": 700, "count": 3, "dtype": "uint8", "crs": whole.crs}
        with rasterio.open(path, "w", transform=whole.window_transform(window), tiled=True, **profile) as part:
            part.write(whole.read((1, 2, 3), window=window))
    return path


@pytest.fixture
def folder(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder that a page starts from."""
    (tmp_path / "data" / "banepa").mkdir(parents=True)
    shutil.copy(scene, tmp_path / "data" / "banepa" / "banepa.tif")
    shutil.copy(ROOT / "data" / "banepa" / "buildings.geojson", tmp_path / "data" / "banepa")
    (tmp_path / "images").symlink_to(tmp_path / "data" / "banepa")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    end_java()
    return tmp_path


def end_java() -> None:
    """End Spark's Java process, which stays in the folder that it was started in and reads names from there."""
    spark = sys.modules.get("pyspark")
    if spark is None or (gateway := spark.SparkContext._gateway) is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(120)
    spark.SparkContext._gateway = spark.SparkContext._jvm = None
