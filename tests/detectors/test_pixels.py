"""The input buffer against the obvious expression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.detectors.pixels import PixelBuffer, padded_side
from swathe.errors import UsageError
from swathe.model.info import ModelInfo

INFO = ModelInfo("test", "n", ("ship",), 256)


@given(tile=st.integers(1, 100), colour_order=st.sampled_from(["RGB", "BGR"]), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_scales_orders_and_pads(tile: int, colour_order: str, seed: int) -> None:
    info = replace(INFO, colour_order=colour_order)
    pixels = np.random.default_rng(seed).integers(0, 256, (tile, tile, 3), dtype=np.uint8)
    found = PixelBuffer(info, tile).fill(pixels)
    side = padded_side(tile, info)
    expected = np.zeros((1, 3, side, side), np.float32)
    ordered = pixels if colour_order == "RGB" else pixels[:, :, [2, 1, 0]]
    for channel in range(3):
        expected[0, channel, :tile, :tile] = ordered[:, :, channel].astype(np.float32) * np.float32(1 / 255)
    assert side % 32 == 0
    assert tile <= side < tile + 32
    np.testing.assert_array_equal(found, expected)


def test_the_buffer_is_used_again() -> None:
    buffer = PixelBuffer(INFO, 40)
    first = buffer.fill(np.full((40, 40, 3), 255, np.uint8))
    second = buffer.fill(np.zeros((40, 40, 3), np.uint8))
    assert first is second
    assert not second.any()


@pytest.mark.parametrize(
    ("shape", "kind"), [((32, 40, 3), "u1"), ((40, 40, 4), "u1"), ((40, 40), "u1"), ((40, 40, 3), "u2")]
)
def test_other_tiles_are_refused(shape: tuple[int, ...], kind: str) -> None:
    with pytest.raises(UsageError, match="40 x 40 pixels"):
        PixelBuffer(INFO, 40).fill(np.zeros(shape, kind))


def test_an_empty_tile_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        PixelBuffer(INFO, 0)
