"""Publishing of files and folders: readers see the whole new one or what was there before.

The content goes to the disk, then the name changes, then the folder with the name goes to the disk: after a power cut
there is the old one or the new one, too. Work in progress lies under a hidden name, locked by its writer. What a killed
writer left is taken over by the next one of the same name.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from swathe.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
# What file systems and systems say that cannot exchange two names.
_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
# Why something cannot be written, and the way out.
_WAYS_OUT = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT),
        "the disk or the quota is full; free some space and run the same command again: what is finished is kept",
    ),
    errno.EFBIG: "the file would be larger than the system allows; raise the limit (ulimit -f) and run again",
    errno.EROFS: "the file system is read-only; choose another folder, or mount it for writing",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM), "no right to write there; choose another folder, or change the rights"
    ),
    errno.ENOENT: "its folder does not exist, or has been removed meanwhile; create it first",
    errno.EIO: "the disk reports an error; check it, and run the same command again: what is finished is kept",
}


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
    temporary: Path | None = None
    try:
        _check_free(path, overwrite=overwrite)
        temporary, handle = _claimed_file(path)
        with os.fdopen(handle, "r+b") as stream:
            stream.truncate()
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            # Still open, hence still locked: nobody takes the name over before it has become the final one.
            os.replace(temporary, path)
            temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(not_written(path, error)) from error
    finally:
        if temporary is not None:
            _remove(temporary)


@contextmanager
def published_path(path: Path, *, overwrite: bool, suffix: str, beside: Sequence[str] = ()) -> Iterator[Path]:
    """Let a library write a file by name that appears when the block ends well; what it writes beside it is dropped.

    Args:
        path: Where it shall appear.
        overwrite: Whether an existing file may be replaced.
        suffix: How the name must end that the library gets.
        beside: Suffixes of files that it writes beside it and that appear, too, before it does.

    Yields:
        The path to write to, in a hidden folder beside.

    Raises:
        StoreError: If the path exists and may not be replaced, or cannot be written.
    """
    folder, handle = None, -1
    try:
        places = {end: path.with_suffix(end) for end in beside} | {suffix: path}
        for place in places.values():
            _check_free(place, overwrite=overwrite)
        folder, handle = _claimed_folder(path)
        written = folder / f"new{suffix}"
        yield written
        _sync_tree(folder)
        for end, place in places.items():
            os.replace(written.with_suffix(end), place)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(not_written(path, error)) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


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
    temporary, handle = None, -1
    try:
        occupied = path.exists() and not (path.is_dir() and not any(path.iterdir()))
        if occupied and (replaceable is None or not path.is_dir() or not replaceable(path)):
            hint = "allow to overwrite it" if replaceable is None else "remove it yourself: it holds something else"
            raise StoreError(f"{path} exists already; choose another name, or {hint}")
        temporary, handle = _claimed_folder(path)
        yield temporary
        _sync_tree(temporary)
        if occupied:
            _trade(temporary, path)
        else:
            os.replace(temporary, path)
            temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(not_written(path, error)) from error
    except StoreError as error:
        # What was published within is known to the caller by the name of the whole.
        raise StoreError(str(error).replace(str(_usual(path)), str(path))) from error.__cause__
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


def exchange(one: Path, other: Path) -> None:
    """Let two files or folders exchange their names in one step; see renameat2(2).

    Args:
        one: A file or folder.
        other: Another one on the same file system.

    Raises:
        OSError: If it cannot be done; `errno.ENOSYS` where the system has no such call.
    """
    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut.

    Args:
        folder: The folder.

    Raises:
        OSError: If the folder is gone or the disk reports an error.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def not_written(path: Path, error: OSError) -> str:
    """Say what could not be written, why not, and what to do about it.

    Args:
        path: What was to be written.
        error: What the system said.

    Returns:
        The message.
    """
    return f"{path} cannot be written ({error.strerror or error}): {way_out(error.errno)}"


def way_out(code: int | None) -> str:
    """Say what to do about an error of the system, given its number."""
    return _WAYS_OUT.get(code or 0, "check the folder, rights and free space")


def _check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse a path that is a folder, or exists and may not be replaced."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder, so no file of that name can be written; choose another name")
    if path.exists() and not overwrite:
        raise StoreError(f"{path} exists already; choose another name, or allow to overwrite it")


def _trade(fresh: Path, path: Path) -> None:
    """Let a fresh folder and an old one exchange their names; in steps where the file system knows no other way."""
    try:
        exchange(fresh, path)
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        retired = _unique(path)
        os.replace(path, retired)
        try:
            os.replace(fresh, path)
        except OSError:
            with suppress(OSError):  # at the worst the old one stays under its hidden name
                os.replace(retired, path)
            raise
        os.replace(retired, fresh)


def _claimed_file(path: Path) -> tuple[Path, int]:
    """Open a hidden file beside a path, locked: one that a killed process left, or a new one."""
    with suppress(OSError):  # the name is somebody else's, or nothing at all can be written: the next lines say which
        usual = _usual(path)
        handle = os.open(usual, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        if _is_ours(handle, usual):
            return usual, handle
        os.close(handle)
    unique = _unique(path)
    return unique, os.open(unique, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)


def _claimed_folder(path: Path) -> tuple[Path, int]:
    """Make a hidden folder beside a path, locked; what a killed process left in one is removed."""
    with suppress(OSError):  # as above
        usual = _usual(path)
        usual.mkdir(exist_ok=True)
        handle = os.open(usual, os.O_RDONLY | os.O_NOFOLLOW)
        if _is_ours(handle, usual):
            for old in usual.iterdir():
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            return usual, handle
        os.close(handle)
    unique = _unique(path)
    unique.mkdir()
    return unique, os.open(unique, os.O_RDONLY)


def _is_ours(handle: int, path: Path) -> bool:
    """Lock a temporary file or folder; false if another process is at it, or the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The writer before may just have given it its final name, or removed it.
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _usual(path: Path) -> Path:
    """Return the hidden name beside a path that is tried first, short enough for any path that is."""
    return path.with_name(f".{path.name[:60]}.swathe{TEMPORARY_SUFFIX}")


def _unique(path: Path) -> Path:
    """Return a hidden name beside a path that nobody else has."""
    return path.with_name(f".{path.name[:60]}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}")


def _sync_tree(folder: Path) -> None:
    """Bring the content of all files of a folder to the disk, and all names."""
    for parent, _, names in os.walk(folder.absolute()):
        for name in names:
            handle = os.open(folder / parent / name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(folder / parent)


def _remove(path: Path) -> None:
    """Remove a temporary file; where even that cannot be done, the next writer takes it over."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
