"""Ctrl-C, or the end of the driver: no worker goes on, and the run can be resumed."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.engine.plan import make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.store import open_store
from swathe.testing.fakes import BLANK_READER, read_log, write_script
from swathe.testing.scenes import SyntheticScene, scene_without_file

# No main guard: worker processes must not run the caller's main module again.
PROGRAM = """
import pickle, sys
from pathlib import Path
from swathe.engine.run import run_plan
from swathe.store import open_store

plan, folder, reader = pickle.loads(Path(sys.argv[1]).read_bytes())
try:
    store = open_store(folder, create=True)
    run_plan(plan, store, progress=lambda event: print(type(event).__name__, flush=True), reader=reader)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("end", "workers"),
    [(signal.SIGINT, 0), (signal.SIGINT, 2), (signal.SIGKILL, 2)],
    ids=["ctrl-c-serial", "ctrl-c-processes", "killed-processes"],
)
def test_a_run_that_was_ended_is_resumed(
    tmp_path: Path, scenes: list[SyntheticScene], settings: RunSettings, log: Path, end: signal.Signals, workers: int
) -> None:
    spec = write_script(scenes, tmp_path / "script.json", clip="own", log=log, delay=0.05)
    plan = make_plan([scene_without_file(scene) for scene in scenes], replace(settings, workers=workers), spec)
    task, program, folder = tmp_path / "task.pickle", tmp_path / "program.py", tmp_path / "store"
    task.write_bytes(pickle.dumps((plan, folder, BLANK_READER)))
    program.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(program), str(task)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("BatchFinished") for line in process.stdout)
        process.send_signal(end)
        process.communicate(timeout=120)
    looked_at = len(read_log(log))
    if end == signal.SIGINT:
        assert process.returncode == 130
        time.sleep(0.3)
        assert len(read_log(log)) == looked_at, "a worker goes on after the run has ended"

    write_script(scenes, tmp_path / "script.json", clip="own")
    again = replace(plan, settings=settings)
    summary = run_plan(again, open_store(folder), reader=BLANK_READER)
    assert 0 < summary.resumed_windows < summary.windows
    assert summary.detections == sum(len(scene.boxes) for scene in scenes)
