"""Progress: numbers that stay true over resumes, empty windows, failures and many scenes."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from red_cells import RedCells
from requirements import need
from swathe.cli.progress import DetectionLines
from swathe.cli.steps import TrainingLines
from swathe.cli.tally import Tally, in_words
from swathe.engine.events import BatchFinished, ProgressEvent, RunPlanned, SceneFailed, SceneMerged


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def planned(windows: int, resumed: int = 0, scenes: int = 1) -> RunPlanned:
    return RunPlanned("run", scenes, windows, resumed, 0, 2, 1 << 30)


def batch(done: int, total: int, windows: int = 10, skipped: int = 0) -> BatchFinished:
    return BatchFinished("scene", 1.0, windows, skipped, 3, done, total)


def test_windows_of_earlier_calls_count_as_done_but_not_for_the_rate() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.count(planned(1000, resumed=900))
    assert (tally.done, tally.rate, tally.remaining) == (900, None, None)
    for number in range(1, 6):
        clock.now += 2.0
        tally.count(batch(900 + 10 * number, 1000))
    assert tally.rate == pytest.approx(5.0)
    assert tally.remaining == pytest.approx(10.0)


def test_nothing_is_foretold_before_enough_is_seen() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.count(planned(100))
    for number in range(1, 4):
        tally.count(batch(10 * number, 100))
        assert tally.remaining is None
    clock.now += 4.9
    assert tally.remaining is None
    clock.now += 0.1
    assert tally.remaining == pytest.approx(70 / 6)


def test_windows_of_failed_scenes_are_no_longer_waited_for() -> None:
    tally = Tally(Clock())
    tally.count(SceneFailed("unreadable", "is no image"))
    tally.count(planned(200, scenes=2))
    tally.count(SceneFailed("broken", "damaged", lost_windows=150))
    assert tally.total == 50
    tally.count(batch(10, 50, skipped=4))
    tally.count(SceneMerged("scene", 3, 2, 1, 2))
    assert tally.note == "2 found, 4 empty, 1 of 2 scenes stored, 2 failed"


def test_boxes_are_found_when_they_are_merged() -> None:
    tally = Tally(Clock())
    tally.count(planned(40, scenes=2))
    tally.count(batch(10, 40))
    assert tally.note == "0 found, 3 to merge, 0 of 2 scenes stored"
    tally.count(BatchFinished("other", 1.0, 10, 0, 5, 20, 40))
    tally.count(SceneMerged("scene", 3, 2, 1, 2))
    assert tally.note == "2 found, 5 to merge, 1 of 2 scenes stored"
    tally.count(SceneMerged("other", 5, 4, 2, 2))
    assert tally.note == "6 found, 2 of 2 scenes stored"


def lines_of(events: list[ProgressEvent], *, seconds: float, quiet: bool = False) -> list[str]:
    clock, out = Clock(), io.StringIO()
    show = DetectionLines(Console(file=out, width=40, highlight=False), quiet=quiet, clock=clock)
    for event in events:
        clock.now += seconds
        show(event)
    return out.getvalue().splitlines()


def test_a_log_gets_a_line_now_and_then() -> None:
    events = [planned(10_000, scenes=1000), *(batch(number, 10_000, windows=1) for number in range(1, 10_001))]
    lines = lines_of(events, seconds=0.01)
    assert len(lines) == 1 + 3  # 100 seconds
    assert lines[1].startswith("2,999 of 10,000 windows (30%), 100.0 windows/s, 0:01:10 left, ")


def test_quiet_shows_failed_scenes_alone() -> None:
    events = [planned(10), batch(5, 10), SceneFailed("[red]", "is gone", 5)]
    assert lines_of(events, seconds=100.0, quiet=True) == ["failed [red]: is gone"]


@pytest.mark.parametrize(("seconds", "words"), [(None, ""), (0.2, "0:00:00 left"), (4000, "1:06:40 left")])
def test_remaining_time_in_words(seconds: float | None, words: str) -> None:
    assert in_words(seconds) == words


def test_a_terminal_gets_a_bar(scene: RedCells, tiny_model: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", "from swathe.cli.main import run; run()", "detect", str(scene.path), "-m"]
    words += [str(tiny_model), "-o", str(tmp_path / "found"), "--tile", "128", "--workers", "0"]
    leader, follower = pty.openpty()
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=follower, env={**os.environ, "TERM": "xterm"}
    ) as run:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 4096):
                shown += part
        except OSError:  # Linux ends a terminal whose other side is closed in this way
            pass
        finally:
            os.close(leader)
    assert run.returncode == 0, shown
    assert b"windows" in shown
    assert b"found" in shown


def test_a_training_says_how_long_an_epoch_takes_and_prints_a_line_a_minute() -> None:
    need("torch")
    from swathe.training.loop import TrainingEvent

    clock, console = Clock(), Console(file=io.StringIO(), width=40)
    lines = TrainingLines(console, clock)
    for step in range(41, 81):
        clock.now += 3.0
        lines(TrainingEvent(step, 200, (step - 1) // 40 + 1, 5, {"total": 1.5}))
    lines(TrainingEvent(80, 200, 2, 5, {"map50_area": 0.25}))
    assert console.file.getvalue().splitlines() == [
        "Resuming: 40 of 200 steps are done",
        "An epoch of 40 steps takes about 2.0 minutes, validation not counted; 0:07:42 left of 5 epochs",
        "step 60 of 200, epoch 2 of 5, loss 1.500, 0:07:00 left",
        "step 80 of 200, epoch 2 of 5, loss 1.500, 0:06:00 left",
        "epoch    2  map50_area 0.250",
    ]
