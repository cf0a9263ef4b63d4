"""Pictures: what is on the ground is compared with GDAL's own warp."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from PIL import Image
from rasterio.transform import from_bounds, from_origin
from rasterio.vrt import WarpedVRT

from memory_store import MemoryStore
from swathe.detections import SceneInfo
from swathe.store.protocol import StoredScene
from swathe.viewer.app import make_app
from swathe.viewer.frames import TILE, GroundFrame, PixelFrame
from swathe.viewer.images import Images
from swathe.viewer.snapshot import scene_key
from viewer_samples import SIDE, describe, some_boxes, write_scene

HALF = 20_037_508.342_789_244  # metres


def smooth_scene(path: Path, crs: str, transform: rasterio.Affine) -> StoredScene:
    """A picture without edges: different ways to interpolate agree on it."""
    y, x = np.mgrid[0:900, 0:1100] / 100.0
    bands = [120 + 80 * np.sin(x + 1), 120 + 80 * np.cos(y), 120 + 60 * np.sin(x - y)]
    profile = {"driver": "GTiff", "width": 1100, "height": 900, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform) as file:
        file.write(np.array(bands).astype(np.uint8))
        wkt = file.crs.to_wkt()
    return StoredScene(
        "run", SceneInfo(path.stem, str(path), 1100, 900, wkt, tuple(transform)[:6]), "print", "complete", 1
    )


def tile_of(scene: SceneInfo, zoom: int) -> GroundFrame:
    """The tile that holds the middle of a scene."""
    middle = scene.place(np.array([[scene.width / 2, scene.height / 2]]), "lonlat")
    ((x, y),) = GroundFrame(0, 0, 0).place(middle) * 2**zoom
    return GroundFrame(zoom, int(x), int(y))


def warped(path: str, frame: GroundFrame) -> tuple[np.ndarray, np.ndarray]:
    """Warp by GDAL: pixels and mask."""
    side = 2 * HALF / 2**frame.zoom
    west, north = frame.column * side - HALF, HALF - frame.row * side
    place = from_bounds(west, north - side, west + side, north, TILE, TILE)
    options = {"crs": "EPSG:3857", "transform": place, "width": TILE, "height": TILE}
    with rasterio.open(path) as file, WarpedVRT(file, **options, add_alpha=True, resampling=1) as vrt:
        bands = vrt.read()
    return bands[:3].transpose(1, 2, 0).astype(float), bands[3] > 0


@pytest.mark.parametrize(
    ("crs", "transform", "zoom"),
    [
        ("EPSG:32645", from_origin(5e5, 3e6, 0.5, 0.5), 17),
        ("EPSG:32645", from_origin(5e5, 3e6, 0.5, 0.5), 14),
        ("EPSG:32645", rasterio.Affine(0.3, 0.2, 5e5, 0.2, -0.3, 3e6), 17),
        ("EPSG:4326", from_origin(10.0, 60.0, 0.001, 0.001), 9),
    ],
)
def test_tiles_on_the_ground_equal_the_warp_of_gdal(
    tmp_path: Path, crs: str, transform: rasterio.Affine, zoom: int
) -> None:
    stored = smooth_scene(tmp_path / "scene.tif", crs, transform)
    frame = tile_of(stored.scene, zoom)
    picture = Images(lambda _: {}).ground(stored, frame)
    wanted, mask = warped(stored.scene.uri, frame)
    found = np.asarray(picture).astype(float)
    assert mask.mean() > 0.05
    both = mask & (found[..., 3] == 255)
    assert both.sum() > 0.97 * mask.sum()
    assert np.abs(found[both][:, :3] - wanted[both]).mean() < 2.0
    assert ((found[..., 3] > 0) & ~mask).mean() < 0.01


def test_pixel_tiles_put_together_are_the_scene(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "photo.tif", placed=False)
    stored = StoredScene("run", describe(path, "photo"), "print", "complete", 1)
    images, whole = Images(lambda _: {}), np.zeros((2 * TILE, 2 * TILE, 4), dtype=np.uint8)
    for row in range(2):
        for column in range(2):
            tile = images.pixels(stored, PixelFrame(SIDE, SIDE, 1, column, row))
            whole[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = np.asarray(tile)
    with rasterio.open(path) as file:
        assert np.array_equal(whole[:SIDE, :SIDE, :3], file.read().transpose(1, 2, 0))
        assert np.array_equal(whole[:SIDE, :SIDE, 3], file.dataset_mask())
    assert not whole[SIDE:].any()
    assert not whole[:, SIDE:].any()
    assert images.pixels(stored, PixelFrame(4 * SIDE, SIDE, 3, 3, 3)) is None


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGBA"))


def test_pieces_and_tiles_are_answered_as_pictures(client: TestClient, tmp_path: Path) -> None:
    key = scene_key("aaaa1111", "town")
    piece = client.get(f"/api/scenes/{key}/piece.webp?left=240&top=240&width=64&height=32")
    assert piece.headers["content-type"] == "image/webp"
    assert opened(piece.content).shape == (32, 64, 4)
    nothing = client.get("/api/tiles/scenes/10/0/0.webp")
    assert opened(nothing.content)[..., 3].max() == 0
    frame = tile_of(describe(write_scene(tmp_path / "town.tif", placed=True), "town"), 17)
    tile = client.get(f"/api/tiles/scenes/{frame.zoom}/{frame.column}/{frame.row}.webp?run=aaaa")
    assert opened(tile.content)[..., 3].max() == 255
    again = client.get(str(tile.url), headers={"If-None-Match": tile.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_scene_that_is_gone_leaves_the_others_to_be_seen(tmp_path: Path) -> None:
    store = MemoryStore()
    for name in ("here", "gone"):
        path = write_scene(tmp_path / f"{name}.tif", placed=True)
        store.add("run", some_boxes(describe(path, name), "run", 3))
    (tmp_path / "gone.tif").unlink()
    client = TestClient(make_app(store), base_url="http://127.0.0.1")
    frame = tile_of(store.scenes()[0].scene, 17)
    assert (
        opened(client.get(f"/api/tiles/scenes/{frame.zoom}/{frame.column}/{frame.row}.webp").content)[..., 3].max()
        == 255
    )
    answer = client.get(f"/api/scenes/{scene_key('run', 'gone')}/piece.webp")
    assert answer.status_code == 404
    assert "gone.tif" not in answer.text
