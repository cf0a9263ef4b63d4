"""Time is counted once, by the innermost stage."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from swathe import stages


def test_a_stage_does_not_count_what_is_inside_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0])
    monkeypatch.setattr(stages, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    stages.take()
    with stages.stage("merge"):
        with stages.stage("infer"):
            pass
        with stages.stage("write"):
            pass
    assert stages.take() == {"infer": 2.0, "write": 8.0, "merge": 31.0 - 2.0 - 8.0}
    assert stages.take() == {}


def test_a_thread_beside_does_not_shorten_the_stage_of_another() -> None:
    stages.take()

    def read() -> None:
        with stages.stage("read"):
            time.sleep(0.02)

    thread = threading.Thread(target=read)
    with stages.stage("infer"):
        thread.start()
        thread.join()
    taken = stages.take()
    assert taken["infer"] >= taken["read"] >= 0.02


def test_a_stage_that_fails_is_counted() -> None:
    stages.take()
    try:
        with stages.stage("read"):
            raise OSError
    except OSError:
        pass
    assert set(stages.take()) == {"read"}
