"""Frames: north is up, metres are metres, boxes turn along with the picture; compared with GDAL."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.warp import transform as warp

from swathe.detections import Detections, SceneInfo
from swathe.drawing import View, draw, frame_of, read_frame
from swathe.drawing.furniture import length_in_words, round_length, scale_bar
from swathe.errors import UsageError
from swathe.raster.ground import measure
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene

SIDE = 300
PLACES = {
    "north-up": ("EPSG:32645", Affine(0.5, 0, 5e5, 0, -0.5, 3e6)),
    "rotated": ("EPSG:32645", Affine(0.4, 0.3, 5e5, 0.3, -0.4, 3e6)),
    "sheared": ("EPSG:32645", Affine(0.5, 0.2, 5e5, 0.0, -0.4, 3e6)),
    "south-up": ("EPSG:32645", Affine(0.5, 0, 5e5, 0, 0.5, 3e6)),
    "convergence": ("EPSG:32645", Affine(10, 0, 8e5, 0, -10, 7.5e6)),
    "mercator": ("EPSG:3857", Affine(1, 0, 1e6, 0, -1, 8.4e6)),
    "degrees": ("EPSG:4326", Affine(1e-5, 0, 24.0, 0, -1e-5, 60.0)),
}


def written(folder: Path, place: str | None) -> Scene:
    """Write a scene: grey, with a red square of 40 pixels at (200, 80)."""
    pixels = np.full((3, SIDE, SIDE), 100, dtype=np.uint8)
    pixels[:, 60:100, 180:220] = np.array([250, 0, 0])[:, None, None]
    more = {} if place is None else {"crs": PLACES[place][0], "transform": PLACES[place][1]}
    path = folder / "scene.tif"
    with rasterio.open(path, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", **more) as file:
        file.write(pixels)
    return open_scene(path)


def degrees(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Place points on the ground by GDAL alone."""
    x, y = np.array(scene.transform).reshape(2, 3) @ np.column_stack([points, np.ones(len(points))]).T
    return np.column_stack(warp(scene.crs, "OGC:CRS84", x, y))


@pytest.mark.parametrize("place", PLACES)
def test_north_is_up_and_the_bar_has_its_length(tmp_path: Path, place: str) -> None:
    scene = written(tmp_path, place)
    frame = frame_of(scene, View(north_up=True, longest_side=400))
    assert frame.north == pytest.approx(0.0, abs=1e-6)
    middle = np.array([frame.width / 2, frame.height / 2])
    ends = frame.unplace(middle + np.array([[0.0, -10.0], [0.0, 10.0], [10.0, 0.0], [-10.0, 0.0]]))
    up, down, right, left = degrees(scene, ends)
    assert up[1] > down[1]
    assert up[0] == pytest.approx(down[0], abs=2e-3 * abs(up[1] - down[1]))
    assert right[0] > left[0]
    line = ends[2:].mean(axis=0)
    way = ends[2] - ends[3]
    box = np.array([[*line, np.hypot(*way), 1.0, math.atan2(way[1], way[0])]])
    assert 20 * frame.metres == pytest.approx(measure(scene.crs, scene.transform, box)[0, :2].max(), rel=1e-4)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("north_up", [False, True])
def test_pixels_and_points_turn_together(tmp_path: Path, place: str, north_up: bool) -> None:
    scene = written(tmp_path, place)
    frame = frame_of(scene, View(north_up=north_up, longest_side=500))
    red = read_frame(scene, frame).astype(int)
    rows, columns = np.nonzero(red[:, :, 0] - red[:, :, 1] > 125)
    found = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    assert found == pytest.approx(frame.place(np.array([200.0, 80.0])), abs=1.0)
    assert frame.unplace(frame.place(np.array([7.0, 9.0]))) == pytest.approx([7.0, 9.0])


def test_plain_frames_show_the_pixels_as_they_are(tmp_path: Path) -> None:
    scene = written(tmp_path, None)
    frame = frame_of(scene, View(box=(150, 50, 250, 110), longest_side=100))
    with rasterio.open(scene.uri) as file:
        expected = file.read()[:, 50:110, 150:250].transpose(1, 2, 0)
    assert np.array_equal(read_frame(scene, frame), expected)
    assert (frame.metres, frame.north) == (None, None)


@pytest.mark.parametrize("place", PLACES)
def test_boxes_in_degrees_show_their_corners(tmp_path: Path, place: str) -> None:
    scene = written(tmp_path, place)
    west, south = degrees(scene, np.array([[100.0, 200.0], [200.0, 100.0]])).min(axis=0)
    east, north = degrees(scene, np.array([[100.0, 200.0], [200.0, 100.0]])).max(axis=0)
    frame = frame_of(scene, View(lonlat=(west, south, east, north)))
    placed = frame.place(np.array([[100.0, 200.0], [200.0, 100.0]]))
    assert (placed > -5).all()
    assert (placed < np.array([frame.width, frame.height]) + 5).all()


def test_views_on_nothing_are_refused(tmp_path: Path) -> None:
    scene = written(tmp_path, None)
    for view in (View(north_up=True), View(lonlat=(0, 0, 1, 1)), View(box=(900, 900, 950, 950))):
        with pytest.raises(UsageError):
            frame_of(scene, view)
    with pytest.raises(UsageError):
        View(lonlat=(0, 5, 1, 4))


@pytest.mark.parametrize(
    ("longest", "length"), [(1.0, 1.0), (1.99, 1.0), (2.0, 2.0), (499, 200), (0.07, 0.05), (1e4, 1e4)]
)
def test_bars_are_round(longest: float, length: float) -> None:
    assert round_length(longest) == pytest.approx(length)


def test_bars_in_words(tmp_path: Path) -> None:
    words = [length_in_words(length, on_ground=True) for length in (0.2, 5.0, 500.0, 2000.0)]
    assert words == ["20 cm", "5 m", "500 m", "2 km"]
    frame = frame_of(written(tmp_path, None), View(longest_side=300))
    assert scale_bar(frame) == (pytest.approx(50.0), "50 px")


def test_a_thin_picture_is_drawn(tmp_path: Path) -> None:
    scene = written(tmp_path, "rotated")
    info = SceneInfo(scene.id, scene.uri, SIDE, SIDE, scene.crs, scene.transform)
    found = Detections.from_arrays([[200, 80, 40, 40, 0]], [0.9], [0], ("red",), info, "run")
    view = View(box=(150.0, 80.0, 250.0, 82.0), scores=True)
    assert draw(found, scene, tmp_path / "thin.png", view) == 1
    with Image.open(tmp_path / "thin.png") as picture:
        assert picture.size == (400, 8)
