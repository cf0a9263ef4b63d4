"""Deeds in processes that may die: forked by a server that runs nothing else, for a test's own process has threads.

And how the end of somebody else's process is waited for.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swathe.training.config import TrainingConfig

NOBODY = 65534
INTERRUPTED = 130
LONGEST_DEED, LONGEST_END = 600, 120  # seconds


def exit_code_of(deed: Callable[..., object], *arguments: Any) -> int:
    """Run a function of a module in another process and return how that ended."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=deed, args=arguments)
    process.start()
    process.join(LONGEST_DEED)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"{deed} goes on after {LONGEST_DEED} seconds")
    return process.exitcode or 0


def until_it_has_ended(pid: int) -> None:
    """Wait for a process that is not ours; who has ended may stay as a zombie that nobody collects."""
    end = time.monotonic() + LONGEST_END
    with suppress(FileNotFoundError, ProcessLookupError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
            assert time.monotonic() < end, f"process {pid} goes on"
            time.sleep(0.02)


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
