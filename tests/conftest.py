"""Settings and fixtures of all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from command import Command, Outcome
from hdfs_cluster import hdfs

__all__ = ["hdfs"]

# Time never decides a test: the first call of a compiled function takes seconds. Examples are the same on every run.
settings.register_profile("swathe", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("swathe")


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process and return its exit code and output."""
    from swathe.cli.main import main

    def run(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of the graph whose answers are known."""
    from tiny_models import write_tiny

    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.onnx")
