"""What every workspace must do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from swathe.files import Workspace


class WorkspaceSuite:
    """Subclass it, and override the fixture `workspace`."""

    @pytest.fixture
    def workspace(self) -> Workspace:
        """An empty workspace."""
        raise NotImplementedError

    def test_nothing_is_there_at_first(self, workspace: Workspace) -> None:
        assert workspace.names() == frozenset()
        assert workspace.get("scene/part-0") is None

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4096])
    def test_bytes_come_back(self, workspace: Workspace, data: bytes) -> None:
        workspace.put("scene/part-0", data)
        assert workspace.get("scene/part-0") == data
        assert workspace.names() == {"scene/part-0"}

    def test_the_last_write_counts_and_twice_is_once(self, workspace: Workspace) -> None:
        for data in (b"first", b"second", b"second"):
            workspace.put("record", data)
        assert workspace.get("record") == b"second"
        assert workspace.names() == {"record"}

    def test_names_by_their_beginning(self, workspace: Workspace) -> None:
        names = {"one/part-0", "one/part-1", "other/part-0", "one-more/written"}
        for name in names:
            workspace.put(name, name.encode())
        assert workspace.names() == names
        assert workspace.names("one/") == {"one/part-0", "one/part-1"}
        assert workspace.names("one") == {"one/part-0", "one/part-1", "one-more/written"}
        assert workspace.names("nothing/") == frozenset()

    def test_what_is_dropped_is_gone_and_may_be_dropped_again(self, workspace: Workspace) -> None:
        for name in ("one/part-0", "one/part-1", "one/written"):
            workspace.put(name, b"data")
        for _ in range(2):
            workspace.drop(["one/part-0", "one/written", "never/there"])
            assert workspace.names() == {"one/part-1"}
        workspace.put("one/part-0", b"again")
        assert workspace.get("one/part-0") == b"again"

    def test_a_reader_sees_one_of_two_writes_and_no_mixture(self, workspace: Workspace) -> None:
        contents = [bytes([number]) * 200_000 for number in range(4)]
        workspace.put("scene/part", contents[0])
        with ThreadPoolExecutor(4) as threads:
            writes = [threads.submit(workspace.put, "scene/part", content) for content in contents * 4]
            while not all(write.done() for write in writes):
                assert workspace.get("scene/part") in contents
        for write in writes:
            write.result()
        assert workspace.get("scene/part") in contents
        assert workspace.names() == {"scene/part"}
