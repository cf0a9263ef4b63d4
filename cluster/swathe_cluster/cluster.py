"""A cluster as other programs see it: where it listens, and how to break it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from swathe_cluster import health
from swathe_cluster.containers import end_containers
from swathe_cluster.daemons import NEEDS, PARTS, Daemon, daemons
from swathe_cluster.jars import CACHE, ClusterError
from swathe_cluster.settings import LOCAL, Layout

__all__ = ["Cluster", "ClusterError", "running"]

PACKAGE = Path(__file__).resolve().parents[1]
SECONDS = 240  # to wait for one daemon, or for the end of all


@dataclass(frozen=True)
class Cluster:
    """A cluster in a folder, running or not."""

    folder: Path  # absolute

    @property
    def layout(self) -> Layout:
        """Its ports and DataNodes."""
        return Layout.of(self.folder)

    @property
    def configuration(self) -> Path:
        """Folder for HADOOP_CONF_DIR of clients."""
        return self.folder / "conf" / "client"

    @property
    def daemons(self) -> Mapping[str, Daemon]:
        """All that there may be, by name."""
        return daemons(self.layout.data_nodes)

    @property
    def addresses(self) -> dict[str, str]:
        """Where its services listen, by what they are."""
        ports = self.layout.ports
        return {
            "hdfs": f"hdfs://{LOCAL}:{ports['namenode']}",
            "webhdfs": f"webhdfs://{LOCAL}:{ports['namenode-http']}",
            "yarn": f"http://{LOCAL}:{ports['rm-http']}",
            "hbase": f"hbase://{LOCAL}:{ports['thrift']}",
        }

    def state(self) -> dict[str, Any] | None:
        """Return what its keeper has written: `keeper`, `ready`, `pids` by name; None if it does not run."""
        lock = self.folder / "lock"
        if not lock.exists():
            return None
        with lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                try:
                    state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
                except FileNotFoundError:
                    return {"keeper": None, "ready": False, "pids": {}}
                return state
        return None

    def pid(self, name: str) -> int:
        """Return the process id of a daemon.

        Args:
            name: Of the daemon.

        Returns:
            Its id.

        Raises:
            ClusterError: If there is no such daemon, or it does not run.
        """
        self._check(name)
        pid = self._pids().get(name)
        if pid is None:
            raise ClusterError(f"{name} does not run")
        return pid

    def _check(self, name: str) -> None:
        if name not in self.daemons:
            raise ClusterError(f"there is no {name!r}; there are {', '.join(self.daemons)}")

    def _runs(self, name: str) -> bool:
        return name in self._pids()

    def _works(self, part: str) -> bool:
        return self.health()[part] > 0

    def _pids(self) -> dict[str, int]:
        state = self.state()
        return {} if state is None else state["pids"]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, containers: bool = False) -> None:
        """Send a daemon a signal; SIGSTOP makes it hang, SIGCONT goes on.

        Args:
            name: Of the daemon.
            number: The signal.
            containers: Whether the containers of a NodeManager are killed too.

        Raises:
            ClusterError: If it does not run.
        """
        pid = self.pid(name)
        os.kill(pid, number)
        if containers:
            end_containers(self.folder, name)
        if number == signal.SIGKILL:
            _wait(lambda: self._pids().get(name) != pid, f"{name} does not end")

    def start(self, *names: str, more: Mapping[str, object] | None = None) -> None:
        """Start daemons again, or such that are started on demand, and wait until their parts are healthy.

        Args:
            names: Of the daemons; those that run are left alone.
            more: Settings of Hadoop by name, until the next start.

        Raises:
            ClusterError: If there is no such daemon, the cluster does not run, or it does not become healthy.
        """
        for name in names:
            self._check(name)
        if self.state() is None:
            raise ClusterError(f"no cluster runs in {self.folder}; start it with: swathe-cluster up")
        for name in names:
            request = self.folder / "request"
            request.write_text(json.dumps(dict(more or {})))
            request.replace(self.folder / "start" / name)  # whole when the keeper sees it
        for name in names:
            _wait(partial(self._runs, name), f"{name} does not start")
        for part in {self.daemons[name].part for name in names}:
            _wait(partial(self._works, part), f"{part} is not healthy; see {self.folder / 'logs'}")

    def missing(self, *parts: str) -> list[str]:
        """Return the daemons of some parts that do not run, but for those that are started on demand."""
        runs = self._pids()
        return [
            one.name
            for one in self.daemons.values()
            if one.part in parts and not one.on_demand and one.name not in runs
        ]

    def health(self) -> dict[str, int]:
        """Return the living DataNodes, NodeManagers, and 1 for HBase, by part; 0 for what does not work."""
        ports = self.layout.ports
        return {"hdfs": health.hdfs(ports), "yarn": health.yarn(ports), "hbase": health.hbase(ports)}

    def stop(self) -> None:
        """End all its processes; does nothing if it does not run."""
        state = self.state()
        if state is not None and state["keeper"] is not None:
            os.kill(state["keeper"], signal.SIGTERM)
            _wait(lambda: self.state() is None, "the cluster does not end")
        end_containers(self.folder)

    def delete(self) -> None:
        """End it and delete all its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def with_needs(parts: Sequence[str]) -> list[str]:
    """Return parts, all if none is named, with those that they need."""
    wanted = {*parts, *(need for part in parts for need in NEEDS[part])} or set(PARTS)
    return [part for part in PARTS if part in wanted]


def launch(
    folder: Path, parts: Sequence[str], data_nodes: int | None, say: Callable[[str], None]
) -> subprocess.Popen[bytes]:
    """Start a cluster, which ends with the caller as long as nobody writes `stay` to the keeper's input.

    Args:
        folder: Where its data, logs and settings are, absolute; made if need be.
        parts: Of "hdfs", "yarn" and "hbase"; empty for all.
        data_nodes: How many DataNodes; None for as many as its data have, or 3.
        say: Called with each line of progress.

    Returns:
        The keeper; the cluster is healthy.

    Raises:
        ClusterError: If it cannot be started; nothing runs then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "swathe_cluster.keeper", str(folder), ",".join(with_needs(parts))]
    with (folder / "keeper.log").open("ab") as log:
        keeper = subprocess.Popen(
            [*command, str(data_nodes or "")],
            env={**os.environ, "PYTHONPATH": str(PACKAGE), "XDG_CACHE_HOME": str(CACHE.parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    lines: list[str] = []
    try:
        for line in iter(keeper.stdout.readline, b"") if keeper.stdout else ():
            if line == b"ready\n":
                return keeper
            lines.append(line.decode().rstrip("\n"))
            if not line.startswith(b"error: ") and len(lines) == 1:
                say(lines.pop())
    except BaseException:  # an interrupt: nothing of it shall stay
        end(keeper)
        raise
    end(keeper)
    raise ClusterError("\n".join(lines).removeprefix("error: ") or f"it did not start; see {folder / 'keeper.log'}")


def end(keeper: subprocess.Popen[bytes]) -> None:
    """Let go of a keeper, which ends its cluster."""
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe is not None:
            pipe.close()
    keeper.wait()


@contextmanager
def running(folder: Path, *parts: str, data_nodes: int | None = None) -> Iterator[Cluster]:
    """Run a cluster until the block ends, however it ends.

    Args:
        folder: Where its data, logs and settings are.
        parts: Of "hdfs", "yarn" and "hbase"; none for all.
        data_nodes: How many DataNodes, 3 if not given.

    Yields:
        The cluster.

    Raises:
        ClusterError: If it cannot be started.
    """
    keeper = launch(folder.absolute(), parts, data_nodes, lambda _: None)
    try:
        yield Cluster(folder.absolute())
    finally:
        end(keeper)


def _wait(done: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise ClusterError(f"{otherwise} ({SECONDS} s)")
        time.sleep(0.1)
