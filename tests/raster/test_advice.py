"""The gain of converting: counted beside a slow simulation of GDAL's cache, and known by hand."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.raster import advice
from swathe.raster.advice import advise, converted, decoded_pixels
from swathe.raster.grid import Grid
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene

TILED = Scene(
    "a", "/a.tif", 16384, 16384, (1, 2, 3), "uint8", None, None, None, (), True, (256, 256), None, False, (1, 1)
)
STRIPED = replace(TILED, tiled=False, block_shape=(8, 16384))


def advised(scene: Scene, *scales: float, workers: int = 2) -> advice.Advice | None:
    return advise(scene, scales, 1024, 768, workers)


def test_gains_known_by_hand() -> None:
    half = advised(TILED, 0.5)
    assert half is not None
    assert half.gain == pytest.approx(4.0, rel=0.2)  # less what tiles of 512 pixels cover beyond the windows
    assert half.reason == "it has no overview for scale 0.5"
    png = advised(replace(STRIPED, sequential=True), 1.0, workers=4)
    assert png is not None
    assert png.gain == pytest.approx(4.0 / 1.6, rel=0.15)
    assert "from its start" in png.reason
    huge = advised(replace(TILED, block_shape=(8192, 4096)), 1.0)
    assert huge is not None
    assert huge.gain > 10
    assert "4096 x 8192" in huge.reason


def test_no_advice_where_little_is_gained() -> None:
    assert advised(TILED, 1.0) is None
    assert advised(STRIPED, 1.0) is None
    assert advised(replace(TILED, overviews=(2, 4)), 0.5) is None
    assert advised(TILED, 1.0, 1.5) is None
    assert advise(TILED, (0.5,), 4096, 3072, 2) is None  # 9 windows
    assert advised(converted(TILED), 1.0, 0.5, 0.25, 0.1) is None


def test_the_converted_scene_is_what_converting_gives(write: Any, tmp_path: Any) -> None:
    import numpy as np

    from swathe.raster.convert import ConvertOptions, Job, copy
    from swathe.raster.environment import CACHE_BYTES
    from swathe.raster.gdal import open_dataset

    for width, height in ((1, 1), (500, 512), (513, 200), (2100, 1000)):
        path = write(np.zeros((1, height, width), np.uint8))
        with open_dataset(str(path)) as dataset:
            creation = ConvertOptions().creation_options(dataset)
        assert copy(Job(str(path), tmp_path / "cog.tif", CACHE_BYTES, creation)) is None
        after = open_scene(tmp_path / "cog.tif")
        assert converted(open_scene(path)).overviews == after.overviews
        assert after.block_shape == (512, 512)


@given(
    st.integers(100, 900),
    st.integers(100, 900),
    st.sampled_from([(16, 16), (64, 32), (128, 256), (300, 300)]),
    st.sampled_from([64, 100]),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from([0, 30_000, 10**9]),
)
def test_tiles_are_counted_like_a_cache_of_blocks_does(
    width: int, height: int, block: tuple[int, int], tile: int, scale: float, cache: int
) -> None:
    scene = replace(TILED, width=width, height=height, bands=(1,), block_shape=block)
    grid = Grid(math.ceil(width * scale), math.ceil(height * scale), tile, tile * 3 // 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advice, "CACHE_BYTES", cache)
        counted = decoded_pixels(scene, scale, grid, workers=1)
    simulated = simulate(grid, scale, block, (width, height), cache)
    assert simulated <= counted * 1.001  # what is counted is never too little ...
    if cache == 0:
        assert counted == pytest.approx(simulated)
    if cache == 10**9:
        assert counted <= simulated * 1.5 + width * max(block)  # ... nor much too high


def simulate(grid: Grid, scale: float, block: tuple[int, int], size: tuple[int, int], cache: int) -> float:
    """Count decoded pixels, window by window, of an LRU cache of blocks."""
    held: OrderedDict[tuple[int, int], int] = OrderedDict()
    total = 0
    for window in grid:
        top, left = math.floor(window.row_off / scale), math.floor(window.col_off / scale)
        bottom = min(size[1], math.ceil((window.row_off + window.height) / scale))
        right = min(size[0], math.ceil((window.col_off + window.width) / scale))
        for row in range(top // block[0], -(-bottom // block[0])):
            for column in range(left // block[1], -(-right // block[1])):
                if (row, column) in held:
                    held.move_to_end((row, column))
                    continue
                area = (min(size[1], (row + 1) * block[0]) - row * block[0]) * (
                    min(size[0], (column + 1) * block[1]) - column * block[1]
                )
                total += area
                held[row, column] = area
                while sum(held.values()) > cache:
                    held.popitem(last=False)
    return total


def test_endless_scenes_are_advised_on_by_their_first_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(60_000, 60_000, 1024, 768)
    for scene in (TILED, replace(TILED, block_shape=(8192, 4096)), STRIPED):
        scene = replace(scene, width=60_000, height=60_000)
        whole = decoded_pixels(scene, 1.0, grid, 2)
        with monkeypatch.context() as patch:
            patch.setattr(advice, "MOST_SPANS", 40)
            assert decoded_pixels(scene, 1.0, grid, 2) == pytest.approx(whole, rel=0.1)
    wide = replace(STRIPED, width=2**31 - 1, height=1, block_shape=(1, 2**31 - 1))  # 22 million windows
    found = advise(wide, (1.0,), 128, 96, 2)
    assert found is not None
    assert found.gain > 100  # each segment of the row decodes all of it
    assert advise(replace(wide, width=1, height=2**31 - 1, block_shape=(1, 1)), (1.0,), 128, 96, 2) is None
