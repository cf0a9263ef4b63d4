"""Containers of YARN: they are in sessions of their own and outlive a NodeManager that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def container_pids(folder: Path, node: str = "nodemanager-*") -> Iterator[int]:
    """Yield the running containers of NodeManagers.

    Args:
        folder: The cluster's folder.
        node: Name of the NodeManager, or a pattern.

    Yields:
        Process ids, each the first of a session.
    """
    for file in folder.glob(f"data/{node}/local/nmPrivate/**/container_*.pid"):
        with suppress(OSError, ValueError):  # it ends while it is looked at
            pid = int(file.read_text())
            # The number may belong to something else by now.
            if str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                yield pid


def end_containers(folder: Path, node: str = "nodemanager-*") -> None:
    """Kill the containers of NodeManagers, with all that they have started."""
    for pid in container_pids(folder, node):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
