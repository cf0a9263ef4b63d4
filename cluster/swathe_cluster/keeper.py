"""The process that owns all daemons of a cluster: it starts, reaps and ends them.

It runs in a session of its own and ends its daemons when it is told to (SIGTERM), when its caller goes before it has
said `stay`, or when the start fails. Should it be killed itself, the kernel kills the daemons.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import IO

from swathe_cluster import health
from swathe_cluster.containers import end_containers
from swathe_cluster.daemons import HBASE, JAVA, OPENED, PARTS, Daemon, daemons, stop_order
from swathe_cluster.jars import ClusterError, class_path, program
from swathe_cluster.settings import (
    APPLICATIONS,
    Layout,
    Values,
    client_sites,
    daemon_sites,
    is_free,
    write_settings,
    write_spark_defaults,
)

SECONDS_TO_START = 240  # a busy machine takes long; an idle one is done in 35
SECONDS_TO_STOP = 4  # then they are killed
SECONDS_BETWEEN_LOOKS = 0.2
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Keeper:
    """Owns the daemons of one folder."""

    def __init__(self, folder: Path, parts: Collection[str], data_nodes: int | None) -> None:
        self.layout = Layout.of(folder, data_nodes)
        self.folder = folder
        self.daemons = daemons(self.layout.data_nodes)
        self.pending = [one for one in self.daemons.values() if one.part in parts and not one.on_demand]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.java = program("java", "openjdk-17-jre-headless")
        self.jars = {kind: class_path(kind) for kind in sorted({one.kind for one in self.pending})}
        self.stopping = False
        self.gentle = True

    def prepare(self) -> None:
        """Write all settings, and format the NameNode of an empty folder."""
        taken = [port for port in self.layout.ports.values() if not is_free(port)]
        if taken:
            raise ClusterError(
                f"port {taken[0]}, which the data in {self.folder} name, is taken; end what listens there"
            )
        for name in ("logs", "tmp", "start", "data"):
            (self.folder / name).mkdir(exist_ok=True)
        for request in (self.folder / "start").iterdir():
            request.unlink()
        shutil.rmtree(self.folder / "data" / APPLICATIONS, ignore_errors=True)  # they have ended with the cluster
        # Java then asks no name server, and the name of 127.0.0.2 is its address.
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename}\n")
        write_settings(self.folder, "client", client_sites(self.layout))
        write_spark_defaults(self.folder)
        name_node = self.daemons["namenode"]
        if name_node in self.pending and not (self.folder / "data" / "namenode" / "current").exists():
            process = self.run(name_node, "-format", "-nonInteractive")
            while process.poll() is None and not self.stopping:
                time.sleep(SECONDS_BETWEEN_LOOKS)
            if process.returncode:
                raise ClusterError(f"the NameNode cannot be formatted:\n{self.log_of('namenode')}")

    def run(self, daemon: Daemon, *arguments: str, more: Values | None = None) -> subprocess.Popen[bytes]:
        """Start a daemon, with more settings than it has by itself if need be; its output goes to a file."""
        sites = daemon_sites(daemon, self.layout)
        place = write_settings(self.folder, daemon.name, {file: {**own, **(more or {})} for file, own in sites.items()})
        if daemon.kind not in self.jars:
            self.jars[daemon.kind] = class_path(daemon.kind)
        paths = os.pathsep.join(map(str, (place, *self.jars[daemon.kind])))
        named = [f"-Djdk.net.hosts.file={self.folder / 'hosts'}", f"-Djava.io.tmpdir={self.folder / 'tmp'}"]
        flags = [*JAVA, *OPENED, *(HBASE if daemon.kind == "hbase" else ()), *named, "-cp", paths]
        environment = {
            **os.environ,
            "JAVA_HOME": str(Path(self.java).resolve().parents[1]),
            "HADOOP_HOME": str(self.folder),
            "HADOOP_CONF_DIR": str(self.folder / "conf" / daemon.name),
            "MALLOC_ARENA_MAX": "2",
        }
        with (self.folder / "logs" / f"{daemon.name}.log").open("ab") as log:
            process = subprocess.Popen(
                [self.java, *flags, *daemon.command(), *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 -- there is one thread, whose end the kernel looks at
            )
        self.processes[daemon.name] = process
        return process

    def log_of(self, name: str) -> str:
        """Return the end of a daemon's log."""
        path = self.folder / "logs" / f"{name}.log"
        return f"... {path}:\n{path.read_text(errors='replace')[-3000:]}"

    def healthy(self, part: str) -> bool:
        """Tell whether all of a part that was started does its work."""
        started = sum(name.startswith(("datanode", "nodemanager")) for name in self.processes if self._is(name, part))
        return PART_HEALTH[part](self.layout.ports) >= max(started, 1)

    def _is(self, name: str, part: str) -> bool:
        return self.daemons[name].part == part

    def start(self, caller: Caller) -> None:
        """Start what is pending, each daemon as soon as what it needs is healthy, and wait until all parts are."""
        parts = [part for part in PARTS if any(one.part == part for one in self.pending)]
        healthy: set[str] = set()
        end = time.monotonic() + SECONDS_TO_START
        while not self.stopping and len(healthy) < len(parts):
            for daemon in [one for one in self.pending if not one.after or one.after in healthy]:
                self.pending.remove(daemon)
                self.run(daemon)
                self.write_state(ready=False)
            gone = next((name for name, process in self.processes.items() if process.poll() is not None), None)
            if gone is not None:
                raise ClusterError(f"{gone} has ended while the cluster started:\n{self.log_of(gone)}")
            if time.monotonic() > end:
                late = [part for part in parts if part not in healthy]
                logs = "\n".join(self.log_of(name) for name in self.processes if self.daemons[name].part in late)
                raise ClusterError(f"{', '.join(late)}: not healthy after {SECONDS_TO_START} s\n{logs}")
            waiting = {daemon.part for daemon in self.pending}
            for part in parts:
                if part not in healthy and part not in waiting and self.healthy(part):
                    healthy.add(part)
                    caller.say(f"{part} is up")
            if caller.is_gone(SECONDS_BETWEEN_LOOKS):
                self.stopping = True

    def keep(self, caller: Caller) -> None:
        """Reap what ends and start what is asked for, until told to stop."""
        while not self.stopping:
            for request in (self.folder / "start").iterdir():
                more = json.loads(request.read_text())
                request.unlink()
                process = self.processes.get(request.name)
                if request.name in self.daemons and (process is None or process.poll() is not None):
                    self.run(self.daemons[request.name], more=more)
            self.write_state(ready=True)
            if caller.is_gone(SECONDS_BETWEEN_LOOKS):
                self.stopping = True

    def write_state(self, *, ready: bool) -> None:
        """Write which processes there are, for other commands."""
        pids = {name: process.pid for name, process in self.processes.items() if process.poll() is None}
        text = json.dumps({"keeper": os.getpid(), "ready": ready, "pids": pids})
        file = self.folder / "state.json"
        if not file.exists() or file.read_text() != text:
            partial = file.with_suffix(".part")
            partial.write_text(text)
            partial.replace(file)

    def stop(self) -> None:
        """End all processes, what depends on others first; containers that outlived their NodeManager too."""
        end_containers(self.folder)
        for daemon in sorted(self.daemons.values(), key=stop_order):
            process = self.processes.get(daemon.name)
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGCONT)  # one that was stopped takes no other signal but KILL
            process.send_signal(signal.SIGTERM if self.gentle else signal.SIGKILL)
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        end_containers(self.folder)
        (self.folder / "state.json").unlink(missing_ok=True)


class Caller:
    """Who started the keeper: holds the other end of two pipes, until it lets go."""

    def __init__(self, commands: IO[bytes], messages: IO[str]) -> None:
        self.commands: IO[bytes] | None = commands
        self.messages = messages

    def say(self, text: str) -> None:
        """Tell it something; it may be gone."""
        try:
            self.messages.write(text + "\n")
            self.messages.flush()
        except OSError:
            pass

    def is_gone(self, seconds: float) -> bool:
        """Wait, and tell whether it went without a word; `stay` lets the cluster outlive it."""
        if self.commands is None:
            time.sleep(seconds)
            return False
        if not select.select([self.commands], [], [], seconds)[0]:
            return False
        if os.read(self.commands.fileno(), 16) == b"":
            return True
        self.commands = None
        return False


PART_HEALTH = {"hdfs": health.hdfs, "yarn": health.yarn, "hbase": health.hbase}


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Keep a cluster.

    Args:
        arguments: Folder, parts joined by commas, number of DataNodes or "".

    Returns:
        Exit code.
    """
    folder, parts, data_nodes = Path(arguments[0]), arguments[1].split(","), arguments[2]
    caller = Caller(sys.stdin.buffer, sys.stdout)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            keeper = Keeper(folder, parts, int(data_nodes) if data_nodes else None)
        except (BlockingIOError, ClusterError) as error:
            caller.say(f"error: {folder} is in use" if isinstance(error, BlockingIOError) else f"error: {error}")
            return 1

        def stop(*_: object) -> None:
            keeper.stopping = True

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        try:
            keeper.prepare()
            keeper.start(caller)
            keeper.write_state(ready=True)
            caller.say("ready")
            keeper.keep(caller)
        except ClusterError as error:
            caller.say(f"error: {error}")
            return 1
        finally:
            keeper.gentle = caller.commands is None
            keeper.stop()
            shutil.rmtree(folder / "tmp", ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
