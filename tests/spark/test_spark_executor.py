"""What every executor must do, done by Spark."""

from __future__ import annotations

from typing import Any

import pytest

from swathe.engine.job import Executor
from swathe.engine.spark import SparkExecutor
from swathe.testing.suites.executor import ExecutorSuite


class TestSparkOnThisMachine(ExecutorSuite):
    @pytest.fixture
    def executor(self, local: Any) -> Executor:
        return SparkExecutor(local)
