"""Progress of a training run: a bar on a terminal, a line a minute elsewhere, and how long an epoch takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from swathe.cli.options import print_json
from swathe.cli.progress import rate_bar, stderr_console
from swathe.cli.tally import in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from swathe.training.loop import TrainingEvent

SECONDS_PER_LINE = 60.0  # where there is no terminal
MEASURED_STEPS = 5  # after the first one, which compiles and fills caches; then it is said how long an epoch takes


@contextmanager
def training_progress(*, json: bool) -> Iterator[Callable[[TrainingEvent], None]]:
    """Show the progress of a training run.

    Args:
        json: Print events for machines instead.

    Yields:
        What the run calls with its events.
    """
    if json:
        yield lambda event: print_json({"event": "training", **asdict(event)})
        return
    console = stderr_console()
    if not console.is_terminal:
        yield TrainingLines(console)
        return
    with rate_bar("steps") as bar:
        yield _TrainingBar(bar)


class _Pace:
    """Measures the first steps of a call, and what remains of the run."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._first: tuple[int, float] | None = None  # the first step of this call, and when it was done
        self._told = False

    def lines(self, event: TrainingEvent) -> list[str]:
        """Return what is said once, or of a validation."""
        lines = []
        if self._first is None:
            self._first = event.step, self._clock()
            if event.step > 1:
                lines.append(f"Resuming: {event.step - 1:,} of {event.steps:,} steps are done")
        seconds = self.seconds_per_step(event)
        if not self._told and seconds is not None and event.step - self._first[0] >= MEASURED_STEPS:
            self._told = True
            steps = event.steps // event.epochs
            left = in_words(seconds * (event.steps - event.step))
            lines.append(
                f"An epoch of {steps:,} steps takes about {seconds * steps / 60:,.1f} minutes, validation not counted; "
                f"{left} of {event.epochs:,} epochs"
            )
        if "map50_area" in event.values:
            scores = "  ".join(f"{name} {value:.3f}" for name, value in event.values.items() if name.startswith("map"))
            lines.append(f"epoch {event.epoch:4d}  {scores}")
        return lines

    def seconds_per_step(self, event: TrainingEvent) -> float | None:
        """Return how long a step takes, once it is known."""
        if self._first is None or event.step <= self._first[0]:
            return None
        return (self._clock() - self._first[1]) / (event.step - self._first[0])


class TrainingLines:
    """Prints a line a minute, for logs, beside what is said once."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            console: Where to print.
            clock: Seconds that never go back.
        """
        self._console, self._clock = console, clock
        self._pace = _Pace(clock)
        self._next = clock() + SECONDS_PER_LINE

    def __call__(self, event: TrainingEvent) -> None:
        """Take notice of an event."""
        lines = self._pace.lines(event)
        if self._clock() >= self._next and "total" in event.values:
            self._next = self._clock() + SECONDS_PER_LINE
            seconds = self._pace.seconds_per_step(event)
            left = "" if seconds is None else f", {in_words(seconds * (event.steps - event.step))}"
            lines.append(
                f"step {event.step:,} of {event.steps:,}, epoch {event.epoch} of {event.epochs}, "
                f"loss {event.values['total']:.3f}{left}"
            )
        for line in lines:
            self._console.print(line, markup=False, soft_wrap=True)


class _TrainingBar:
    """Moves the bar with each optimiser step."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._pace = _Pace(time.monotonic)

    def __call__(self, event: TrainingEvent) -> None:
        """Take notice of an event."""
        for line in self._pace.lines(event):
            self._bar.console.print(line, markup=False)
        if not self._bar.tasks:
            before = event.step - 1
            self._bar.add_task("Train", total=event.steps, completed=before, before=before, note="")
        note = f"epoch {event.epoch}/{event.epochs}"
        if "total" in event.values:
            note += f", loss {event.values['total']:.3f}"
        self._bar.update(self._bar.tasks[0].id, completed=event.step, note=note)
