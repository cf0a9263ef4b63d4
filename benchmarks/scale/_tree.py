"""Memory of a process and all its descendants, sampled from outside (Linux)."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PERIOD = 0.05  # seconds between samples
FIELDS = ("Pss", "Rss", "Anonymous")


@dataclass(frozen=True)
class Sample:
    """What a tree of processes takes at one moment, bytes."""

    time: float  # seconds, time.monotonic, which all processes of a machine share
    processes: int  # processes alive
    pss: int  # a page that k processes map counts 1 / k in each: the sum is what the tree really takes
    rss: int  # every page counts in full in each process: libraries count once per process
    anonymous: int  # pages of no file: what the processes allocated themselves


def tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
        children = [(task / "children").read_text(encoding="ascii").split() for task in tasks]
    except OSError:  # it, or one of its threads, has just ended
        return
    for child in itertools.chain.from_iterable(children):
        yield from tree(int(child))


def sample(pid: int) -> Sample:
    """Add up the memory of a tree of processes."""
    total = dict.fromkeys(FIELDS, 0)
    processes = 0
    for member in tree(pid):
        try:
            lines = (PROC / str(member) / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        values = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        for name in FIELDS:
            total[name] += values.get(name, 0) << 10
        processes += 1
    return Sample(time.monotonic(), processes, total["Pss"], total["Rss"], total["Anonymous"])


class Sampler(threading.Thread):
    """Samples a tree of processes until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        """Take samples."""
        while not self._over.wait(PERIOD):
            self.samples.append(sample(self._pid))

    def stop(self) -> list[Sample]:
        """End, and return the samples."""
        self._over.set()
        self.join()
        return self.samples
