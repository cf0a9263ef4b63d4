"""What the loss of parts of YARN does to a run of Spark: how long it takes then, and whether it finds the same.

    python -m benchmarks.cluster.yarn_faults FOLDER [NAME...]

FOLDER is that of a cluster that runs; with names only these faults. The model is one that knows what is there and takes
its time, so that the end of an undisturbed run is known. Each run has an application of its own. Kept in
benchmarks/results/cluster-yarn_faults.json.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyspark

from benchmarks.cluster._results import measure
from swathe.engine.events import BatchRetried
from swathe.engine.local import SerialExecutor
from swathe.engine.plan import Plan
from swathe.engine.run import run_plan
from swathe.engine.spark import SparkExecutor
from swathe.engine.spark_session import spark_session
from swathe.errors import SwatheError
from swathe.store import open_store
from swathe.store.protocol import Store
from swathe.testing.fakes import BLANK_READER, Fault, read_log, write_script
from swathe.testing.suites.executor import Example, files_of

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from swathe_cluster import Cluster

WORKER_BYTES = 600 << 20
DELAY = 1.2  # seconds that each window takes, so that a node is given up while there is work
AFTER = 4  # windows, before something is lost
SETTINGS = {
    "spark.yarn.jars": f"local:{Path(pyspark.__file__).parent / 'jars'}/*",
    "spark.executor.memory": "512m",
    "spark.yarn.am.memory": "384m",
    "spark.ui.enabled": "false",
}


class Faults:
    """What is lost; each method but `run` is a fault."""

    def __init__(self, cluster: Cluster, place: Path) -> None:
        self.cluster, self.place = cluster, place

    def nothing(self) -> dict[str, object]:
        """An undisturbed run."""
        return self.run("nothing", lambda: None)

    def node_manager_killed(self) -> dict[str, object]:
        """Its executor works on as an orphan until the node is given up; its windows are looked at twice then."""
        return self.run("node", self._again("nodemanager-2", containers=False))

    def node_manager_killed_with_containers(self) -> dict[str, object]:
        """A machine is lost."""
        return self.run("machine", self._again("nodemanager-2", containers=True))

    def resource_manager_restarted(self) -> dict[str, object]:
        """It takes up its applications again."""
        return self.run("resources", self._again("resourcemanager", containers=False))

    def executor_over_its_memory(self) -> dict[str, object]:
        """YARN kills a container that takes more than it was promised."""
        return self.run("memory", lambda: None, Fault("grow", "north", AFTER))

    def driver_killed(self) -> dict[str, object]:
        """The same again does what is missing."""
        (self.place / "driver").mkdir()
        example, file = Example(self.place / "driver"), self.place / "plan"
        expected = undisturbed(example)
        file.write_bytes(pickle.dumps((example.plan, example.store.address)))
        words = [sys.executable, "-m", "benchmarks.cluster.yarn_faults", str(self.cluster.folder), "run", str(file)]
        start = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        wait_for(example.log, 2 * AFTER)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed = time.monotonic() - start
        seen = len(read_log(example.log))
        retries = carry_out(example.plan, example.store)
        return {
            **told(example, expected, start, retries),
            "killed_after_s": round(killed, 1),
            "windows_before": seen,
        }

    def run(self, name: str, lose: Callable[[], None], *faults: Fault) -> dict[str, object]:
        """Run, lose something in the middle, and compare."""
        folder = self.place / name
        folder.mkdir()
        example = Example(folder)
        expected = undisturbed(example, *faults)

        def wait_and_lose() -> None:
            wait_for(example.log, AFTER)
            lose()

        thread = threading.Thread(target=wait_and_lose)
        start = time.monotonic()
        thread.start()
        try:
            retries, said = carry_out(example.plan, example.store), ""
        except SwatheError as error:
            thread.join()
            said = str(error)
            retries = carry_out(example.plan, example.store)
        thread.join()
        return {**told(example, expected, start, retries), **({"stopped": said} if said else {})}

    def _again(self, name: str, *, containers: bool) -> Callable[[], None]:
        def lose() -> None:
            self.cluster.kill(name, containers=containers)
            time.sleep(24.0)  # the ResourceManager gives a node up after 20 s
            self.cluster.start(name)

        return lose


def wait_for(log: Path, windows: int) -> None:
    """Wait until so many windows were looked at."""
    while not log.exists() or len(read_log(log)) < windows:
        time.sleep(0.1)


def undisturbed(example: Example, *faults: Fault) -> dict[str, bytes | None]:
    """Return the files of a run by one process, and write the script of the one that is disturbed."""
    other = example.empty_store("other")
    run_plan(example.plan_of(example.truth), other, executor=SerialExecutor(), reader=BLANK_READER)
    example.log.unlink()
    script = example.folder / "script.json"
    write_script(example.truth, script, clip="own", log=example.log, faults=faults, delay=DELAY)
    return files_of(other)


def carry_out(plan: Plan, store: Store) -> list[str]:
    """Run on YARN, and return what was said of retries."""
    retries = list[str]()

    def note(event: object) -> None:
        if isinstance(event, BatchRetried):
            retries.append(event.reason)

    with spark_session("yarn", SETTINGS, WORKER_BYTES) as session:
        run_plan(plan, store, executor=SparkExecutor(session), reader=BLANK_READER, progress=note)
    return retries


def told(example: Example, expected: dict[str, bytes | None], start: float, retries: list[str]) -> dict[str, object]:
    """Put together what happened."""
    seen = Counter(read_log(example.log))
    return {
        "seconds": round(time.monotonic() - start, 1),
        "windows": len(seen),
        "windows_twice": sum(count - 1 for count in seen.values()),
        "same": files_of(example.store) == expected,
        "retries": retries,
    }


def main() -> None:
    """Measure; `run` is the driver that is killed."""
    cluster, names = Cluster(Path(sys.argv[1]).absolute()), sys.argv[2:]
    place = str(cluster.configuration)
    os.environ |= {"HADOOP_CONF_DIR": place, "SPARK_CONF_DIR": place, "SPARK_LOCAL_IP": "127.0.0.1"}
    if names[:1] == ["run"]:
        plan, address = pickle.loads(Path(names[1]).read_bytes())
        carry_out(plan, open_store(address))
        return
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(cluster, Path(folder))
        names = names or [name for name in vars(Faults) if name[0] != "_" and name != "run"]
        measure("cluster-yarn_faults.json", faults, names)


if __name__ == "__main__":
    main()
