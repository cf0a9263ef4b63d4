"""Images in HDFS, read through hdfs-native from a NameNode and a DataNode on loopback."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hdfs_cluster import HdfsCluster
from swathe.errors import SourceError
from swathe.raster import origins
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.sources import find_sources, scene_ids
from swathe.raster.window import Window

SIZE = 1280


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)


@pytest.fixture
def scene(hdfs: HdfsCluster, write: Any, noise: np.ndarray) -> Path:
    """A tiled image of 6 MB, in two blocks of the file system, in some places of the cluster."""
    path: Path = write(noise, tiled=True, blockxsize=128, blockysize=128, compress="deflate", overviews=(2, 4))
    for name in ("/a b.tif", "/x/c.tif"):
        hdfs.put(f"/scenes{name}", path.read_bytes())
    for name in ("/x/y/d.TIF", "/x/.hidden.tif", "/x/notes.txt"):
        hdfs.put(f"/scenes{name}", b"x")
    return path


def read(uri: str | Path, window: Window, scale: float = 1.0) -> np.ndarray:
    opened = open_scene(uri)
    with RasterReader(opened) as reader:
        return reader.read(Level.of(opened.width, opened.height, scale), window).pixels


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3])
def test_windows_equal_those_of_the_file(hdfs: HdfsCluster, scene: Path, scale: float) -> None:
    window = Window(100, 70, 250, 240)
    assert np.array_equal(read(f"{hdfs.address}/scenes/a b.tif", window, scale), read(scene, window, scale))


def test_the_description_equals_that_of_the_file(hdfs: HdfsCluster, scene: Path) -> None:
    local, remote = open_scene(scene), open_scene(f"{hdfs.address}/scenes/a b.tif")
    differing = {"uri", "id", "fingerprint"}
    assert {k: v for k, v in remote.to_json().items() if k not in differing} == {
        k: v for k, v in local.to_json().items() if k not in differing
    }
    assert (remote.id, remote.fingerprint[0]) == ("a b", scene.stat().st_size)


def test_a_window_is_read_by_another_thread_than_the_one_that_opened_the_scene(hdfs: HdfsCluster, scene: Path) -> None:
    window, found = Window(100, 70, 250, 240), []
    with RasterReader(open_scene(f"{hdfs.address}/scenes/a b.tif")) as reader:
        thread = threading.Thread(target=lambda: found.append(reader.read(Level.of(SIZE, SIZE, 0.5), window).pixels))
        thread.start()
        thread.join()
    assert np.array_equal(found[0], read(scene, window, 0.5))


def test_folders_and_patterns_list_the_cluster(hdfs: HdfsCluster, scene: Path) -> None:
    start = f"{hdfs.address}/scenes"
    assert find_sources([f"{start}/x/"]) == [f"{start}/x/c.tif", f"{start}/x/y/d.TIF"]
    assert find_sources([f"{start}/*.tif"]) == [f"{start}/a b.tif", f"{start}/x/c.tif"]
    assert scene_ids([f"{start}/x/c.tif", "hdfs:///y/c.tif"])[1] == "y-c"


def test_a_replaced_file_is_noticed(hdfs: HdfsCluster, scene: Path) -> None:
    opened = open_scene(hdfs.put("/scenes/changing.tif", scene.read_bytes()))
    opened.check_unchanged()
    hdfs.put("/scenes/changing.tif", scene.read_bytes())
    with pytest.raises(SourceError, match="has changed"):
        opened.check_unchanged()


def test_a_mosaic_shows_what_lies_beside_it(hdfs: HdfsCluster, scene: Path) -> None:
    text = (
        f'<VRTDataset rasterXSize="{SIZE}" rasterYSize="{SIZE}"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">c.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    window = Window(100, 70, 250, 240)
    found = read(hdfs.put("/scenes/x/mosaic.vrt", text.encode()), window)
    assert np.array_equal(found[..., 0], read(scene, window)[..., 0])
    elsewhere = hdfs.put("/scenes/x/mosaic.vrt", text.replace('VRT="1">c.tif', f'VRT="0">{scene}').encode())
    with pytest.raises(SourceError, match=r"mosaic\.vrt: the VRT names .* on its own server"):
        open_scene(elsewhere)


def test_what_cannot_be_read_is_said_in_words(hdfs: HdfsCluster, scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hdfs_native import Client

    cases = {
        "/scenes/absent.tif": "does not exist",
        "/scenes/x": "is a folder; end it with /",
        hdfs.put("/scenes/empty.tif", b"").removeprefix(hdfs.address): "is empty",
        hdfs.put("/scenes/none.tif", b"no image").removeprefix(hdfs.address): "is not an image",
    }
    for path, message in cases.items():
        with pytest.raises(SourceError, match=rf"{path}: {message}"):
            open_scene(hdfs.address + path)
    for source, message in {"/scenes/z/": "does not exist", "/scenes/x/*.png": "no raster there"}.items():
        with pytest.raises(SourceError, match=message):
            find_sources([hdfs.address + source])
    short = hdfs.put("/scenes/short.tif", scene.read_bytes()[: 4 << 20])
    with pytest.raises(SourceError, match=r"short\.tif: .* fails at the same place, the file is damaged there"):
        read(short, Window(SIZE - 100, SIZE - 100, 100, 100))
    gone = open_scene(hdfs.put("/scenes/gone.tif", scene.read_bytes()))
    with RasterReader(gone) as reader:
        Client(hdfs.address).delete("/scenes/gone.tif")
        with pytest.raises(SourceError, match=r"gone\.tif: does not exist"):
            RasterReader(gone)
        reader.read(Level.of(SIZE, SIZE, 1.0), Window(0, 0, 100, 100))
    monkeypatch.setattr(origins.hdfs, "ATTEMPTS", 1)
    with pytest.raises(SourceError, match=r"hdfs://127\.0\.0\.1:9/a\.tif: the cluster does not answer"):
        open_scene("hdfs://127.0.0.1:9/a.tif")
