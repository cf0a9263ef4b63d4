"""SIGKILL at any moment of a run that adds scenes: the rerun does what is missing, and the detections are the same.

`make accidents` kills fifty times; here it is a few times. SWATHE_KILLS sets how often, SWATHE_KILLS_SEED when.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from accidents.conftest import Report
from accidents.runs import Case, Moment, finished_windows, kill_at, tree, watched
from requirements import need
from swathe.store import open_store

need("geopandas")

KILLS = int(os.environ.get("SWATHE_KILLS", "2"))
SEED = int(os.environ.get("SWATHE_KILLS_SEED", "20"))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Case:
    """Three scenes, one model."""
    return Case.make(tmp_path_factory.mktemp("case") / "scenes", tiny_model)


def test_a_run_killed_at_any_moment_ends_with_the_same_bytes(case: Case, tmp_path: Path, report: Report) -> None:
    case.only("scene-2").run(tmp_path / "begun")
    shutil.copytree(tmp_path / "begun", tmp_path / "whole")
    started = time.monotonic()
    events = case.run(tmp_path / "whole")
    duration = time.monotonic() - started
    whole, plan, chance = tree(tmp_path / "whole"), case.plan(), random.Random(SEED)
    rows = {scene.scene.id: scene.detections for scene in open_store(tmp_path / "whole").scenes()}
    tried = in_time = spared = reads = 0
    while in_time < KILLS and tried < 10 * KILLS:  # for a kill that comes too late there is another one
        store, moment = tmp_path / f"store-{tried}", Moment.draw(chance, duration, len(events))
        tried += 1
        shutil.copytree(tmp_path / "begun", store)
        with watched(store, rows) as watcher:
            in_time += kill_at(case.start(store), moment)
            done = finished_windows(plan, store) if moment.workers_too else None
            again = case.run(store)
        looked_at = sum(event["windows"] for event in again if event["event"] == "batch_finished")
        resumed = again[-1]["resumed_windows"]
        # Workers that outlive the others for a moment may finish a batch between the count and the rerun.
        assert done is None or resumed == done, moment
        assert looked_at == plan.windows - resumed, moment
        assert tree(store) == whole, moment
        assert not watcher.errors, (moment, watcher.errors)
        spared, reads = spared + (plan.scenes[-1].windows < resumed < plan.windows), reads + watcher.reads
        shutil.rmtree(store)
    report(
        f"SIGKILL: {tried} times, {in_time} of them in a running process, {spared} with some of the windows done; "
        f"same bytes {tried} times; {reads} readings of the stores meanwhile without an error"
    )
    assert reads > 0
    assert in_time == KILLS
