"""What is said where Spark, or the Java that it needs, is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swathe.engine.spark_session import check_java, spark_session
from swathe.errors import MissingExtraError

if TYPE_CHECKING:
    from command import Command


def java(folder: Path, words: str) -> None:
    (folder / "bin").mkdir()
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{words}' >&2\n")
    program.chmod(0o755)


def test_no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"Java 17 or newer.*none.*apt-get install openjdk-17-jre-headless"):
        check_java()


@pytest.mark.parametrize(("words", "fine"), [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("24", True)])
def test_old_java(words: str, fine: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java(tmp_path, f'openjdk version "{words}" 2025-04-15')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    if fine:
        check_java()
    else:
        with pytest.raises(MissingExtraError, match=r"is Java (8|11); on Debian"):
            check_java()


def test_no_pyspark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with (
        pytest.raises(MissingExtraError, match=r"PySpark is not installed.*pip install 'swathe\[spark\]'"),
        spark_session(),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--master", "local[2]"), "--master needs --engine spark"),
        (("--spark", "spark.ui.port=1"), "--spark needs --engine spark"),
        (("--engine", "spark", "--spark", "cores=4"), "--spark 'cores': must be a setting"),
        (("--engine", "spark", "--partitioner", "luck"), "'luck' is not one of"),
    ],
)
def test_odd_options(words: tuple[str, ...], message: str, command: Command, tiny_model: Path, tmp_path: Path) -> None:
    from red_cells import write_red_cells

    scene = write_red_cells(tmp_path / "scene.tif")
    grid = ("--tile", "128", "--stride", "96")
    outcome = command("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "store", *grid, *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.is_one_error
    assert not (tmp_path / "store").exists()
