"""Images in HDFS, read over HTTP through PyHDFS, equal those that are read through hdfs-native."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hdfs_cluster import HdfsCluster
from requirements import need
from swathe.errors import SourceError
from swathe.raster.opening import open_scene
from swathe.raster.origins import redacted, webhdfs
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.sources import find_sources
from swathe.raster.window import Window

need("pyhdfs")
SIZE = 700


@pytest.fixture
def scene(hdfs: HdfsCluster, write: Any) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)
    path: Path = write(noise, tiled=True, blockxsize=128, blockysize=128, compress="deflate", overviews=(2,))
    for name in ("a b.tif", "x/c.tif"):
        hdfs.put(f"/web/{name}", path.read_bytes())
    return path


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_windows_and_description_equal_those_of_the_file(hdfs: HdfsCluster, scene: Path, scale: float) -> None:
    found = []
    for uri in (scene, f"{hdfs.web_address}/web/a b.tif", f"{hdfs.address}/web/a b.tif"):
        opened = open_scene(uri)
        with RasterReader(opened) as reader:
            level = Level.of(opened.width, opened.height, scale)
            found.append((opened, reader.read(level, Window(100, 70, 150, 140)).pixels))
    (local, pixels), (web, over_http), (native, _) = found
    assert np.array_equal(over_http, pixels)
    assert (web.overviews, web.block_shape, web.crs) == (local.overviews, local.block_shape, local.crs)
    assert web.fingerprint == native.fingerprint


def test_folders_and_patterns_are_listed(hdfs: HdfsCluster, scene: Path) -> None:
    start = f"{hdfs.web_address}/web"
    assert find_sources([f"{start}/"]) == [f"{start}/a b.tif", f"{start}/x/c.tif"]
    assert find_sources([f"{start}/x/*.tif"]) == [f"{start}/x/c.tif"]


def test_what_cannot_be_read_is_said_in_words(hdfs: HdfsCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=r"absent\.tif: does not exist"):
        open_scene(f"{hdfs.web_address}/web/absent.tif")
    with pytest.raises(SourceError, match="names no NameNode"):
        open_scene("webhdfs:///a.tif")
    monkeypatch.setattr(webhdfs, "PAUSE", 0.0)
    with pytest.raises(SourceError, match=r"webhdfs://127\.0\.0\.1:9/a\.tif: the cluster does not answer"):
        open_scene("webhdfs://127.0.0.1:9/a.tif")


def test_names_for_gdal_are_not_told() -> None:
    assert redacted("/vsiwebhdfspyhdfs/host:1/a.tif") == "webhdfs://host:1/a.tif"
