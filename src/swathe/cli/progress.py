"""Progress of a run: a bar with rate and remaining time for people, a line of JSON per event for machines."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from swathe.cli.options import print_json
from swathe.cli.output import printable
from swathe.cli.tally import Tally, in_words
from swathe.counts import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from swathe.engine.events import Progress as RunProgress
    from swathe.engine.events import ProgressEvent

MEBIBYTE = 1 << 20
SECONDS_PER_LINE = 30.0  # where there is no terminal


@contextmanager
def detection_progress(*, json: bool, quiet: bool = False) -> Iterator[RunProgress]:
    """Show the progress of a detection run: a bar on a terminal, else a line now and then.

    Args:
        json: Print events for machines instead.
        quiet: Show nothing but failed scenes.

    Yields:
        What the run calls with its events.
    """
    if json:
        yield print_event
        return
    console = stderr_console()
    if quiet or not console.is_terminal:
        yield DetectionLines(console, quiet=quiet)
        return
    with _detection_bar(console) as bar:
        yield _DetectionBar(bar)


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


def rate_bar(unit: str) -> Bar:
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


def _detection_bar(console: Console) -> Bar:
    """Make a bar whose rate and remaining time come from a tally."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("windows"),
        TextColumn("{task.fields[rate]}", style="progress.data.speed"),
        TextColumn("{task.fields[remaining]}", style="progress.remaining"),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
    )


class _DetectionBar:
    """Moves the bar as batches of windows are finished."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._tally = Tally()

    def __call__(self, event: ProgressEvent) -> None:
        """Take notice of an event."""
        self._tally.count(event)
        for line in _lines_about(event):
            self._bar.console.print(line, markup=False)
        tally = self._tally
        if not tally.total and not self._bar.tasks:
            return
        if not self._bar.tasks:
            self._bar.add_task("Detect", total=tally.total, rate="", remaining="", note="")
        rate = f"{tally.rate:.1f} windows/s" if tally.rate is not None else ""
        task = self._bar.tasks[0].id
        remaining = in_words(tally.remaining) if tally.done < tally.total else ""
        self._bar.update(task, total=tally.total, completed=tally.done, rate=rate, remaining=remaining, note=tally.note)


class DetectionLines:
    """Prints a line now and then, for logs; with many scenes and windows no more than for one."""

    def __init__(self, console: Console, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            console: Where to print.
            quiet: Print nothing but failed scenes.
            clock: Seconds that never go back.
        """
        self._console, self._quiet, self._clock = console, quiet, clock
        self._tally = Tally(clock)
        self._next = clock() + SECONDS_PER_LINE

    def __call__(self, event: ProgressEvent) -> None:
        """Take notice of an event."""
        from swathe.engine.events import RunFinished, SceneFailed

        tally = self._tally
        tally.count(event)
        if isinstance(event, SceneFailed) or not self._quiet:
            for line in _lines_about(event):
                self._console.print(line, markup=False, soft_wrap=True)
        if self._quiet or isinstance(event, RunFinished) or self._clock() < self._next:
            return
        self._next = self._clock() + SECONDS_PER_LINE
        share = tally.done / tally.total if tally.total else 1.0
        rate = f"{tally.rate:.1f} windows/s" if tally.rate is not None else ""
        parts = [
            f"{tally.done:,} of {tally.total:,} windows ({share:.0%})",
            rate,
            in_words(tally.remaining),
            tally.note,
        ]
        self._console.print(", ".join(part for part in parts if part), markup=False, soft_wrap=True)


def _lines_about(event: ProgressEvent) -> list[str]:
    """Return what is said once about an event."""
    from swathe.engine.events import RunPlanned, SceneFailed

    if isinstance(event, RunPlanned):
        lines = [
            f"Memory   about {event.memory_bytes / MEBIBYTE:,.0f} MiB with {counted(max(1, event.workers), 'worker')}"
        ]
        if event.resumed_windows:
            lines.insert(0, f"Resuming: {event.resumed_windows:,} of {event.windows:,} windows are done")
        return lines
    return [printable(f"failed {event.scene}: {event.reason}")] if isinstance(event, SceneFailed) else []
