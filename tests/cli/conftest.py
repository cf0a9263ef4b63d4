"""The command line, called as a function, and small inputs for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swathe.cli.main import main
from swathe.testing.scenes import SyntheticScene, synthetic_scene, write_geotiff


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The lines of the standard output as JSON values."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture
def swathe(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command and return its exit code and output."""

    def run(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(scope="session")
def truth() -> SyntheticScene:
    """A scene with a few dozen objects."""
    return synthetic_scene(500, 400, seed=3, scene_id="harbour")


@pytest.fixture(scope="session")
def scene(truth: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as a georeferenced GeoTIFF."""
    path = tmp_path_factory.mktemp("scenes") / "harbour.tif"
    transform = (0.5, 0.0, 9_500_000.0, 0.0, -0.5, 3_200_000.0)
    return write_geotiff(truth, path, crs="EPSG:3857", transform=transform, overviews=(2,))
