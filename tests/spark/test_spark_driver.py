"""The driver: what the command prints with Spark, and a driver that is killed in mid-run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elsewhere import until_it_has_ended
from red_cells import write_red_cells
from standalone_spark import LONGEST_START, SETTINGS, descendants
from swathe.engine.local import SerialExecutor
from swathe.engine.run import run_plan
from swathe.engine.spark import SparkExecutor
from swathe.testing.fakes import BLANK_READER, read_log, write_script
from swathe.testing.suites.executor import Example, files_of

if TYPE_CHECKING:
    from command import Command

DRIVER = """
import sys
from pathlib import Path
from swathe.engine.run import run_plan
from swathe.engine.spark import SparkExecutor
from swathe.engine.spark_session import spark_session
from swathe.testing.fakes import BLANK_READER, write_script
from swathe.testing.suites.executor import Example
example = Example(Path(sys.argv[1]))
write_script(example.truth, example.folder / "script.json", clip="own", delay=0.2, log=example.log)
with spark_session("local[2]", SETTINGS) as session:
    run_plan(example.plan, example.store, executor=SparkExecutor(session), reader=BLANK_READER)
"""


def test_a_driver_that_is_killed_loses_what_was_in_work(local: Any, tmp_path: Path) -> None:
    (tmp_path / "killed").mkdir()
    example = Example(tmp_path / "killed")
    program = DRIVER.replace("SETTINGS", repr(SETTINGS))
    driver = subprocess.Popen([sys.executable, "-c", program, str(example.folder)])
    workspace = example.store.workspace(example.plan.run)
    try:
        end = time.monotonic() + LONGEST_START
        while len(workspace.names()) < 3:
            assert driver.poll() is None, "it ended before it was killed"
            assert time.monotonic() < end, "it does not get to work"
            time.sleep(0.05)
        below = descendants(driver.pid)
    finally:
        driver.kill()
        driver.wait()
    for pid in below:  # nothing of it stays
        until_it_has_ended(pid)
    there = workspace.names()
    left = sum(
        batch.count for scene in example.plan.scenes for batch in scene.batches() if scene.part(batch) not in there
    )
    example.log.unlink()
    write_script(example.truth, example.folder / "script.json", clip="own", log=example.log)
    run_plan(example.plan, example.store, executor=SparkExecutor(local), reader=BLANK_READER)
    assert 0 < left < example.plan.windows
    assert len(read_log(example.log)) == left
    other = example.empty_store("other")
    run_plan(example.plan, other, executor=SerialExecutor(), reader=BLANK_READER)
    assert files_of(example.store) == files_of(other)


def test_the_command_prints_the_same_events(local: Any, command: Command, tiny_model: Path, tmp_path: Path) -> None:
    scene = write_red_cells(tmp_path / "scene.tif")
    words = ("detect", scene.path, "-m", tiny_model, "--tile", "128", "--stride", "96", "--json", "-o")
    here = command(*words, tmp_path / "here", "--workers", "0")
    spark = command(*words, tmp_path / "spark", "--engine", "spark", "--partitioner", "rank")
    assert spark.code == 0, spark.err
    events = [line["event"] for line in spark.lines]
    assert [event for event in events if event != "locality"] == [line["event"] for line in here.lines]
    assert events[-2:] == ["locality", "summary"]
    assert spark.lines[-1]["detections"] == here.lines[-1]["detections"] == len(scene.ships) + len(scene.planes)
    assert local.sparkContext._jsc.sc().isStopped() is False, "a session that others have started stays"
    assert os.environ["PYSPARK_PYTHON"] == sys.executable
