"""Tasks that run on a host which holds the blocks that they read, when Spark is told where those are and when not.

    python -m benchmarks.cluster.locality FOLDER

FOLDER is that of a cluster that runs. Hosts of tasks come from Spark's event log, those of blocks from the NameNode.
The model takes no time, the pixels are read. Kept in benchmarks/results/cluster-locality.json.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cluster._results import measure
from benchmarks.cluster.application import make
from benchmarks.cluster.yarn_faults import SETTINGS, WORKER_BYTES
from swathe.engine.job import BatchJob, Job
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.engine.spark import SparkExecutor
from swathe.engine.spark_blocks import BlockHosts
from swathe.engine.spark_session import spark_session
from swathe.files import open_folder
from swathe.raster.opening import open_scene
from swathe.store import open_store
from swathe.testing.fakes import write_script
from swathe.testing.scenes import ObjectRule, synthetic_scene

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from swathe_cluster import Cluster

MANY = 24  # scenes of one block each
SMALL, LARGE = 0.12, 0.6  # sides of scenes in those of the paper's: one block, and about ten


def plan_of(addresses: Sequence[str], folder: Path) -> Plan:
    """Plan a run over scenes that finds nothing."""
    settings = RunSettings(tile=512, stride=256)
    scenes = [open_scene(address) for address in addresses]
    truth = [synthetic_scene(64, 64, seed=1, rule=ObjectRule(count=0), scene_id=scene.id) for scene in scenes]
    return make_plan(scenes, settings, write_script(truth, folder / "script.json"))


def hosts_of_tasks(events: Path) -> list[dict[int, tuple[str, str]]]:
    """Return the host of each task and what Spark calls its locality, for each stage that looked at windows."""
    stages: dict[int, dict[int, tuple[str, str]]] = {}
    for line in events.read_text().splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerStageSubmitted":
            if " batch" in (event.get("Properties") or {}).get("spark.job.description", ""):
                stages[event["Stage Info"]["Stage ID"]] = {}
        elif event["Event"] == "SparkListenerTaskEnd" and event["Stage ID"] in stages:
            task = event["Task Info"]
            stages[event["Stage ID"]][task["Index"]] = task["Host"], task["Locality"]
    return [stages[stage] for stage in sorted(stages)]


class Noted:
    """A partitioner that notes which jobs went into which task."""

    def __init__(self, partitioner: Callable[[Sequence[Job], int], list[int]]) -> None:
        self.partitioner = partitioner
        self.tasks: list[list[Job]] = []

    def __call__(self, jobs: Sequence[Job], count: int) -> list[int]:
        """Share out jobs."""
        found = self.partitioner(jobs, count)
        if isinstance(jobs[0], BatchJob):
            places = sorted(set(found))
            self.tasks = [[job for job, at in zip(jobs, found, strict=True) if at == place] for place in places]
        return found


def look(session: Any, plan: Plan, folder: Path, *, told: bool) -> list[Counter[str]]:
    """Carry out a plan, and return how many bytes that each task reads are on each host."""
    blocks = BlockHosts(session.sparkContext)
    executor = SparkExecutor(session, hosts=None if told else lambda _: ())
    executor.partitioner = noted = Noted(executor.partitioner)
    run_plan(plan, open_store(folder / f"store-{told}", create=True), executor=executor)
    return [sum((blocks.held(job) for job in jobs), Counter()) for jobs in noted.tasks]


def compared(addresses: Sequence[str]) -> dict[str, object]:
    """Run with and without preferences, and count."""
    with tempfile.TemporaryDirectory() as place:
        folder, events = Path(place), Path(place, "events")
        events.mkdir()
        log = {"enabled": "true", "dir": events.as_uri(), "compress": "false", "rolling.enabled": "false"}
        more = {f"spark.eventLog.{name}": value for name, value in log.items()}
        with spark_session("yarn", {**SETTINGS, **more}, WORKER_BYTES) as session:
            plan = plan_of(addresses, folder)
            needs = [look(session, plan, folder, told=told) for told in (False, True)]
        (file,) = events.iterdir()
        ran = hosts_of_tasks(file)
    return dict(zip(("not_told", "told"), map(summary, needs, ran), strict=True))


def summary(needs: Sequence[Counter[str]], ran: dict[int, tuple[str, str]]) -> dict[str, object]:
    """Count tasks and bytes that were near."""
    best = sum(needs[task][host] == max(needs[task].values()) for task, (host, _) in ran.items())
    near = sum(needs[task][host] for task, (host, _) in ran.items())
    total = sum(needs[task].total() for task in ran)
    return {
        "tasks": len(ran),
        "on_a_host_with_their_blocks": sum(needs[task][host] > 0 for task, (host, _) in ran.items()),
        "on_the_host_with_most": best,
        "share_of_bytes_there": round(2 * near / total, 3),  # each byte is on two hosts
        "locality_by_spark": dict(Counter(locality for _, locality in ran.values())),
        "tasks_by_host": dict(Counter(host for host, _ in ran.values())),
    }


class Scenes:
    """What is read; each method is a case."""

    def many_of_one_block(self) -> dict[str, object]:
        """Many small scenes."""
        return compared(put("many", SMALL, MANY))

    def one_of_many_blocks(self) -> dict[str, object]:
        """A large scene."""
        return compared(put("one", LARGE, 1))


def put(name: str, side: float, count: int) -> list[str]:
    """Put copies of a scene into HDFS, and return their addresses."""
    folder = open_folder(f"hdfs:///locality/{name}")
    with tempfile.TemporaryDirectory() as place:
        make(Path(place, "scene.tif"), side)
        for number in range(count):
            folder.put(f"{number:02d}.tif", Path(place, "scene.tif").read_bytes())
    return [f"{folder.address}/{number:02d}.tif" for number in range(count)]


def main() -> None:
    """Measure."""
    place = str(Cluster(Path(sys.argv[1]).absolute()).configuration)
    os.environ |= {"HADOOP_CONF_DIR": place, "SPARK_CONF_DIR": place, "SPARK_LOCAL_IP": "127.0.0.1"}
    measure("cluster-locality.json", Scenes(), ("many_of_one_block", "one_of_many_blocks"))


if __name__ == "__main__":
    main()
