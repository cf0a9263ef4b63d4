"""Spark as Swathe starts it: Java is there, its log does not cover the progress, executors run this Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from swathe.engine.spark_cluster import room_for
from swathe.errors import MissingExtraError, SwatheError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17
LOG = Path(__file__).with_name("log4j2.properties")
# What a caller, spark-submit or spark-defaults.conf has not set.
DEFAULTS = {
    "spark.app.name": "Swathe",
    "spark.ui.showConsoleProgress": "false",
    # The driver hands out tasks and does little else: to compile it thoroughly takes the time of workers beside it.
    "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={LOG.as_uri()} -XX:TieredStopAtLevel=1",
    # Work begins when the executors that were asked for are there, so that it is cut for all of them.
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    # A scene that costs three executors and more is set aside; by itself Spark would end at about as many.
    "spark.executor.maxNumFailures": "100",
}


@contextmanager
def spark_session(
    master: str | None = None, configuration: Mapping[str, str] | None = None, worker_bytes: int | None = None
) -> Iterator[SparkSession]:
    """Start Spark, or join the session of `spark-submit`; what was started here ends with the block.

    Args:
        master: Where Spark runs: "local[4]", "spark://host:7077", "yarn"; as configured elsewhere if not given, or
            on all cores of this machine.
        configuration: Settings of Spark by name.
        worker_bytes: What a worker takes; containers of YARN and Kubernetes are asked for with room for theirs, where
            `spark.executor.memoryOverhead` does not say otherwise.

    Yields:
        The session.

    Raises:
        MissingExtraError: If PySpark or Java is missing.
        SwatheError: If Spark does not start.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError(library="PySpark", extra="spark") from error
    check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder, active = SparkSession.builder, SparkSession.getActiveSession()
    given = configuration or {}
    room = {} if worker_bytes is None else room_for(worker_bytes, given)
    for name, value in {**DEFAULTS, **room, **given}.items():
        builder = builder.config(name, value)
    try:
        session = (builder.master(master) if master else builder).getOrCreate()
    except Exception as error:
        raise SwatheError(f"Spark does not start ({reason_of(error)}); check master and settings") from error
    try:
        yield session
    finally:
        if session is not active:
            session.stop()


def check_java() -> None:
    """Make sure that there is a Java that Spark runs on.

    Raises:
        MissingExtraError: If there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    words = "" if java is None else _said([java, "-version"])
    version = re.search(r'version "(?:1\.)?(\d+)', words)
    if version is not None and int(version[1]) >= OLDEST_JAVA:
        return
    there = f"{java} is Java {version[1]}" if version else f"there is none in {home or 'the search path'}"
    raise MissingExtraError(
        f"Spark needs Java {OLDEST_JAVA} or newer, and {there}; on Debian and Ubuntu get it by `sudo apt-get install "
        f"openjdk-{OLDEST_JAVA}-jre-headless`, elsewhere from https://adoptium.net, and set JAVA_HOME if there are "
        "several",
        library="Java",
    )


def _said(command: list[str]) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr


def reason_of(error: BaseException) -> str:
    """Return the line of an error of Spark that says what happened."""
    java = getattr(error, "java_exception", None)
    lines = str(error if java is None else java.getMessage()).strip().splitlines() or [type(error).__name__]
    if any(line.startswith("Traceback") for line in lines):  # of a Python worker, whose last line says it
        lines = [line for line in lines if line.strip() and not line[0].isspace()][-1:]
    return lines[0]
