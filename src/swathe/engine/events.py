"""What a run tells its caller while it works, and what it returns at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from swathe.counts import counted
from swathe.errors import PartialError

if TYPE_CHECKING:
    from swathe.detections import Detections


@dataclass(frozen=True)
class RunSummary:
    """What a call did. Windows and counts cover the scenes that it was asked for, those of earlier calls too."""

    run: str  # id of the run
    windows: int  # windows of all scenes and scales
    skipped: int  # windows without data, not given to the detector
    seconds: float  # wall time of this call
    detections: int  # rows of these scenes in the store
    per_class: Mapping[str, int]  # rows per class name, every class of the model listed
    scenes: tuple[str, ...]  # ids of the scenes that are stored, sorted
    files: tuple[str, ...]  # addresses of the files that hold them
    resumed_windows: int = 0  # windows finished by an earlier call
    lost_windows: int = 0  # windows of failed scenes that are not done
    full_windows: int = 0  # windows of this call in which the model had no room for more boxes
    failed: Mapping[str, str] = field(default_factory=dict)  # scene id -> why it failed
    stages: Mapping[str, float] = field(
        default_factory=dict, compare=False
    )  # seconds of all workers, see swathe.stages

    def raise_for_failures(self, detections: Detections | None = None) -> None:
        """Turn failed scenes into an error.

        Args:
            detections: What was found in the others, for callers that catch the error.

        Raises:
            PartialError: If a scene failed; the message lists all of them.
        """
        if self.failed:
            reasons = "\n".join(f"  {scene}: {reason}" for scene, reason in self.failed.items())
            others = f"the other {len(self.scenes)} are stored" if self.scenes else "none is stored"
            raise PartialError(
                f"{counted(len(self.failed), 'scene')} failed, {others}:\n{reasons}\n"
                "Mend or fetch them, then run the same command again: it looks at these alone",
                self.failed,
                detections,
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)


@dataclass(frozen=True)
class RunPlanned:
    """The work is known; sent once, first."""

    run: str  # id of the run
    scenes: int  # number of scenes
    windows: int  # windows of all scenes and scales
    resumed_windows: int  # of these, finished by an earlier call
    resumed_scenes: int  # scenes that an earlier call has stored
    workers: int  # jobs at once, 0 when the work is done in this process
    memory_bytes: int  # projected peak of all processes together


@dataclass(frozen=True)
class BatchFinished:
    """A batch of windows went through the detector."""

    scene: str  # scene id
    scale: float  # level pixels per scene pixel
    windows: int  # windows of this batch
    skipped: int  # of these, without data
    detections: int  # raw detections before the merge
    done_windows: int  # windows finished so far, resumed ones included
    total_windows: int  # windows of the run, without those of failed scenes that will not be done
    full: int = 0  # windows in which the model had no room for more boxes, so that some may be missing


@dataclass(frozen=True)
class SceneMerged:
    """A scene is merged, written, and can be read from the store."""

    scene: str  # scene id
    raw: int  # detections before the merge
    detections: int  # detections after it
    done_scenes: int  # scenes stored so far, those of earlier calls included
    total_scenes: int  # scenes of the run


@dataclass(frozen=True)
class BatchRetried:
    """A worker was lost (killed, out of memory, or silent for too long); another one does its job again."""

    scene: str  # scene id
    reason: str  # what happened


@dataclass(frozen=True)
class SceneFailed:
    """Something went wrong with a scene; the run goes on with the others."""

    scene: str  # scene id
    reason: str  # message of the error
    lost_windows: int = 0  # its windows that are not done and will not be in this call


@dataclass(frozen=True)
class RunFinished:
    """The run is over; sent once, last."""

    summary: RunSummary


ProgressEvent = RunPlanned | BatchFinished | BatchRetried | SceneMerged | SceneFailed | RunFinished
Progress = Callable[[ProgressEvent], None]
