"""Progress of a run: a bar with rate and remaining time for people, a line of JSON per event for machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from swathe.cli.options import print_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from swathe.engine.events import Progress as RunProgress
    from swathe.engine.events import ProgressEvent
    from swathe.training.loop import TrainingEvent

MEBIBYTE = 1 << 20


@contextmanager
def detection_progress(*, json: bool) -> Iterator[RunProgress]:
    """Show the progress of a detection run.

    Args:
        json: Print events for machines instead of a bar.

    Yields:
        What the run calls with its events.
    """
    if json:
        yield print_event
        return
    with _bar("windows") as bar:
        yield _DetectionBar(bar)


@contextmanager
def training_progress(*, json: bool) -> Iterator[Callable[[TrainingEvent], None]]:
    """Show the progress of a training run.

    Args:
        json: Print events for machines instead of a bar.

    Yields:
        What the run calls with its events.
    """
    if json:
        yield lambda event: print_json({"event": "training", **asdict(event)})
        return
    with _bar("steps") as bar:
        yield _TrainingBar(bar)


def stderr_console() -> Console:
    """Return the console for people's eyes; the standard output stays for results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_event(event: ProgressEvent) -> None:
    """Print an event of a run as a line of JSON; the summary is printed by the command, last."""
    from swathe.engine.events import RunFinished

    if isinstance(event, RunFinished):
        return
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    print_json({"event": name, **asdict(event)})


def _bar(unit: str) -> Bar:
    """Make a bar with counts, rate and remaining time."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Units per second since the start of this call; what was done before does not count."""

        def render(self, task: Task) -> Text:
            """Return the rate, once it is known."""
            fresh, seconds = task.completed - task.fields["before"], task.finished_time or task.elapsed
            return Text(f"{fresh / seconds:.1f} {unit}/s" if fresh and seconds else "", style="progress.data.speed")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        RateColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
        console=stderr_console(),
        speed_estimate_period=60.0,
    )


class _DetectionBar:
    """Moves the bar as batches of windows are finished."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._found = 0

    def __call__(self, event: ProgressEvent) -> None:
        """Take notice of an event."""
        from swathe.engine.events import BatchFinished, RunPlanned, SceneFailed

        if isinstance(event, RunPlanned):
            if event.resumed_windows:
                self._bar.console.print(f"Resuming: {event.resumed_windows} of {event.windows} windows are done")
            workers = max(1, event.workers)
            self._bar.console.print(f"Memory   about {event.memory_bytes / MEBIBYTE:,.0f} MiB with {workers} worker(s)")
            before = event.resumed_windows
            self._bar.add_task("Detect", total=event.windows, completed=before, before=before, note="")
        elif isinstance(event, BatchFinished):
            self._found += event.detections
            task = self._bar.tasks[0].id
            self._bar.update(task, completed=event.done_windows, note=f"{self._found} found, {event.scene}")
        elif isinstance(event, SceneFailed):
            self._bar.console.print(f"failed {event.scene}: {event.reason}", style="red", markup=False)


class _TrainingBar:
    """Moves the bar with each optimiser step."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def __call__(self, event: TrainingEvent) -> None:
        """Take notice of an event."""
        if not self._bar.tasks:
            before = event.step - 1
            if before:
                self._bar.console.print(f"Resuming: {before} of {event.steps} steps are done")
            self._bar.add_task("Train", total=event.steps, completed=before, before=before, note="")
        if "map50_area" in event.values:
            scores = "  ".join(f"{name} {value:.3f}" for name, value in event.values.items() if name.startswith("map"))
            self._bar.console.print(f"epoch {event.epoch:4d}  {scores}")
        note = f"epoch {event.epoch}/{event.epochs}"
        if "total" in event.values:
            note += f", loss {event.values['total']:.3f}"
        self._bar.update(self._bar.tasks[0].id, completed=event.step, note=note)
