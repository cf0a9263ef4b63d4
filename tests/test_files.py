"""Folders on disk, on S3 and in HDFS behave alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swathe.errors import StoreError, UsageError
from swathe.files import Folder, open_folder, reason_of
from swathe.testing.suites.workspace import WorkspaceSuite

NAMES = ("a", "b/part-1-0-10", "b/part-1-10-5", "bb/c d/é%20\U0001f600")


@pytest.fixture(params=["disk", "s3", "hdfs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "disk":
        return open_folder(tmp_path / "not yet there")
    place = request.getfixturevalue("bucket") if request.param == "s3" else request.getfixturevalue("hdfs").address
    return open_folder(f"{place}/{request.node.name}")


def test_what_is_put_comes_back(folder):
    for number, name in enumerate(NAMES):
        folder.put(name, b"x")
        folder.put(name, bytes([number]) * 1000)
        folder.put(name, bytes([number]) * 1000)
    assert [folder.get(name) for name in NAMES] == [bytes([number]) * 1000 for number in range(len(NAMES))]
    assert folder.names() == set(NAMES)
    assert folder.names("b/part-1-1") == {NAMES[2]}
    assert folder.names("b") == set(NAMES[1:])
    assert folder.folder("b").names() == {"part-1-0-10", "part-1-10-5"}
    assert folder.folder("b").get("part-1-0-10") == b"\1" * 1000


def test_nothing_is_there_at_first(folder):
    assert folder.get("a") is None
    assert folder.get("a/b") is None
    assert folder.names() == folder.names("a/b") == frozenset()
    folder.drop(["a", "b/c"])
    with pytest.raises(FileNotFoundError):
        folder.open("a").read(1)


class TestWorkspace(WorkspaceSuite):
    @pytest.fixture
    def workspace(self, folder):
        return folder.folder("work/run")


def test_any_part_of_a_file_is_read(folder):
    data = os.urandom(3_000_000)
    folder.put("a", data)
    with folder.open("a") as stream:
        for start, size in ((2_900_000, 200_000), (0, 10), (1_048_570, 20)):
            stream.seek(start)
            assert bytes(stream.read(size)) == data[start : start + size]
        assert stream.seekable()


def test_leftovers_of_killed_processes_go_with_what_they_lay_beside(tmp_path):
    folder = open_folder(tmp_path / "work")
    folder.put("a/b", b"")
    (tmp_path / "work" / "a" / ".c.swathe.tmp").write_bytes(b"half")
    assert folder.names() == {"a/b"}
    folder.drop(["a/b"])
    assert not (tmp_path / "work").exists()


def test_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_folder("y").address == open_folder(f"file://{tmp_path}/y").address == str(tmp_path / "y")
    assert open_folder("s3://bucket/a/").folder("b").address == "s3://bucket/a/b"
    assert open_folder("hdfs://host:9000/a/").folder("b/c").address == "hdfs://host:9000/a/b/c"
    with pytest.raises(UsageError, match="s3:// and hdfs://"):
        open_folder("https://example.org/a")


def test_errors_name_the_file(tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StoreError, match="taken"):
        open_folder(tmp_path / "taken").put("a", b"")


def test_a_name_node_is_quoted_without_the_places_in_its_code():
    said = r'RPCError("org.apache.SafeModeException", "Name node is in safe mode.\nUse \"hdfs\" ...\n\tat a.B(B:1)\n")'
    assert reason_of(RuntimeError(said)) == "Name node is in safe mode."
    assert reason_of(RuntimeError('RPCError("a.B", "no room")')) == "no room"
    assert reason_of(RuntimeError("broken")) == "broken"
    assert reason_of(RuntimeError()) == "RuntimeError"
    assert reason_of(FileNotFoundError(2, "not there")) == "not there"
