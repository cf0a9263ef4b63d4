"""Sessions of Spark for the tests: starting one takes seconds, so that a module shares it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from requirements import need, need_java
from swathe.engine.spark_session import spark_session

SETTINGS = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """A session with two tasks at once in this process's Java."""
    need("pyspark")
    need_java()
    with spark_session("local[2]", SETTINGS) as session:
        yield session
