"""What executors are given, and have not by themselves: graphics processors, the model, credentials, so much memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from requirements import need, need_java
from standalone_spark import HOSTS, SETTINGS, standalone
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.events import ProgressEvent, RunPlanned
from swathe.engine.local import SerialExecutor
from swathe.engine.run import run_plan
from swathe.engine.spark import SparkExecutor
from swathe.engine.spark_session import spark_session
from swathe.store import open_store
from swathe.testing.fakes import BLANK_READER, Fault
from swathe.testing.suites.executor import Example, files_of

RESOURCES = {
    "spark.executor.memory": "512m",
    "spark.cores.max": "2",
    "spark.executor.resource.gpu.amount": "1",
    "spark.task.resource.gpu.amount": "1",
    # Each Python process may take so much. It is what a container does to all of them together.
    "spark.executor.pyspark.memory": "2g",
}
DISCOVERY = """#!/bin/sh
echo '{"name": "gpu", "addresses": ["gpu-of-'$SPARK_LOCAL_IP'"]}'
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on a cluster of two hosts, each of which says that it has a graphics processor."""
    need("pyspark")
    need_java()
    folder = tmp_path_factory.mktemp("spark")
    script = folder / "discovery.sh"
    script.write_text(DISCOVERY)
    script.chmod(0o755)
    gpu = "-Dspark.worker.resource.gpu"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SPARK_WORKER_OPTS", f"{gpu}.amount=1 {gpu}.discoveryScript={script}")
        with standalone(folder) as master, spark_session(master, SETTINGS | RESOURCES) as session:
            yield session


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)


def test_tasks_use_their_graphics_processor_with_batches_of_windows(cluster: Any, example: Example) -> None:
    log, model = example.folder / "seen.txt", example.folder / "model.txt"
    model.write_text(str(log))
    cluster.sparkContext.addPyFile(str(Path(__file__).with_name("graphics_witness.py")))
    spec = DetectorSpec("graphics_witness:BACKEND", str(model), ("ship",), "0" * 64, 0.0, 0.2, batch=4, device="cuda")
    plan = replace(example.plan, detector=spec)
    run_plan(plan, example.store, executor=SparkExecutor(cluster), reader=BLANK_READER)
    seen = [line.split() for line in log.read_text().splitlines()]
    assert {device for device, _ in seen} <= {f"gpu-of-{host}" for host in HOSTS}
    counts = [int(count) for _, count in seen]
    assert (max(counts), sum(counts)) == (4, plan.windows)


def test_model_and_credentials_travel_to_executors_without_a_shared_disk(
    cluster: Any, bucket: str, example: Example
) -> None:
    def key(_: int) -> str | None:
        import os

        return os.environ.get("AWS_ACCESS_KEY_ID")

    assert cluster.sparkContext.parallelize([0], 1).map(key).first() is None, "they have none of their own"
    here, there = example.empty_store("here"), open_store(f"{bucket}/found", create=True)
    run_plan(example.plan, here, executor=SerialExecutor(), reader=BLANK_READER)

    def hide_model(event: ProgressEvent) -> None:
        if isinstance(event, RunPlanned):  # all of it is sent by then
            (example.folder / "script.json").unlink()

    run_plan(example.plan, there, executor=SparkExecutor(cluster), reader=BLANK_READER, progress=hide_model)
    assert files_of(there) == files_of(here)
    assert there.workspace(example.plan.run).names() == frozenset()


def test_an_executor_without_enough_memory_says_so_in_a_line(cluster: Any, example: Example) -> None:
    plan = example.plan_of(example.truth, [Fault("grow", "south", 0, 999)])
    summary = run_plan(plan, example.store, executor=SparkExecutor(cluster), reader=BLANK_READER)
    assert list(summary.failed) == ["south"]
    assert "workers died 3 times on scene south" in summary.failed["south"]
    assert "the last one ran out of memory" in summary.failed["south"]
    assert "\n" not in summary.failed["south"]
    assert summary.scenes == ("north", "tiny")
