"""Publishing of files and folders: readers see the whole new one or what was there before."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from swathe.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


@contextmanager
def published_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when the block ends well, and never if it does not.

    Args:
        path: Where it shall appear.
        overwrite: Whether an existing file may be replaced.

    Yields:
        The stream to write to; it can be read back too.

    Raises:
        StoreError: If the path exists and may not be replaced, or cannot be written.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder, so no file of that name can be written; choose another name")
    if path.exists() and not overwrite:
        raise StoreError(f"{path} exists already; choose another name, or allow to overwrite it")
    temporary = _temporary(path)
    try:
        with temporary.open("x+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(_not_written(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def published_folder(path: Path, *, replaceable: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Fill a folder that appears under its name when the block ends well, and never if it does not.

    Args:
        path: Where it shall appear; an empty folder may be there already.
        replaceable: Tells whether an existing folder may be replaced; None allows none.

    Yields:
        The folder to fill, elsewhere for now.

    Raises:
        StoreError: If the path exists and may not be replaced, or cannot be written.
    """
    occupied = path.exists() and not (path.is_dir() and not any(path.iterdir()))
    if occupied and (replaceable is None or not path.is_dir() or not replaceable(path)):
        hint = "allow to overwrite it" if replaceable is None else "remove it yourself: it holds something else"
        raise StoreError(f"{path} exists already; choose another name, or {hint}")
    temporary, retired = _temporary(path), _temporary(path)
    try:
        temporary.mkdir()
        yield temporary
        sync_folder(temporary)
        if occupied:
            os.replace(path, retired)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if retired.exists() and not path.exists():
            os.replace(retired, path)
        raise StoreError(_not_written(path, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut.

    Args:
        folder: The folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove temporary files that a killed process left behind.

    Args:
        folder: Where to look.
        prefix: How the names begin that they were meant to get.
    """
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        if path.name.startswith(f".{prefix}"):
            path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """Return a new hidden name beside a path, short enough for any path that is."""
    return path.with_name(f".{path.name[:60]}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}")


def _not_written(path: Path, error: OSError) -> str:
    return f"{path} cannot be written ({error.strerror or error}); check the folder, rights and free space"
