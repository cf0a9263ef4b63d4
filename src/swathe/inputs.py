"""Reading files that users name."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_input(path: Path) -> bytes:
    """Read a file whole.

    Args:
        path: A file, or a pipe.

    Returns:
        Its bytes.

    Raises:
        OSError: If it cannot be read, or is a device such as /dev/zero, which may have no end.
    """
    with path.open("rb") as stream:
        mode = path.stat().st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise OSError(errno.EINVAL, "it is a device, not a file", str(path))
        return stream.read()
