"""The figure of alpha's weights is computed from the loss and agrees with the paper's equations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from requirements import need
from swathe.errors import StoreError

need("torch")
need("matplotlib")

from swathe.training.figures import alpha_weights, draw_alpha  # noqa: E402 - after the check


def test_weights_are_equations_two_and_three() -> None:
    alphas = (0.5, 2.0)
    iou, losses, slopes = alpha_weights(alphas)
    for alpha, loss, slope in zip(alphas, losses, slopes, strict=True):
        np.testing.assert_allclose(loss, 1 + (iou - iou**alpha) / (1 - iou), rtol=1e-4)
        np.testing.assert_allclose(slope, alpha * iou ** (alpha - 1), rtol=1e-4)


def test_draws_a_picture(tmp_path: Path) -> None:
    draw_alpha(tmp_path / "alpha.png")
    picture = np.asarray(Image.open(tmp_path / "alpha.png").convert("RGB"))
    assert picture.shape[1] > 800
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_says_what_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing"):
        draw_alpha(tmp_path / "nothing" / "alpha.png")
    with pytest.raises(StoreError, match="xyz"):
        draw_alpha(tmp_path / "alpha.xyz")
