"""The plan: which windows of which scenes a run will look at, as data, before anything is read.

Windows are not listed, they follow from index arithmetic: a plan of a million windows takes a few kilobytes per scene.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.memory import Projection, project
from swathe.engine.settings import RunSettings
from swathe.engine.task import Batch
from swathe.errors import UsageError
from swathe.raster.grid import Grid
from swathe.raster.origins import redacted
from swathe.raster.pyramid import Level, levels
from swathe.raster.scene import Scene

IDENTITY_VERSION = 1
# A batch is at least this long, so that handing it out and writing its part costs little beside the model.
SHORTEST_BATCH = 4
# And at most this long for tiled sources, so that an interrupted run loses seconds, not minutes.
LONGEST_BATCH = 32
# Reading and decoding a tile of source pixels, in units of one tile through a small model.
READ_COST = 0.07


@dataclass(frozen=True)
class LevelPlan:
    """One scale of one scene, cut into batches."""

    scene: str  # scene id
    level: Level  # the scene at this scale
    windows: int  # windows of the level
    batch_windows: int  # windows per batch; the last batch of a row or of the level may be shorter
    row_windows: int  # windows after which a batch must end: one grid row, or all windows if batches span rows
    first_batch: int  # index of the first batch in the plan
    task_cost: float  # expected work of each window, in full windows through the model

    @property
    def batches(self) -> int:
        """Number of batches."""
        return (self.windows // self.row_windows) * -(-self.row_windows // self.batch_windows)

    def batch(self, number: int, settings: RunSettings) -> Batch:
        """Return the batch with this number within the level."""
        row, place = divmod(number, -(-self.row_windows // self.batch_windows))
        first = place * self.batch_windows
        count = min(self.batch_windows, self.row_windows - first)
        start = row * self.row_windows + first
        return Batch(
            index=self.first_batch + number,
            scene=self.scene,
            level=self.level,
            tile=settings.tile,
            stride=settings.stride,
            first=start,
            count=count,
            task_cost=self.task_cost,
        )


@dataclass(frozen=True)
class Plan:
    """Everything a run will do; equal plans give equal results."""

    scenes: tuple[Scene, ...]
    settings: RunSettings
    levels: tuple[LevelPlan, ...]  # scene by scene, in the order of the scales
    detector: DetectorSpec | None  # None for a plan that only counts
    _first_batches: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the search for a batch's level."""
        object.__setattr__(self, "_first_batches", tuple(level.first_batch for level in self.levels))

    @cached_property
    def run(self) -> str:
        """Id of the run: 16 hexadecimal digits, the same for the same scenes, settings and model."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def windows(self) -> int:
        """Windows of all scenes and scales."""
        return sum(level.windows for level in self.levels)

    @property
    def cost(self) -> float:
        """Expected work, in full windows through the model."""
        return sum(level.windows * level.task_cost for level in self.levels)

    @property
    def batch_count(self) -> int:
        """Number of batches of the run."""
        return self.levels[-1].first_batch + self.levels[-1].batches if self.levels else 0

    def batch(self, index: int) -> Batch:
        """Return a batch by its index in the plan.

        Args:
            index: 0 up to `batch_count`.

        Returns:
            The batch.

        Raises:
            UsageError: If there is no such batch.
        """
        if not 0 <= index < self.batch_count:
            raise UsageError(f"batch {index}: the plan has batches 0 to {self.batch_count - 1}")
        level = self.levels[bisect_right(self._first_batches, index) - 1]
        return level.batch(index - level.first_batch, self.settings)

    def batches(self) -> Iterator[Batch]:
        """Yield all batches, scene by scene, scale by scale, row by row."""
        return (self.batch(index) for index in range(self.batch_count))

    def scene_levels(self, number: int) -> tuple[LevelPlan, ...]:
        """Return the levels of a scene, given its place in the plan."""
        scales = len(self.settings.scales)
        return self.levels[number * scales : (number + 1) * scales]

    def scene_windows(self, number: int) -> int:
        """Count the windows of a scene over all its levels, given its place in the plan."""
        return sum(level.windows for level in self.scene_levels(number))

    def scene_batches(self, number: int) -> range:
        """Return the indexes of the batches of a scene, which follow one another, given its place in the plan."""
        of_scene = self.scene_levels(number)
        return range(of_scene[0].first_batch, of_scene[-1].first_batch + of_scene[-1].batches)

    def memory(self, workers: int) -> Projection:
        """Project the peak memory with this many worker processes, 0 for none; see `swathe.engine.memory`."""
        return project(self.scenes, self.settings, self.detector, workers)

    def identity(self) -> dict[str, Any]:
        """Return what the run id is made of: no path, no time, nothing that leaves the result as it is."""
        scenes = [
            {
                "id": scene.id,
                "fingerprint": list(scene.fingerprint),
                "size": [scene.width, scene.height],
                "bands": list(scene.bands),
                "value_range": scene.value_range,
                "nodata": None if scene.nodata is None else str(scene.nodata),
                "crs": scene.crs,  # may lie in another file, and decides where detections are stored
                "transform": scene.transform,
            }
            for scene in self.scenes
        ]
        return {"version": IDENTITY_VERSION, "scenes": scenes, **self.description()}

    def description(self) -> dict[str, Any]:
        """Return the model and the settings that change the result: what travels with the detections."""
        detector = None if self.detector is None else self.detector.identity()
        return {"settings": self.settings.identity(), "detector": detector}

    def layout(self) -> dict[str, Any]:
        """Return how the run is cut into batches; part files of another layout cannot be used."""
        return {
            "run": self.run,
            "scenes": [scene.id for scene in self.scenes],
            "levels": [asdict(level) for level in self.levels],
        }

    def to_json(self) -> dict[str, Any]:
        """Return the plan in numbers, as plain values for `json.dumps`."""
        scales = []
        for scale in self.settings.scales:
            windows = sum(level.windows for level in self.levels if level.level.scale == scale)
            scales.append({"scale": scale, "windows": windows})
        return {
            "run": self.run if self.detector is not None else None,
            "scenes": [
                {
                    "id": scene.id,
                    "uri": redacted(scene.uri),
                    "width": scene.width,
                    "height": scene.height,
                    "value_range": scene.value_range,
                    "notes": list(scene.notes),
                }
                for scene in self.scenes
            ],
            "settings": {**asdict(self.settings), "scales": list(self.settings.scales)},
            "windows": self.windows,
            "levels": scales,
            "batches": self.batch_count,
            "cost": self.cost,
        }


def make_plan(scenes: Sequence[Scene], settings: RunSettings, detector: DetectorSpec | None = None) -> Plan:
    """Plan a run.

    Args:
        scenes: What to look at; ids must be unique.
        settings: How to cut and merge.
        detector: The model; None gives a plan that counts windows but cannot be run.

    Returns:
        The plan. Its detector is told the tile size of the settings.

    Raises:
        UsageError: If there are no scenes or two have the same id.
    """
    if not scenes:
        raise UsageError("no scenes: give at least one file, folder or pattern")
    ids = [scene.id for scene in scenes]
    twice = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
    if twice:
        raise UsageError(f"scene ids must be unique, these are not: {', '.join(twice)}")
    planned: list[LevelPlan] = []
    first_batch = 0
    for scene in scenes:
        for level in levels(scene.width, scene.height, settings.scales):
            planned.append(_plan_level(scene, level, settings, first_batch))
            first_batch += planned[-1].batches
    spec = None if detector is None else replace(detector, tile=settings.tile)
    return Plan(tuple(scenes), settings, tuple(planned), spec)


def _plan_level(scene: Scene, level: Level, settings: RunSettings, first_batch: int) -> LevelPlan:
    """Cut a level into batches: whole rows where possible, since a row of windows shares its source rows."""
    grid = Grid(level.width, level.height, settings.tile, settings.stride)
    cols, windows = grid.cols, len(grid)
    if cols < SHORTEST_BATCH:
        batch_windows, row_windows = -(-SHORTEST_BATCH // cols) * cols, windows
    elif scene.tiled and cols > LONGEST_BATCH:
        batch_windows, row_windows = -(-cols // -(-cols // LONGEST_BATCH)), cols
    else:
        # An untiled source is read in bands of full rows, which two workers would both read if they shared one.
        batch_windows, row_windows = cols, cols
    task_cost = 1.0 + READ_COST * _source_pixels(scene, level.scale)
    return LevelPlan(scene.id, level, windows, batch_windows, row_windows, first_batch, task_cost)


def _source_pixels(scene: Scene, scale: float) -> float:
    """Source pixels read per level pixel; an overview spares most of them."""
    if scale >= 1.0:
        return scale**-2
    usable = [factor for factor in (1, *scene.overviews) if factor <= 1.0 / scale]
    return float((1.0 / scale / max(usable)) ** 2)
