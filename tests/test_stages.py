"""Time is counted once, by the innermost stage."""

from __future__ import annotations

import threading
import time

from swathe import stages


def test_a_stage_does_not_count_what_is_inside_of_it() -> None:
    stages.take()
    with stages.stage("merge"):
        with stages.stage("infer"):
            time.sleep(0.02)
        with stages.stage("write"):
            time.sleep(0.01)
    taken = stages.take()
    assert taken["infer"] >= 0.02
    assert taken["write"] >= 0.01
    assert 0.0 <= taken["merge"] < taken["infer"]
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
