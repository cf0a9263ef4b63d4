"""A scene, a plan and a store for the tests of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.settings import RunSettings
from swathe.store import open_store
from swathe.store.protocol import Store
from swathe.testing.fakes import write_script
from swathe.testing.scenes import ObjectRule, SyntheticScene, synthetic_scene


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def settings() -> RunSettings:
    """Settings under which every object of the fixture scenes is whole in some window."""
    return RunSettings(tile=192, stride=112, scales=(0.5, 1.0), workers=0)


@pytest.fixture
def scenes() -> list[SyntheticScene]:
    """Two scenes of 40 objects."""
    rule = ObjectRule(count=40, long_side=(16.0, 60.0))
    return [
        synthetic_scene(900, 700, seed=1, rule=rule, scene_id="north"),
        synthetic_scene(700, 800, seed=2, rule=rule, scene_id="south"),
    ]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the scripted detector of `spec` writes what it looked at."""
    return tmp_path / "log"


@pytest.fixture
def spec(tmp_path: Path, scenes: list[SyntheticScene], log: Path) -> DetectorSpec:
    """A perfect detector of the scenes that writes a log."""
    return write_script(scenes, tmp_path / "script.json", clip="own", log=log)
