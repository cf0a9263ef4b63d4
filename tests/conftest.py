"""Settings and fixtures of all tests."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, settings

from command import Command, Outcome
from hdfs_cluster import hdfs

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

__all__ = ["hdfs"]

# Time never decides a test: the first call of a compiled function takes seconds. Examples are the same on every run.
settings.register_profile("swathe", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("swathe")

# A shell starts what it puts into the background with Ctrl-C ignored, nohup ignores the end of a terminal. Commands
# that are tested would, too; where a function of this process does nothing about a signal, they do not inherit that.
if threading.current_thread() is threading.main_thread():
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def exact_backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let `auto` take the backend that is the same on every machine; nothing is kept in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("swathe.engine.backend.CPU_INFO", Path("/nowhere"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Have one process run all tests that share a Hadoop cluster, and one all that share a Spark application.

    Marks for that, `xdist_group`, have no effect with pytest 9.2 and xdist 3.8.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if "/cluster/" in file:
                return "cluster"
            return file if "/spark/" in file else nodeid

    return Scheduling(config, log)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket of an S3 server, and the environment set for it."""
    from servers import s3_server

    with pytest.MonkeyPatch.context() as environment, s3_server(environment) as address:
        environment.setenv("AWS_ENDPOINT_URL", address)
        urlopen(Request(f"{address}/bucket", method="PUT")).close()
        yield "s3://bucket"


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
