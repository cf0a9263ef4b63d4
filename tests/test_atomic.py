"""Files and folders appear whole or not at all, whatever the disk says at whichever moment."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from accidents.faults import disk
from swathe.atomic import published_file, published_folder
from swathe.errors import StoreError

OLD, NEW = b"old content", b"new content, longer than before"


def write(path: Path, content: bytes = NEW, *, overwrite: bool = True) -> None:
    with published_file(path, overwrite=overwrite) as stream:
        stream.write(content[:5])
        stream.write(content[5:])


def fill(path: Path) -> None:
    with published_folder(path, replaceable=lambda _: True) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_bytes(NEW)
        write(folder / "other")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path: Path) -> None:
    with disk() as account:
        write(tmp_path / "file")
    assert account.calls == ["open", "write", "write", "fsync", "replace", "fsync"]


def test_the_files_of_a_folder_are_on_the_disk_before_its_name(tmp_path: Path) -> None:
    with disk() as account:
        fill(tmp_path / "folder")
    before = account.calls[: len(account.calls) - account.calls[::-1].index("replace")]
    assert before.count("fsync") == 2 + 2 + 2, "one file by itself with its folder, two files, two folders"
    assert account.calls[len(before) :] == ["fsync"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG])
def test_a_file_is_the_old_or_the_new_one_wherever_the_disk_fails(tmp_path: Path, code: int) -> None:
    path = tmp_path / "file"
    with disk() as account:
        write(path, OLD)
    for number in range(len(account.calls)):
        path.write_bytes(OLD)
        with disk(number, code), pytest.raises(StoreError, match=rf"{path}.*{os.strerror(code)}"):
            write(path)
        renamed = "replace" in account.calls[:number]
        assert path.read_bytes() == (NEW if renamed else OLD)
        assert names(tmp_path) == ["file"]
    write(path)
    assert path.read_bytes() == NEW


def no_exchange(one: Path, other: Path) -> None:
    raise OSError(errno.EINVAL, "not on this file system", str(one), None, str(other))


@pytest.mark.parametrize("in_steps", [False, True])
def test_a_folder_is_the_old_or_the_new_one_wherever_the_disk_fails(
    tmp_path: Path, in_steps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_steps:
        monkeypatch.setattr("swathe.atomic.exchange", no_exchange)
    path = tmp_path / "folder"
    with disk() as account:
        fill(path)
    for number in range(len(account.calls) - 1):
        (path / "mark").write_bytes(OLD)
        with disk(number), suppress(StoreError):
            fill(path)
        assert len(names(tmp_path)) == 1, "one folder is left, at the worst the old one under its hidden name"
        left = next(tmp_path.iterdir())
        assert names(left) in (["inner", "mark", "other"], ["inner", "other"])
        assert in_steps or left == path
        left.rename(path)
    fill(path)
    assert names(tmp_path) == ["folder"]
    assert names(path) == ["inner", "other"]


def test_an_error_in_the_block_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    stack = ExitStack()
    stream = stack.enter_context(published_file(path, overwrite=True))
    stream.write(NEW)
    assert stack.__exit__(ValueError, ValueError("no"), None) is not True
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["file"]


KILLED = """
import os, signal, sys
from pathlib import Path
from swathe.atomic import published_file, published_folder
path = Path(sys.argv[1])
if sys.argv[2] == "file":
    with published_file(path, overwrite=True) as stream:
        stream.write(b"half")
        stream.flush()
        os.kill(os.getpid(), signal.SIGKILL)
with published_folder(path) as folder:
    (folder / "half").mkdir()
    (folder / "half" / "file").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_writer_takes_over_what_a_killed_one_left(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), kind], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    assert not path.exists()
    write(path) if kind == "file" else fill(path)
    assert names(tmp_path) == ["thing"]
    assert path.is_dir() or path.read_bytes() == NEW
    assert kind == "file" or names(path) == ["inner", "other"]


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with published_file(path, overwrite=True) as first, published_file(path, overwrite=True) as second:
        first.write(OLD)
        second.write(NEW)
    assert path.read_bytes() == OLD, "the outer block ends last"
    assert names(tmp_path) == ["file"]


def test_a_hidden_name_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(OLD)
    (tmp_path / ".file.swathe.tmp").symlink_to(secret)
    (tmp_path / ".folder.swathe.tmp").write_bytes(OLD)
    write(tmp_path / "file")
    fill(tmp_path / "folder")
    assert secret.read_bytes() == OLD
    assert names(tmp_path) == [".file.swathe.tmp", ".folder.swathe.tmp", "file", "folder", "secret"]


def test_a_folder_of_a_relative_name_appears_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with published_folder(Path("mine")) as folder:
        (folder / "below").mkdir()
        (folder / "below" / "a.txt").write_text("x")
    assert (tmp_path / "mine" / "below" / "a.txt").read_text() == "x"
