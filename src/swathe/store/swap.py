"""Many files changed in one step: a second folder of hard links is prepared, then the two exchange their names."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from typing import TYPE_CHECKING

from swathe.atomic import TEMPORARY_SUFFIX, exchange, not_written, sync_folder
from swathe.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

# What file systems say that have no hard links or cannot exchange names.
_UNABLE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV, errno.EMLINK})
MOST_LOOKS = 100  # at a folder; a file system may number it anew each time that it is asked


def rearrange(folder: Path, *, drop: Collection[str] = (), add: Mapping[str, Path] | None = None) -> bool:
    """Take files out of a folder and put others in; who lists the folder sees all of it done or nothing.

    Nobody else may publish in the folder meanwhile.

    Args:
        folder: The folder.
        drop: Names of files that go.
        add: Names of files that come -> where they are: in the folder under hidden names, which go.

    Returns:
        Whether it is done; False if the file system has no hard links or cannot exchange folders. Nothing has changed
        then.

    Raises:
        StoreError: If it cannot be written; nothing has changed then.
    """
    sweep(folder)
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}")
    coming = dict(add or {})
    hidden = {path.name for path in coming.values()}
    kept = {path.name: path for path in folder.iterdir() if path.name not in drop and path.name not in hidden}
    try:
        fresh.mkdir()
        for name, path in {**kept, **coming}.items():
            os.link(path, fresh / name)
        sync_folder(fresh)
        exchange(folder, fresh)
        sync_folder(folder.parent)
    except OSError as error:
        if error.errno in _UNABLE:
            return False
        raise StoreError(not_written(folder, error)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def names_in(folder: Path) -> list[str]:
    """List a folder that others may exchange meanwhile: all of one state of it.

    The folder that goes is emptied while who has begun to list it still does.

    Args:
        folder: The folder.

    Returns:
        Names, in no particular order.

    Raises:
        OSError: If there is no such folder, or it cannot be read.
    """
    names: list[str] = []
    for _ in range(MOST_LOOKS):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            names = os.listdir(handle)  # noqa: PTH208 by handle: the folder of that name may be another one by now
            if os.path.samestat(os.fstat(handle), folder.stat()):
                return names
        finally:
            os.close(handle)
    return names


def sweep(folder: Path) -> None:
    """Remove what killed processes left of earlier exchanges; nobody may be at one meanwhile.

    Args:
        folder: The folder that was to be exchanged.
    """
    for path in folder.parent.glob(f".{folder.name}.*{TEMPORARY_SUFFIX}"):
        shutil.rmtree(path, ignore_errors=True)
