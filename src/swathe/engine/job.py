"""What executors carry out: jobs and their results, as small data without pixels or detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.plan import Batch, ScenePlan
from swathe.engine.settings import RunSettings
from swathe.engine.strips import MOST_ROWS, Strip, Strips
from swathe.store.protocol import Written


@dataclass(frozen=True)
class BatchJob:
    """Look at the windows of a batch; what was found becomes a part in the workspace."""

    scene: ScenePlan
    batch: Batch
    again: bool = False  # begun before by a worker that was lost: a part that is there is taken as it is

    @property
    def cost(self) -> float:
        """Expected work, in full windows through the model."""
        return self.batch.level.window_cost * self.batch.count

    def describe(self) -> str:
        """Name the job for a message."""
        batch = self.batch
        last = batch.first + batch.count - 1
        return f"scene {self.scene.id}, scale {batch.level.level.scale:g}, windows {batch.first} to {last}"


@dataclass(frozen=True)
class SceneJob:
    """Merge the parts of a scene and write it. A batch without a part is looked at first, so that a scene of one
    batch is a single job and no part of it is ever written. A scene with many detections is cut into strips instead,
    and is written by a second job when these are merged.
    """

    scene: ScenePlan
    memory: int | None = None  # bytes that the merge may take; None: what is free then
    strips: Strips | None = None  # that are merged already

    @property
    def cost(self) -> float:
        """Work that is enough in any case, in full windows through the model."""
        return self.scene.cost

    def describe(self) -> str:
        """Name the job for a message."""
        return f"scene {self.scene.id}, {self.scene.windows} windows together"


@dataclass(frozen=True)
class StripJob:
    """Merge a strip of a scene as far as possible; what stays and what is open become parts in the workspace."""

    scene: ScenePlan
    strip: Strip

    @property
    def cost(self) -> float:
        """Work that is enough in any case, in full windows through the model."""
        return self.scene.cost

    def describe(self) -> str:
        """Name the job for a message."""
        return f"scene {self.scene.id}, the strip from {self.strip.low:.0f} to {self.strip.high:.0f}"


Job = BatchJob | StripJob | SceneJob


@dataclass(frozen=True)
class JobResult:
    """What the driver learns of a finished job."""

    scene: str  # scene id
    scale: float = 0.0  # of the windows looked at, level pixels per scene pixel; 0 if there are none
    windows: int = 0  # windows looked at
    skipped: int = 0  # of these, without data
    detections: int = 0  # raw detections: of these windows, or those that were merged
    full: int = 0  # of these windows, those in which the model had no room for more boxes
    strips: Strips | None = None  # into which a SceneJob has cut a scene, in place of writing it
    written: Written | None = None  # what a SceneJob has written
    error: str | None = None  # why the scene failed; then nothing was written
    stages: Mapping[str, float] = field(default_factory=dict, compare=False)  # seconds by stage, see swathe.stages


@dataclass(frozen=True)
class Retry:
    """A job was begun again, because its worker died or hung; a result follows later."""

    scene: str  # scene id
    reason: str  # what happened to the worker


@dataclass(frozen=True)
class Work:
    """All that a worker needs to know for a whole run; small and picklable, with nothing of one machine in it."""

    detector: DetectorSpec
    settings: RunSettings
    run: str  # run id
    about: Mapping[str, Any]  # model and settings, JSON values that travel with the detections
    store: str  # address of the store
    reader: str  # "package.module:factory" that opens a reader for a scene
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # credentials and options for reading
    merge_rows: int = MOST_ROWS  # raw detections of a scene that one job merges, about


class Pool(Protocol):
    """Workers of one run, used as a context manager; leaving it ends all work at once."""

    @property
    def slots(self) -> int:
        """Jobs that are worked on at once; 0: one, in the calling process."""
        ...

    @property
    def memory_per_slot(self) -> int | None:
        """Bytes that the worker of each slot may take; None: all share the memory of this machine."""
        ...

    def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
        """Carry out jobs; may be called again with more of them.

        Args:
            jobs: What to do. May be taken one by one as workers become free, or all at once.

        Returns:
            One result per job, in any order; between them retries, one each time that a job is begun again. What a job
            writes is there before its result is.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Executor(Protocol):
    """Who carries out jobs; what a run finds is the same whichever executor does it."""

    def open(self, work: Work) -> Pool:
        """Prepare workers for a run; no work begins before there are jobs.

        Args:
            work: What all jobs have in common.

        Returns:
            The workers.
        """
        ...
