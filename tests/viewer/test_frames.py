from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform

from swathe.viewer.frames import TILE, GroundFrame, PixelFrame, pixel_zoom

HALF = 20_037_508.342_789_244  # metres


@given(st.integers(0, 22), st.randoms(use_true_random=False))
def test_ground_tiles_are_squares_of_web_mercator(zoom: int, random: object) -> None:
    column, row = random.randrange(1 << zoom), random.randrange(1 << zoom)  # type: ignore[attr-defined]
    frame = GroundFrame(zoom, column, row)
    west, south, east, north = frame.bounds
    x, y = transform("OGC:CRS84", "EPSG:3857", [west, east], [south, north])
    side = 2 * HALF / 2**zoom
    assert np.allclose(x, [column * side - HALF, (column + 1) * side - HALF], atol=1e-3)
    assert np.allclose(y, [HALF - (row + 1) * side, HALF - row * side], atol=1e-3)
    shares = np.random.default_rng(zoom).uniform(0.01, 0.99, (20, 2))
    assert np.allclose(frame.place(frame.unplace(shares)), shares, atol=1e-6)


def test_a_place_beyond_the_antimeridian_lies_beside_the_tile() -> None:
    frame = GroundFrame(4, 15, 8)  # its east is 180 degrees
    (inside, beyond) = frame.place(np.array([[179.5, -5.0], [-179.5, -5.0]]))
    assert inside[0] < 1 < beyond[0] < 1.05


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_the_deepest_tiles_of_a_scene_show_its_pixels(width: int, height: int) -> None:
    deepest = pixel_zoom(width, height)
    frame = PixelFrame(width, height, deepest, 1, 0)
    assert frame.bounds == (TILE, 0, 2 * TILE, TILE)
    whole = PixelFrame(width, height, 0, 0, 0).bounds
    assert whole[2] >= max(width, height) > (whole[2] / 2 if deepest else 0)


@pytest.mark.parametrize("zoom", [0, 1, 3])
def test_points_of_a_scene_are_placed_by_its_scale(zoom: int) -> None:
    frame = PixelFrame(4000, 1000, zoom, 0, 0)
    assert np.allclose(frame.place(np.array([[0.0, 0.0], frame.bounds[2:]])), [[0, 0], [1, 1]])
