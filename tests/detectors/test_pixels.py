"""The input buffer against the obvious expression."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.detectors.card import ModelCard
from swathe.detectors.pixels import PADDING, PixelBuffer, padded
from swathe.errors import UsageError

CARD = ModelCard(name="test", classes=("ship",))


@given(tile=st.integers(1, 100), colour_order=st.sampled_from(["RGB", "BGR"]), batch=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_scales_orders_and_pads(tile: int, colour_order: str, batch: int) -> None:
    card = msgspec.structs.replace(CARD, colour_order=colour_order)
    pictures = np.random.default_rng(tile).integers(0, 256, (batch, tile, tile, 3), dtype=np.uint8)
    found = PixelBuffer(card, tile, tile, batch).fill(list(pictures))
    side = -(-tile // 32) * 32
    expected = np.zeros((batch, 3, side, side), np.float32)
    ordered = pictures if colour_order == "RGB" else pictures[..., [2, 1, 0]]
    for channel in range(3):
        expected[:, channel, :tile, :tile] = ordered[..., channel].astype(np.float32) * np.float32(1 / 255)
    np.testing.assert_array_equal(found, expected)


def test_mean_and_deviation_follow_the_colour_order() -> None:
    card = msgspec.structs.replace(
        CARD, colour_order="BGR", input_scale=1.0, mean=(1.0, 2.0, 3.0), deviation=(2.0, 4.0, 8.0)
    )
    pixels = np.broadcast_to(np.array([30, 20, 10], np.uint8), (32, 32, 3))
    found = PixelBuffer(card, 32, 32).fill([np.ascontiguousarray(pixels)])
    np.testing.assert_allclose(found[0, :, 5, 5], [(10 - 1) / 2, (20 - 2) / 4, (30 - 3) / 8])


def test_the_buffer_is_used_again() -> None:
    buffer = PixelBuffer(CARD, 40, 40)
    first = buffer.fill([np.full((40, 40, 3), 255, np.uint8)])
    second = buffer.fill([np.zeros((40, 40, 3), np.uint8)])
    assert first is second
    assert not second.any()


@pytest.mark.parametrize(
    ("shape", "kind"), [((32, 40, 3), "u1"), ((40, 40, 4), "u1"), ((40, 40), "u1"), ((40, 40, 3), "u2")]
)
def test_other_tiles_are_refused(shape: tuple[int, ...], kind: str) -> None:
    with pytest.raises(UsageError, match="40 x 40 pixels"):
        PixelBuffer(CARD, 40, 40).fill([np.zeros(shape, kind)])


def test_an_empty_tile_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        PixelBuffer(CARD, 0, 0)


def test_a_model_of_one_input_size_takes_no_other_tiles() -> None:
    fixed = msgspec.structs.replace(CARD, input_size=640)
    assert PixelBuffer(fixed, 640, 640).array.shape == (1, 3, 640, 640)
    with pytest.raises(UsageError, match="tile 512: must be 640"):
        PixelBuffer(fixed, 512, 512)


def test_a_square_is_padded_with_grey() -> None:
    larger = padded(np.full((3, 5, 3), 7, np.uint8), 8, 9)
    assert larger.shape == (8, 9, 3)
    assert (larger[:3, :5] == 7).all()
    assert (larger[3:] == PADDING).all()
    assert (larger[:, 5:] == PADDING).all()
