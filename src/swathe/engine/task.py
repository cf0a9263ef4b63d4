"""The units of work: a task is one window, a batch is a run of neighbouring windows of one level.

They are data, a few hundred bytes each, and hold no pixels: executors hand them around, workers carry them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.settings import RunSettings
from swathe.raster.grid import Grid
from swathe.raster.pyramid import Level
from swathe.raster.scene import Scene
from swathe.raster.window import Window


@dataclass(frozen=True)
class Task:
    """One window of one level of a scene."""

    scene: str  # scene id
    level: Level  # the scene at one scale
    index: int  # place of the window in the level's grid, row by row
    window: Window  # level pixels
    cost: float  # expected work, in full windows through the model


@dataclass(frozen=True)
class Batch:
    """Neighbouring windows of one level, in row order; what a worker is handed at once."""

    index: int  # place in the plan, names the batch in the ledger
    scene: str  # scene id
    level: Level  # the scene at one scale
    tile: int  # side of the windows, level pixels
    stride: int  # step between windows, level pixels
    first: int  # index of the first window in the level's grid
    count: int  # number of windows
    task_cost: float  # expected work of each window, in full windows through the model

    @property
    def cost(self) -> float:
        """Expected work of the whole batch, in full windows through the model."""
        return self.task_cost * self.count

    def tasks(self) -> Iterator[Task]:
        """Yield the windows in row order."""
        grid = Grid(self.level.width, self.level.height, self.tile, self.stride)
        for index in range(self.first, self.first + self.count):
            yield Task(self.scene, self.level, index, grid[index], self.task_cost)

    def describe(self) -> str:
        """Name the batch for a message."""
        last = self.first + self.count - 1
        return f"batch {self.index} (scene {self.scene}, scale {self.level.scale:g}, windows {self.first} to {last})"


@dataclass(frozen=True)
class BatchJob:
    """A batch together with the scene it belongs to, so that a worker needs no plan."""

    batch: Batch
    scene: Scene


@dataclass(frozen=True)
class BatchResult:
    """What the parent learns of a finished batch; the detections themselves are in the part file."""

    batch: int  # index of the batch
    windows: int  # windows of the batch
    skipped: int  # of these, without data
    detections: int  # raw detections in the part file
    error: str | None = None  # why the scene could not be read; then there is no part file


@dataclass(frozen=True)
class Retry:
    """A batch is handed out again because its worker died or hung; a result follows later."""

    batch: int  # index of the batch
    reason: str  # what happened to the worker


@dataclass(frozen=True)
class Work:
    """All that a worker needs to know for a whole run; small and picklable."""

    detector: DetectorSpec
    settings: RunSettings
    folder: Path  # ledger folder that takes the part files
    reader: str  # "package.module:factory" that opens a reader for a scene
