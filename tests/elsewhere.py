"""Deeds in processes that may die: forked by a server that runs nothing else, for a test's own process has threads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swathe.training.config import TrainingConfig

NOBODY = 65534
KILLED = 9
INTERRUPTED = 130
# What a deed needs; a child that is forked from the server has it loaded already.
PRELOADED = [
    "elsewhere", "pandas", "pyarrow.dataset", "rasterio.warp", "shapely", "swathe.store.compact", "swathe.store.folder",
    "swathe.store.geoparquet",
]  # fmt: skip


def exit_code_of(deed: Callable[..., object], *arguments: Any) -> int:
    """Run a function of a module in another process and return how that ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=deed, args=arguments)
    process.start()
    process.join()
    return process.exitcode or 0


def killed_at(number: int, deed: Callable[[Any], object], subject: Any) -> bool:
    """Do something in a process that dies just before its n-th change on disk; return whether it came so far."""
    code = exit_code_of(die_at, number, deed, subject)
    if code not in (0, KILLED):
        raise AssertionError(f"the deed ended with {code} at step {number}")
    return code == KILLED


def die_at(number: int, deed: Callable[[Any], object], subject: Any) -> None:
    """Do something, and end without any clean-up just before the n-th change on disk."""
    from swathe.store import swap

    left = number
    for owner, name in (*((os, name) for name in ("link", "replace", "unlink", "rmdir")), (swap, "exchange")):
        original = getattr(owner, name)

        def counted(*arguments: Any, original: Callable[..., object] = original, **options: Any) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(KILLED)
            return original(*arguments, **options)

        setattr(owner, name, counted)
    deed(subject)


def train_until_ctrl_c(config: TrainingConfig) -> None:
    """Train, with Ctrl-C in the second step, and end as the command does.

    Ctrl-C reaches the main thread, and pytest-xdist now and then runs tests in another one.
    """
    import torch

    from swathe.training.loop import train

    torch.set_num_threads(1)
    try:
        train(config, lambda event: signal.raise_signal(signal.SIGINT) if event.step == 2 else None)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def write_as_nobody(path: Path, answer: Path) -> None:
    """Publish a file as somebody without rights, and leave what the error says in another one."""
    from swathe.atomic import published_file
    from swathe.errors import StoreError

    if os.geteuid() == 0:  # root may write anywhere
        os.setresuid(NOBODY, NOBODY, NOBODY)
    try:
        with published_file(path, overwrite=True) as stream:
            stream.write(b"x")
    except StoreError as error:
        answer.write_text(str(error))
