"""Windows cover a level, the last ones are shifted back inside, and box questions are answered by arithmetic."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.errors import UsageError
from swathe.raster.grid import Grid
from swathe.raster.pyramid import levels
from swathe.raster.window import Window


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    tile = draw(st.integers(1, 40))
    return Grid(draw(st.integers(1, 120)), draw(st.integers(1, 120)), tile, draw(st.integers(1, tile)))


def slow_offsets(size: int, tile: int, stride: int) -> list[int]:
    offsets, at = [], 0
    while at + tile < size:
        offsets.append(at)
        at += stride
    return [*offsets, max(0, size - tile)]


@given(width=st.integers(1, 9000), height=st.integers(1, 3000), tile=st.integers(1, 64), overlap=st.integers(0, 900))
def test_fitted_windows_cover_all_and_overlap_by_as_much_with_fewer_pixels(
    width: int, height: int, tile: int, overlap: int
) -> None:
    tile *= 32
    stride = tile - min(overlap, tile * 3 // 4)
    grid, plain = Grid(width, height, tile, stride, fitted=True), Grid(width, height, tile, stride)
    assert len(grid) == len(plain)
    columns = [(window.col_off, window.col_off + window.width) for window in list(grid)[: grid.cols]]
    rows = [(window.row_off, window.row_off + window.height) for window in list(grid)[:: grid.cols]]
    for spans, size in ((columns, width), (rows, height)):
        assert (spans[0][0], spans[-1][1]) == (0, size)
        assert all(before[1] - after[0] >= tile - stride for before, after in pairwise(spans))
        (side,) = {end - start for start, end in spans}
        assert side <= min(tile, size)
        assert side % 32 == 0 or side == size
    assert grid.window_width * grid.window_height <= plain.window_width * plain.window_height


def test_a_fitted_grid_by_hand() -> None:
    grid = Grid(5000, 1500, 2048, 1792, fitted=True)
    assert (grid.cols, grid.rows, grid.window_width, grid.window_height) == (3, 1, 1856, 1500)
    assert [window.col_off for window in grid] == [0, 1572, 3144]


@given(grids())
@settings(max_examples=100, deadline=None)
def test_windows_equal_the_slow_walk_and_cover_everything(grid: Grid) -> None:
    columns, rows = (slow_offsets(size, grid.tile, grid.stride) for size in (grid.width, grid.height))
    width, height = min(grid.tile, grid.width), min(grid.tile, grid.height)
    assert list(grid) == [Window(col, row, width, height) for row in rows for col in columns]
    assert (len(grid), grid.rows, grid.cols) == (len(rows) * len(columns), len(rows), len(columns))
    seen = np.zeros((grid.height, grid.width), dtype=bool)
    for window in grid:
        seen[window.row_off : window.row_off + window.height, window.col_off : window.col_off + window.width] = True
    assert seen.all()


@pytest.mark.parametrize(
    ("width", "height", "stride", "scales", "counts"),
    [
        (17520, 11712, 512, (0.5, 1.0, 1.5), [187, 748, 1734]),
        (8000, 8000, 824, (1.0,), [100]),
        (20000, 20000, 824, (1.0,), [625]),
    ],
)
def test_known_window_counts(
    width: int, height: int, stride: int, scales: tuple[float, ...], counts: list[int]
) -> None:
    assert [len(Grid(each.width, each.height, 1024, stride)) for each in levels(width, height, scales)] == counts


@pytest.mark.parametrize(("side", "total"), [(8000, 803), (20000, 5246)])
def test_known_window_counts_of_three_scales(side: int, total: int) -> None:
    assert sum(len(Grid(each.width, each.height, 1024, 512)) for each in levels(side, side, (0.5, 1.0, 1.5))) == total


def test_the_paper_counts_2669_windows() -> None:
    assert sum(len(Grid(each.width, each.height, 1024, 512)) for each in levels(17520, 11712, (0.5, 1.0, 1.5))) == 2669


def test_a_huge_grid_costs_nothing() -> None:
    grid = Grid(10**9, 10**9, 1024, 512)
    assert grid[len(grid) - 1] == Window(10**9 - 1024, 10**9 - 1024, 1024, 1024)


@pytest.mark.parametrize("sizes", [(0, 5, 4, 2), (5, 5, 0, 1), (5, 5, 4, 0), (5, 5, 4, 5), (5, 5, 4, -1)])
def test_impossible_sizes_are_refused(sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(UsageError, match=r"tile|stride|level"):
        Grid(*sizes)


def test_windows_outside_are_refused() -> None:
    with pytest.raises(UsageError, match="windows 0 to 3"):
        Grid(10, 10, 6, 4).window(4)
    with pytest.raises(UsageError, match="at least one pixel"):
        Window(0, 0, 0, 5)
