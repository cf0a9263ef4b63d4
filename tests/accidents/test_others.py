"""Two runs at once, clocks that jump, folders without rights, workers that somebody kills."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from accidents.conftest import Report
from accidents.runs import LONGEST_RUN, STRIDE, TILE, Case, children, tree
from command import Command
from elsewhere import exit_code_of, until_it_has_ended, write_as_nobody
from swathe.store import open_store

TIMES = max(1, int(os.environ.get("SWATHE_KILLS", "2")) // 2)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Case:
    """One scene of some length, and a short one."""
    return Case.make(tmp_path_factory.mktemp("case") / "scenes", tiny_model, [(700, 600), (256, 256)])


@pytest.fixture(scope="module")
def whole(case: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The store of a run that nothing happened to."""
    store = tmp_path_factory.mktemp("whole") / "store"
    case.run(store)
    return tree(store)


def until_at_work(process: subprocess.Popen[str]) -> None:
    """Wait for the first finished batch."""
    assert process.stdout is not None
    assert any('"batch_finished"' in line for line in process.stdout)


def test_two_runs_at_once(case: Case, whole: dict[str, str], tmp_path: Path, report: Report) -> None:
    """The first one is stopped in the middle, whatever others do meanwhile."""
    store = tmp_path / "store"
    with case.start(store) as first:
        until_at_work(first)
        os.killpg(first.pid, signal.SIGSTOP)
        same = case.run(store)
        other = case.run(store, "--merge-iou", "0.5")
        os.killpg(first.pid, signal.SIGCONT)
        _, err = first.communicate(timeout=LONGEST_RUN)
        assert first.returncode == 0, err
    opened = open_store(store)
    assert {run.id for run in opened.runs()} == {same[-1]["run"], other[-1]["run"]}
    opened.remove(other[-1]["run"])
    assert tree(store) == whole
    report("The same run twice at once and another one beside them: all end well; same bytes, nothing twice")


def test_processes_that_add_different_scenes_at_once(
    case: Case, whole: dict[str, str], tmp_path: Path, report: Report
) -> None:
    cases = [case.only(path.stem) for path in sorted(case.folder.iterdir())]
    for number in range(TIMES):
        store = tmp_path / f"store-{number}"
        running = [one.start(store) for one in cases]
        for process in running:
            _, err = process.communicate(timeout=LONGEST_RUN)
            assert process.returncode == 0, err
        assert tree(store) == whole
        assert len(open_store(store).runs()) == 1
    report(f"Two processes that add different scenes to one run at once, {TIMES} times: nothing lost, nothing twice")


def test_a_worker_killed_from_outside(case: Case, whole: dict[str, str], tmp_path: Path, report: Report) -> None:
    with case.start(tmp_path / "store") as process:
        until_at_work(process)
        for pid in children(process.pid)[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=LONGEST_RUN)
    assert process.returncode == 0, err
    assert tree(tmp_path / "store") == whole
    report(f"One worker killed by SIGKILL: replaced ({out.count('batch_retried')} batch tried again); same bytes")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_run_that_is_told_to_end(
    name: str, case: Case, whole: dict[str, str], tmp_path: Path, report: Report
) -> None:
    """As by a system that shuts down, or a terminal that closes."""
    with case.start(tmp_path / "store") as process:
        until_at_work(process)
        workers = children(process.pid)
        process.send_signal(signal.Signals[name])
        process.communicate(timeout=LONGEST_RUN)
    assert process.returncode == -signal.Signals[name]
    for worker in workers:
        until_it_has_ended(worker)
    assert case.run(tmp_path / "store")[-1]["resumed_windows"] > 0
    assert tree(tmp_path / "store") == whole
    report(f"{name}: the run and its workers end, the rerun goes on; same bytes")


def test_nothing_hangs_on_the_clock(
    command: Command, case: Case, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    words = ("detect", case.folder, "-m", case.model, "--tile", TILE, "--stride", STRIDE, "--workers", 0, "--json")
    backwards = iter(range(2_000_000_000, 0, -100_000))
    store = tmp_path / "store"
    with case.start(store) as process:
        until_at_work(process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    time.sleep(0.3)
    for number, path in enumerate(sorted(store.rglob("*"))):
        when = (0, 4_000_000_000)[number % 2]
        os.utime(path, (when, when))
    monkeypatch.setattr("time.time", lambda: float(next(backwards)))
    assert command(*words, "-o", store).code == 0
    assert tree(store) == whole
    report("Clock running backwards, files of 1970 and 2096: same bytes")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: those of `tmp_path` are their owner's, and their rights are pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_without_rights(open_folder: Path, report: Report) -> None:
    locked, answer = open_folder / "locked", open_folder / "answer"
    locked.mkdir(mode=0o555)
    answer.touch()
    answer.chmod(0o666)
    assert exit_code_of(write_as_nobody, locked / "file", answer) == 0
    assert "no right to write there" in answer.read_text()
    assert str(locked / "file") in answer.read_text()
    report("A folder without the right to write: told")
