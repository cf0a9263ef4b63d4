"""Small file systems for tests that fill them or may not write to them; they need the right to mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """Mount a file system of its own.

    Args:
        place: Where; the folder is made.
        size: Bytes.

    Yields:
        The place.
    """
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=2000", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        message = "mounting is not permitted; run as root (in a container: --cap-add SYS_ADMIN) to see this tested"
        pytest.fail(message) if os.environ.get("SWATHE_NO_SKIP") == "1" else pytest.skip(message)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def read_only(place: Path, *, on: bool = True) -> None:
    """Mount a small disk for reading only, or for writing again."""
    subprocess.run(["mount", "-o", f"remount,{'ro' if on else 'rw'}", str(place)], check=True)


def fill(place: Path, left: int) -> Path:
    """Write a file that leaves so many bytes free.

    Returns:
        The file.
    """
    ballast = place / "ballast"
    ballast.unlink(missing_ok=True)
    status = os.statvfs(place)
    with ballast.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(1, status.f_bavail * status.f_frsize - left))
    return ballast
