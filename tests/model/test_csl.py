"""Circular smooth label: the window, the circle, and the way there and back."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.model import csl

ANGLES = st.floats(-math.pi / 2, math.pi / 2, exclude_max=True)


def slow_label(theta: float, radius: float, continuous: bool) -> list[float]:
    """The definition, one bin at a time."""
    degrees = math.degrees(theta) + 90.0
    peak = degrees - 0.5 if continuous else math.floor(degrees) % 180
    label = []
    for k in range(180):
        distance = min(abs(k - peak) % 180, 180 - abs(k - peak) % 180)
        label.append(math.exp(-(distance**2) / (2 * radius**2)))
    return label


@settings(deadline=None)
@given(ANGLES, st.floats(0.5, 8.0), st.booleans())
def test_equals_the_definition(theta: float, radius: float, continuous: bool) -> None:
    found = csl.encode(torch.tensor([theta], dtype=torch.float64), radius=radius, continuous=continuous)[0].numpy()
    wanted = slow_label(theta, radius, continuous)
    if not continuous:  # on a bin's edge, degrees and radians may round to different bins
        wanted = np.roll(wanted, int(found.argmax()) - int(np.argmax(wanted)))
        past = (math.degrees(theta) + 90.0 - float(found.argmax()) + 1e-3) % 180.0
        assert past <= 1.0 + 2e-3
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_peak_is_one_whatever_the_radius() -> None:
    for radius in (0.5, 2.0, 6.0):
        assert float(csl.encode(torch.tensor([0.3]), radius=radius).max()) == 1.0


def test_bins_are_floors() -> None:
    degrees = torch.tensor([-90.0, -89.01, -89.0, -0.5, 0.0, 0.99, 89.99], dtype=torch.float64)
    assert csl.angle_to_bin(torch.deg2rad(degrees)).tolist() == [0, 0, 1, 89, 90, 90, 179]


def test_window_goes_round_the_circle() -> None:
    label = csl.encode(torch.deg2rad(torch.tensor([-90.0 + 0.5], dtype=torch.float64)))[0]
    assert label.argmax() == 0
    assert math.isclose(label[179], label[1], rel_tol=1e-12)
    assert math.isclose(label[178], math.exp(-0.5), rel_tol=1e-12)


def test_decoding_the_centre_of_a_bin_has_no_bias() -> None:
    degrees = torch.linspace(-90, 89.999, 20_001, dtype=torch.float64)
    error = csl.angle_to_bin(torch.deg2rad(degrees)) - 89.5 - degrees
    assert abs(float(error.mean())) < 1e-3
    assert float(error.abs().mean()) <= 0.25 + 1e-3
