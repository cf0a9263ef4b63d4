"""Sessions of Spark for the tests: starting one takes seconds, so that a module shares it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from requirements import need, need_java
from standalone_spark import SETTINGS, standalone
from swathe.engine.spark_session import spark_session

ON_CLUSTER = {
    "spark.executor.memory": "512m",
    "spark.executor.memoryOverhead": "2g",
    "spark.cores.max": "2",  # begins when both are there
    "spark.locality.wait": "60s",  # time decides nothing here
    # Only tasks that hang are begun a second time elsewhere, not those whose Python takes long to start.
    "spark.speculation": "true",
    "spark.speculation.interval": "200ms",
    "spark.speculation.quantile": "0.3",
    "spark.speculation.multiplier": "3",
    "spark.speculation.minTaskRuntime": "30s",
}


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """A session with two tasks at once in this process's Java."""
    need("pyspark")
    need_java()
    with spark_session("local[2]", SETTINGS) as session:
        yield session


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on a cluster of two hosts."""
    need("pyspark")
    need_java()
    with (
        standalone(tmp_path_factory.mktemp("spark")) as master,
        spark_session(master, SETTINGS | ON_CLUSTER) as session,
    ):
        yield session
