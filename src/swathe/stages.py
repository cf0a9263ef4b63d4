"""Where the time goes: seconds by stage of the work, counted in each process and taken along with its results.

Counting costs about a microsecond, and no stage is shorter than a part of a window, so it is always on.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

# start: a worker until it has its model. read, resize: pixels, read ahead while the model works. wait: the model for
# pixels. infer: pixels into the network and through it. decode: its outputs to detections. merge, write: of a scene.
STAGES = ("start", "read", "resize", "wait", "infer", "decode", "merge", "write")
BESIDE = frozenset({"read", "resize"})  # in a thread beside the model: their time is no time of the worker


class _Thread(threading.local):
    inner = 0.0  # seconds of the stages inside of the one at work


_thread = _Thread()
_counted: defaultdict[str, float] = defaultdict(float)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the seconds of a block as time of a stage, without those of stages inside of it.

    Args:
        name: One of `STAGES`. Two threads must not count the same one.

    Yields:
        Nothing.
    """
    began, outer, _thread.inner = time.perf_counter(), _thread.inner, 0.0
    try:
        yield
    finally:
        seconds = time.perf_counter() - began
        _counted[name] += seconds - _thread.inner
        _thread.inner = outer + seconds


def count(name: str, seconds: float) -> None:
    """Count seconds that were measured otherwise."""
    _counted[name] += seconds


def take() -> dict[str, float]:
    """Return the seconds by stage since the last call, in this process."""
    return {name: _counted.pop(name) for name in STAGES if name in _counted}
