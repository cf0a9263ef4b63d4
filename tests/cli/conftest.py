"""A small scene with known objects, and a store of what was found in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from red_cells import RedCells, write_red_cells
from swathe.cli.main import main

GRID = ("--tile", "128", "--stride", "96")


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> RedCells:
    """A georeferenced scene."""
    return write_red_cells(tmp_path_factory.mktemp("scene") / "harbour.tif")


@pytest.fixture(scope="session")
def store(scene: RedCells, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was found in it; not to be written to."""
    path = tmp_path_factory.mktemp("stores") / "found"
    words = ["detect", str(scene.path), "-m", str(tiny_model), "-o", str(path), *GRID, "--workers", "0", "--json"]
    assert main(words) == 0
    return path
