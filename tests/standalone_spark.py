"""A Spark cluster on this machine: a master and two workers, each at a loopback address of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

HOSTS = ("127.0.0.2", "127.0.0.3")
# Of sessions in tests.
SETTINGS = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
CLASSES = "org.apache.spark.deploy"


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    """Start a cluster of two hosts with one core each, and end it.

    Args:
        folder: For what it writes.

    Yields:
        The address of its master.
    """
    port, page = _free_port(), _free_port()
    address = f"spark://127.0.0.1:{port}"
    with ExitStack() as processes:
        master = ["master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", page]
        processes.enter_context(_process(folder, "127.0.0.1", master))
        for host in HOSTS:
            worker = ["worker.Worker", "--host", host, "--cores", 1, "--memory", "1g", "--work-dir", folder / host]
            processes.enter_context(_process(folder, host, [*worker, "--webui-port", 0, address]))
        while _workers(page) < len(HOSTS):
            time.sleep(0.2)
        yield address


def descendants(process: int) -> dict[int, str]:
    """Return the processes below one, by id with their command lines, those nearest to it first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _read(entry / "stat").rpartition(")")[2].split()):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, wanted = {}, [process]
    while wanted:
        children = parents.get(wanted.pop(0), [])
        found.update({child: _read(Path(f"/proc/{child}/cmdline")) for child in children})
        wanted += children
    return found


@contextmanager
def _process(folder: Path, host: str, words: list[object]) -> Iterator[None]:
    """Run a part of the cluster with all that it starts."""
    import pyspark

    home = Path(pyspark.__file__).parent
    command = [home / "bin" / "spark-class", f"{CLASSES}.{words[0]}", *words[1:]]
    settings = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": host, "SPARK_DAEMON_MEMORY": "192m"}
    with (folder / f"{words[0]}-{host}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command], env=os.environ | settings, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        for child in [process.pid, *descendants(process.pid)]:
            _end(child)
        process.wait()


def _end(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _workers(page: int) -> int:
    """Ask the master how many workers have come."""
    try:
        with urlopen(f"http://127.0.0.1:{page}/json/") as answer:
            return int(json.load(answer)["aliveworkers"])
    except OSError:
        return 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:
        return ""
