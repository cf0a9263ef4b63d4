"""Locks on files: who holds one loses it when its process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from swathe.atomic import not_written
from swathe.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
RUN_LOCK = "lock"  # file in the work folder of a run
_LOOKS, _LOOK_SECONDS = 5, 0.02  # at a lock that is held, before it counts as somebody's


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Keep all others from working on a run.

    Args:
        folder: The run's work folder; made if it is missing.

    Yields:
        Nothing; the lock is held within the block.

    Raises:
        StoreError: If another process works on the run, or the folder cannot be used.
    """
    handle = take_run_lock(folder)
    try:
        yield
    finally:
        os.close(handle)


def take_run_lock(folder: Path) -> int:
    """Lock a run for this process.

    Args:
        folder: The run's work folder; made if it is missing.

    Returns:
        A descriptor; closing it gives the lock back.

    Raises:
        StoreError: If another process works on the run, or the folder cannot be used.
    """
    looks = 0
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = _locked(folder / RUN_LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if handle is not None:
                _sign(handle)
        except BlockingIOError:
            looks += 1
            if looks < _LOOKS:  # somebody may just be asking, see `is_at_work`
                time.sleep(_LOOK_SECONDS)
                continue
            raise StoreError(
                f"{folder}: another process is working on this run ({_owner(folder / RUN_LOCK)}); wait for it to end, "
                "or stop it and run again"
            ) from None
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(_unusable(folder, error)) from error
        if handle is not None:
            return handle


def is_at_work(folder: Path) -> bool:
    """Tell whether a process is working on a run.

    Args:
        folder: The run's work folder; it need not exist.

    Returns:
        Whether somebody holds its lock; false where nobody can.
    """
    try:
        handle = os.open(folder / RUN_LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _unusable(folder: Path, error: OSError) -> str:
    """Say why a run cannot be locked."""
    if error.errno in _NO_LOCKS:
        return (
            f"{folder}: this file system has no locks ({error.strerror}), so two runs could not be told apart; put the "
            "store on a local disk, or mount the network drive with locks"
        )
    return not_written(folder, error)


def _sign(handle: int) -> None:
    """Write down who holds a lock, for the message to others; the lock itself is the system's."""
    with suppress(OSError):  # a full disk must not keep anybody from the lock
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


def _owner(path: Path) -> str:
    """Return who holds a lock, as it was written down."""
    try:
        return path.read_text(encoding="utf-8").strip() or "it has just begun"
    except OSError:
        return "it does not say which"


@contextmanager
def store_lock(mark: Path, *, exclusive: bool) -> Iterator[None]:
    """Wait until files of detections may be written or must not go (shared), or names be rearranged (exclusive).

    Args:
        mark: The file that marks the store.
        exclusive: Whether nobody else may hold the lock meanwhile.

    Yields:
        Nothing; the lock is held within the block.

    Raises:
        StoreError: If the file cannot be locked.
    """
    handle = None
    try:
        while handle is None:
            handle = _locked(mark, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
    except OSError as error:
        raise StoreError(f"{mark} cannot be locked ({error.strerror}); check rights and the file system") from error
    try:
        yield
    finally:
        os.close(handle)


def _locked(path: Path, operation: int) -> int | None:
    """Open and lock a file; None if its name went to another file meanwhile, which is then the one to lock."""
    handle = os.open(path, os.O_RDONLY if operation == fcntl.LOCK_SH else os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, operation)
        if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
