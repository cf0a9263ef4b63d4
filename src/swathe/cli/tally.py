"""What a detection run has done so far, and how fast: numbers that stay true over resumes, failures and many scenes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swathe.engine.events import ProgressEvent

# Nothing is foretold before so much has been seen: the first batches compile, load the model and fill caches.
LEAST_SECONDS = 5.0
LEAST_SHARE = 0.01  # of the windows of this call
LEAST_BATCHES = 3


class Tally:
    """Counts the events of a run. Windows of earlier calls are done, but do not count for the rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count.

        Args:
            clock: Seconds that never go back.
        """
        self._clock = clock
        self._start: float | None = None
        self._batches = 0
        self.total = 0  # windows of the run, without those that will not be done
        self.before = 0  # windows done by earlier calls
        self.done = 0  # windows done, those of earlier calls included
        self.skipped = 0  # windows of this call without data
        self.found = 0  # detections of the scenes that this call has stored
        self.unmerged: Counter[str] = Counter()  # boxes by scene id that the merge will thin out
        self.scenes = 0  # scenes of the run
        self.done_scenes = 0  # scenes published, by earlier calls too
        self.failed: dict[str, str] = {}  # scene id -> reason

    def count(self, event: ProgressEvent) -> None:
        """Take notice of an event.

        Args:
            event: The next one, in order.
        """
        from swathe.engine.events import BatchFinished, RunPlanned, SceneFailed, SceneMerged

        if isinstance(event, RunPlanned):
            self._start = self._clock()
            self.total, self.scenes = event.windows, event.scenes
            self.before = self.done = event.resumed_windows
            self.done_scenes = event.resumed_scenes
        elif isinstance(event, BatchFinished):
            self._batches += 1
            self.done, self.total = event.done_windows, event.total_windows
            self.skipped += event.skipped
            self.unmerged[event.scene] += event.detections
        elif isinstance(event, SceneMerged):
            self.done_scenes = event.done_scenes
            self.found += event.detections
            del self.unmerged[event.scene]
        elif isinstance(event, SceneFailed):
            self.failed[event.scene] = event.reason
            self.total -= event.lost_windows
            del self.unmerged[event.scene]

    @property
    def seconds(self) -> float:
        """Time since the plan, 0 before it."""
        return 0.0 if self._start is None else self._clock() - self._start

    @property
    def rate(self) -> float | None:
        """Windows of this call per second, None before the first."""
        fresh, seconds = self.done - self.before, self.seconds
        return fresh / seconds if fresh > 0 and seconds > 0 else None

    @property
    def remaining(self) -> float | None:
        """Seconds that are left at this rate, None as long as too little has been seen to tell."""
        rate, ahead = self.rate, self.total - self.before
        seen = self.done - self.before
        if rate is None or self._batches < LEAST_BATCHES or self.seconds < LEAST_SECONDS or seen < LEAST_SHARE * ahead:
            return None
        return max(0, self.total - self.done) / rate

    @property
    def note(self) -> str:
        """What was found, what waits for the merge, what was empty and what failed, in words."""
        parts = [f"{self.found:,} found"]
        if self.unmerged.total():
            parts.append(f"{self.unmerged.total():,} to merge")
        if self.skipped:
            parts.append(f"{self.skipped:,} empty")
        if self.scenes > 1:
            parts.append(f"{self.done_scenes:,} of {self.scenes:,} scenes stored")
        if self.failed:
            parts.append(f"{len(self.failed):,} failed")
        return ", ".join(parts)


def in_words(seconds: float | None) -> str:
    """Write a time that is left.

    Args:
        seconds: The time, None if it is unknown.

    Returns:
        For instance "0:05:12 left"; empty if unknown.
    """
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} left"
