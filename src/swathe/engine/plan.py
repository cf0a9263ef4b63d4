"""The plan: which windows of which scenes a run will look at, as data, before a pixel is read.

Windows are not listed, they follow from index arithmetic: a scene of a million windows takes a few kilobytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from swathe.detections import SceneInfo
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.memory import Projection, project
from swathe.engine.region import touched
from swathe.engine.scale import scene_scales
from swathe.engine.settings import RunSettings
from swathe.errors import UsageError
from swathe.raster.grid import Grid
from swathe.raster.origins import redacted
from swathe.raster.pyramid import Level, levels
from swathe.raster.scene import Scene
from swathe.raster.window import Window
from swathe.store.protocol import RECORD, StoredScene

IDENTITY_VERSION = 2
# A batch is at least this long, so that handing it out and writing its part costs little beside the model.
SHORTEST_BATCH = 4
# And at most this long for tiled sources, so that an interrupted run loses seconds, not minutes.
LONGEST_BATCH = 32
# Reading and decoding a tile of source pixels, in units of one tile through a small model.
READ_COST = 0.07


@dataclass(frozen=True)
class Task:
    """One window of one level of a scene."""

    scene: str  # scene id
    level: Level  # the scene at one scale
    window: Window  # level pixels


@dataclass(frozen=True)
class Batch:
    """Neighbouring windows of one level, in row order; what a worker is handed at once."""

    level: LevelPlan
    first: int  # place of the first window among those of the level
    count: int  # number of windows

    @property
    def name(self) -> str:
        """What the batch is called within its scene; another cut into batches has other names."""
        return f"part-{self.level.number}-{self.first}-{self.count}"

    def tasks(self, scene: str) -> Iterator[Task]:
        """Yield the windows in row order, given the scene's id."""
        for index in self.level.windows[self.first : self.first + self.count]:
            yield Task(scene, self.level.level, self.level.grid[index])


@dataclass(frozen=True)
class LevelPlan:
    """One scale of one scene, cut into batches."""

    number: int  # place of the scale among those of the run
    level: Level  # the scene at this scale
    grid: Grid  # its windows
    windows: Sequence[int]  # indexes of those that are looked at: a range, or a tuple where a region is asked for
    batch_windows: int  # windows per batch; the last batch of a row or of the level may be shorter
    row_windows: int  # windows after which a batch must end: one grid row, or all windows if batches span rows
    window_cost: float  # expected work of each window, in full windows through the model
    last_windows: int  # windows of the pieces of the last batch; 0: it is left whole

    def batches(self) -> Iterator[Batch]:
        """Yield the batches in row order, the last one in pieces, so that no worker waits long for another's end."""
        for row in range(0, len(self.windows), self.row_windows):
            end = min(row + self.row_windows, len(self.windows))
            for first in range(row, end, self.batch_windows):
                whole = min(self.batch_windows, end - first)
                step = self.last_windows if first == self._last_batch else whole
                for piece in range(first, first + whole, step):
                    yield Batch(self, piece, min(step, first + whole - piece))

    @property
    def batch_count(self) -> int:
        """Number of batches."""
        rows, rest = divmod(len(self.windows), self.row_windows)
        whole = rows * -(-self.row_windows // self.batch_windows) + -(-rest // self.batch_windows)
        if self._last_batch is None:
            return whole
        return whole - 1 + -(-(len(self.windows) - self._last_batch) // self.last_windows)

    @property
    def _last_batch(self) -> int | None:
        """Place of the first window of the last batch; None if that is not cut into pieces."""
        last = len(self.windows) - 1
        row = last // self.row_windows * self.row_windows
        first = row + (last - row) // self.batch_windows * self.batch_windows
        return first if self.last_windows and first > 0 else None


@dataclass(frozen=True)
class ScenePlan:
    """One scene and its windows; equal plans of one run give equal results."""

    source: Scene
    levels: tuple[LevelPlan, ...]  # in the order of the scales

    @property
    def id(self) -> str:
        """Id of the scene."""
        return self.source.id

    @property
    def scales(self) -> tuple[float, ...]:
        """Level pixels per scene pixel of each level."""
        return tuple(level.level.scale for level in self.levels)

    @property
    def windows(self) -> int:
        """Windows of all levels."""
        return sum(len(level.windows) for level in self.levels)

    @property
    def cost(self) -> float:
        """Expected work, in full windows through the model."""
        return sum(len(level.windows) * level.window_cost for level in self.levels)

    @property
    def batch_count(self) -> int:
        """Number of batches."""
        return sum(level.batch_count for level in self.levels)

    def batches(self) -> Iterator[Batch]:
        """Yield all batches, scale by scale, row by row."""
        for level in self.levels:
            yield from level.batches()

    @cached_property
    def fingerprint(self) -> str:
        """What tells whether the scene must be looked at again: 16 hexadecimal digits; no path, no name."""
        scene = self.source
        return _digest(
            {
                "content": list(scene.fingerprint),
                "size": [scene.width, scene.height],
                "bands": list(scene.bands),
                "value_range": scene.value_range,
                "nodata": None if scene.nodata is None else str(scene.nodata),
                "crs": scene.crs,  # may lie in another file, and decides where detections are stored
                "transform": scene.transform,
                "acquired": scene.acquired,
                "resolution": scene.resolution,
            }
        )

    @cached_property
    def key(self) -> str:
        """Folder of the scene's parts in the workspace of the run."""
        return scene_key(self.id, self.fingerprint)

    def part(self, batch: Batch) -> str:
        """Return the name of a batch's part in the workspace of the run."""
        return f"{self.key}/{batch.name}"

    @property
    def record(self) -> str:
        """Name of the record in the workspace of the run that says what was written of the scene."""
        return f"{self.key}/{RECORD}"


@dataclass(frozen=True)
class Plan:
    """All that a call of a run is asked to look at."""

    scenes: tuple[ScenePlan, ...]
    settings: RunSettings
    detector: DetectorSpec | None  # None for a plan that only counts
    done: tuple[StoredScene, ...] = ()  # scenes that are asked for, too, and are known to be stored already

    @cached_property
    def run(self) -> str:
        """Id of the run: 16 hexadecimal digits, the same for the same settings and model whatever the scenes."""
        return _digest({"version": IDENTITY_VERSION, **self.about()})

    @property
    def windows(self) -> int:
        """Windows of all scenes and scales."""
        return sum(scene.windows for scene in self.scenes) + sum(scene.windows for scene in self.done)

    @property
    def scene_count(self) -> int:
        """Number of scenes that are asked for."""
        return len(self.scenes) + len(self.done)

    @property
    def views(self) -> list[tuple[Scene, float]]:
        """Each scene with every scale that it is looked at in."""
        return [(scene.source, level.level.scale) for scene in self.scenes for level in scene.levels]

    def memory(self, workers: int) -> Projection:
        """Project the peak memory with this many worker processes, 0 for none; see `swathe.engine.memory`."""
        return project(self.views, self.settings, self.detector, workers)

    def about(self) -> dict[str, Any]:
        """Return the model and the settings that change the result: JSON values that travel with the detections."""
        detector = None if self.detector is None else self.detector.identity()
        return {"settings": self.settings.identity(), "detector": detector}

    def to_json(self) -> dict[str, Any]:
        """Return the plan in numbers, as plain values for `json.dumps`."""
        windows = Counter[int]()
        for scene in self.scenes:
            windows.update({level.number: len(level.windows) for level in scene.levels})
        return {
            "run": self.run if self.detector is not None else None,
            "scenes": [
                {
                    "id": scene.id,
                    "uri": redacted(scene.source.uri),
                    "width": scene.source.width,
                    "height": scene.source.height,
                    "value_range": scene.source.value_range,
                    "resolution": scene.source.ground_resolution,
                    "scales": list(scene.scales),
                    "windows": scene.windows,
                    "notes": list(scene.source.notes),
                }
                for scene in self.scenes
            ],
            "settings": {**asdict(replace(self.settings, region=None)), **self.settings.identity()},
            "windows": self.windows,
            "levels": [{"scale": scale, "windows": windows[n]} for n, scale in enumerate(self.settings.scales)],
            "batches": sum(scene.batch_count for scene in self.scenes),
            "cost": sum(scene.cost for scene in self.scenes),
        }


def make_plan(
    scenes: Sequence[Scene],
    settings: RunSettings,
    detector: DetectorSpec | None = None,
    done: Sequence[StoredScene] = (),
) -> Plan:
    """Plan a run.

    Args:
        scenes: What to look at; ids must be unique.
        settings: How to cut and merge.
        detector: The model; None gives a plan that counts windows but cannot be run.
        done: Scenes that are asked for, too, and are known to be stored already.

    Returns:
        The plan, without scenes that a region does not touch. Its detector is told the tile size of the settings.

    Raises:
        UsageError: If there are no scenes, two have the same id, or none touches the region, or a scene has
            another number of bands than the model sees.
    """
    if not scenes and not done:
        raise UsageError("no scenes: give at least one file, folder or pattern")
    twice = sorted(name for name, count in Counter(scene.id for scene in scenes).items() if count > 1)
    if twice:
        raise UsageError(f"scene ids must be unique, these are not: {', '.join(twice)}")
    spec = None if detector is None else replace(detector, tile=settings.tile, fitted=settings.fitted)
    if detector is not None and detector.card is not None:
        for scene in scenes:
            detector.card.check_bands(scene.bands, scene.id)
    planned = tuple(_plan_scene(scene, settings) for scene in scenes)
    if settings.region is not None:
        planned = tuple(scene for scene in planned if scene.windows)
        if not planned and not done:
            raise UsageError(
                "no scene touches the region that is asked for; check its coordinates (longitude before latitude, or "
                "pixels for scenes without georeference)"
            )
    return Plan(planned, settings, spec, tuple(done))


def scene_info(scene: Scene) -> SceneInfo:
    """Return what travels with the detections of a scene; its address without secrets."""
    return SceneInfo(
        id=scene.id,
        uri=redacted(scene.uri),
        width=scene.width,
        height=scene.height,
        crs=scene.crs,
        transform=scene.transform,
        acquired=scene.acquired,
    )


def scene_key(scene: str, fingerprint: str) -> str:
    """Return what stands for one state of a scene, given its id and its fingerprint, in the workspace of a run."""
    return _digest([scene, fingerprint])


def _plan_scene(scene: Scene, settings: RunSettings) -> ScenePlan:
    planned = enumerate(levels(scene.width, scene.height, scene_scales(scene, settings)))
    return ScenePlan(scene, tuple(_plan_level(scene, number, level, settings) for number, level in planned))


def _plan_level(scene: Scene, number: int, level: Level, settings: RunSettings) -> LevelPlan:
    """Cut a level into batches: whole rows where possible, since a row of windows shares its source rows."""
    grid = Grid(level.width, level.height, settings.tile, settings.stride, settings.fitted)
    cols = grid.cols
    if cols < SHORTEST_BATCH:
        batch_windows, row_windows = -(-SHORTEST_BATCH // cols) * cols, len(grid)
    elif scene.tiled and cols > LONGEST_BATCH:
        batch_windows, row_windows = -(-cols // -(-cols // LONGEST_BATCH)), cols
    else:
        # An untiled source is read in bands of full rows, which two workers would both read if they shared one.
        batch_windows, row_windows = cols, cols
    window_cost = 1.0 + READ_COST * _source_pixels(scene, level.scale)
    windows: Sequence[int] = range(len(grid))
    if settings.region is not None:
        windows = touched(settings.region, scene_info(scene), grid, level.scale)
        batch_windows = row_windows = min(batch_windows, LONGEST_BATCH)
    # An untiled source would be decoded anew for each piece.
    last_windows = SHORTEST_BATCH // 2 if scene.tiled else 0
    return LevelPlan(number, level, grid, windows, batch_windows, row_windows, window_cost, last_windows)


def _source_pixels(scene: Scene, scale: float) -> float:
    """Source pixels read per level pixel; an overview spares most of them."""
    if scale >= 1.0:
        return scale**-2
    usable = [factor for factor in (1, *scene.overviews) if factor <= 1.0 / scale]
    return float((1.0 / scale / max(usable)) ** 2)


def _digest(value: Any) -> str:
    """Return 16 hexadecimal digits that stand for JSON values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
