"""Images to train on in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swathe import boxes
from swathe.datasets import dota

SIDE = 160


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images of bright bars on dark ground, in DOTA's form."""
    folder = tmp_path_factory.mktemp("bars")
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    rng = np.random.default_rng(4)
    for number in range(6):
        sides = (rng.uniform(30, 44, 5), rng.uniform(12, 18, 5))
        bars = np.column_stack((rng.uniform(30, SIDE - 30, (5, 2)), *sides, rng.uniform(-1.5, 1.5, 5)))
        polygons = boxes.to_polygons(boxes.canonical(bars))
        picture = rng.integers(20, 60, (SIDE, SIDE, 3)).astype(np.uint8)
        x, y = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
        for cx, cy, w, h, theta in bars:
            along = (x - cx) * np.cos(theta) + (y - cy) * np.sin(theta)
            across = -(x - cx) * np.sin(theta) + (y - cy) * np.cos(theta)
            picture[(np.abs(along) < w / 2) & (np.abs(across) < h / 2)] = (230, 220, 90)
        Image.fromarray(picture).save(folder / "images" / f"bar{number}.png")
        dota.write_labels(folder / "labels" / f"bar{number}.txt", polygons, ["bar"] * 5, np.zeros(5, np.bool_))
    return folder
