"""A Spark cluster on this machine: a master and two workers, each at a loopback address of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HOSTS = ("127.0.0.2", "127.0.0.3")
# Of sessions in tests.
SETTINGS = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
LONGEST_START = 300
CLASSES = "org.apache.spark.deploy"


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    """Start a cluster of two hosts with one core each, and end it.

    Args:
        folder: For what it writes.

    Yields:
        The address of its master.
    """
    with ExitStack() as processes:
        master = ["master.Master", "--host", "127.0.0.1", "--port", 0, "--webui-port", 0]
        address = _said(processes.enter_context(_process(folder, "127.0.0.1", master)), "Starting Spark master at ")
        logs = []
        for host in HOSTS:
            worker = ["worker.Worker", "--host", host, "--cores", 1, "--memory", "1g", "--work-dir", folder / host]
            logs.append(processes.enter_context(_process(folder, host, [*worker, "--webui-port", 0, address])))
        for log in logs:
            _said(log, "Successfully registered with master ")
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
def _process(folder: Path, host: str, words: list[object]) -> Iterator[Path]:
    """Run a part of the cluster with all that it starts; give its log."""
    import pyspark

    home = Path(pyspark.__file__).parent
    command = [home / "bin" / "spark-class", f"{CLASSES}.{words[0]}", *words[1:]]
    settings = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": host, "SPARK_DAEMON_MEMORY": "192m"}
    path = folder / f"{words[0]}-{host}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command], env=os.environ | settings, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield path
    finally:
        for child in [process.pid, *descendants(process.pid)]:
            _end(child)
        process.wait()


def _end(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _said(log: Path, before: str) -> str:
    """Wait until a part has logged a line, and return the word behind these.

    The ports are Spark's own choice and are read here: one chosen beforehand can be another program's by then.

    Raises:
        TimeoutError: It has not logged the line.
    """
    end = time.monotonic() + LONGEST_START
    while time.monotonic() < end:
        if found := re.search(rf"{re.escape(before)}(\S+)\n", _read(log)):
            return found.group(1)
        time.sleep(0.2)
    raise TimeoutError(f"Not in {log} after {LONGEST_START} s: {before}\n{_read(log)}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:
        return ""
