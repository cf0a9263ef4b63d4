"""Real runs of `swathe detect` in processes of their own, to be killed, and what they leave on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from red_cells import write_red_cells
from swathe.api import Choices
from swathe.engine.identity import take_stock
from swathe.engine.plan import Plan, make_plan
from swathe.errors import SwatheError
from swathe.opened import open_readable
from swathe.store import open_store, read

TILE, STRIDE = 128, 96
LONGEST_RUN = 300  # seconds
SIZES = ((900, 700), (500, 600), (256, 256))  # pixels of the scenes: many windows, and few


@dataclass(frozen=True)
class Case:
    """What is detected again and again."""

    folder: Path  # scenes
    model: Path  # ONNX file
    names: tuple[str, ...] = ("",)  # files in the folder; all of it

    @classmethod
    def make(cls, folder: Path, model: Path, sizes: Sequence[tuple[int, int]] = SIZES) -> Case:
        """Write the scenes."""
        folder.mkdir(parents=True)
        for number, (width, height) in enumerate(sizes):
            write_red_cells(folder / f"scene-{number}.tif", width=width, height=height)
        return cls(folder, model)

    def words(self, store: Path, *more: str) -> list[str]:
        """Return the command."""
        grid = ("--tile", str(TILE), "--stride", str(STRIDE), "--workers", "2", "--exact", "--json")
        return [
            "detect",
            *(str(self.folder / name) for name in self.names),
            "-m",
            str(self.model),
            "-o",
            str(store),
            *grid,
            *more,
        ]

    def plan(self) -> Plan:
        """Return the plan of the command."""
        chosen = Choices(tile=TILE, stride=STRIDE, workers=2)
        spec, info = chosen.detector(self.model)
        return make_plan(open_readable([self.folder])[0], chosen.settings(info), spec)

    def start(self, store: Path, *more: str) -> subprocess.Popen[str]:
        """Start the command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from swathe.cli.main import run; run()", *self.words(store, *more)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def only(self, *names: str) -> Case:
        """Return the same with some of the scenes."""
        return replace(self, names=tuple(f"{name}.tif" for name in names))

    def run(self, store: Path, *more: str) -> list[dict[str, Any]]:
        """Run the command to its end and return its events, the summary last."""
        with self.start(store, *more) as process:
            out, err = process.communicate(timeout=LONGEST_RUN)
        assert process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]


@dataclass(frozen=True)
class Moment:
    """When a run is killed: so many seconds after its start, or after it has printed so many events."""

    seconds: float
    events: int | None  # None: count from the start
    workers_too: bool  # kill the workers with it, as a power cut would; else they end by themselves, later

    @classmethod
    def draw(cls, chance: random.Random, duration: float, events: int) -> Moment:
        """Draw a moment: anywhere, or close to an event such as a finished batch, a published scene or the commit."""
        if chance.random() < 0.4:
            return cls(chance.uniform(0.0, duration), None, chance.random() < 0.5)
        # The last events are those of publishing and of the commit.
        at = events - chance.randrange(6) if chance.random() < 0.5 else chance.randrange(events + 1)
        return cls(chance.expovariate(1 / 0.01), max(at, 0), chance.random() < 0.5)


def kill_at(process: subprocess.Popen[str], moment: Moment) -> bool:
    """Kill a run at a moment.

    Returns:
        Whether it was still running.
    """
    assert process.stdout is not None
    for _ in range(moment.events or 0):
        if not process.stdout.readline():
            break
    time.sleep(moment.seconds)
    workers = children(process.pid) if moment.workers_too else []
    running = process.poll() is None
    for pid in [process.pid, *workers]:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    process.communicate()
    return running


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def finished_windows(plan: Plan, store: Path) -> int:
    """Count the windows that need not be looked at again."""
    with suppress(SwatheError):
        return take_stock(plan, open_store(store)).resumed_windows()
    return 0


def tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of detections in a store, live or not, and make sure that no work is left."""
    store = open_store(folder)
    assert all(not store.workspace(run.id).names() for run in store.runs())
    files = (path for path in sorted((folder / "detections").rglob("*")) if "_delta_log" not in path.parts)
    found = {str(path.relative_to(folder)): sha256(path) for path in files if path.is_file()}
    assert found.keys() == {scene.file for scene in store.scenes()}, "nothing is left over, nothing is missing"
    return found


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Watcher:
    """Reads a store again and again while others write to it."""

    store: Path
    rows: dict[str, int]  # scene id -> rows that it must have, whenever it is seen
    reads: int = 0
    errors: list[str] = field(default_factory=list)

    def look(self) -> None:
        """Read everything that is visible, with Swathe and with GeoPandas."""
        import geopandas

        if not (self.store / "swathe-store.json").exists():
            return
        self.reads += 1
        store = open_store(self.store)
        found = Counter(read(store).scene_ids.tolist())
        assert all(found[name] == self.rows[name] for name in found)
        for scene in store.scenes():
            if scene.file:
                assert len(geopandas.read_parquet(self.store / scene.file)) == self.rows[scene.scene.id]


@contextmanager
def watched(store: Path, rows: dict[str, int]) -> Iterator[Watcher]:
    """Let a thread read a store as long as the block lasts.

    Args:
        store: The store; it need not be there yet.
        rows: Scene id -> rows that it must have.

    Yields:
        The watcher, with what it has seen.
    """
    watcher, over = Watcher(store, rows), threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            try:
                watcher.look()
            except Exception as error:  # noqa: BLE001 whatever it is, the test shows it
                watcher.errors.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield watcher
    finally:
        over.set()
        thread.join()
