"""The file system of a Hadoop cluster over HTTP: `webhdfs://host:port/path`, the NameNode's HTTP address.

The client is PyHDFS. It gets through where only HTTP does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

from swathe.errors import SourceError
from swathe.raster.origins.hdfs import Hdfs

ATTEMPTS = 3  # of each request; the NameNode names another DataNode when one is lost
SECONDS = 20.0  # that a server may be silent
PAUSE = 1.0  # seconds between attempts to reach the NameNode
Answer = TypeVar("Answer")


class WebHdfs(Hdfs):
    """A cluster's file system over HTTP."""

    scheme = "webhdfs://"
    prefix = "/vsiwebhdfspyhdfs/"

    def connect(self, host: str, /) -> _Client:
        """Return a client."""
        return _client(host)


class Status(NamedTuple):
    """What is known of a file."""

    path: str
    isdir: bool
    length: int  # bytes
    modification_time: int  # milliseconds


@dataclass(frozen=True)
class _Client:
    """PyHDFS with the calls of hdfs-native."""

    pyhdfs: Any  # PyHDFS's client

    def get_file_info(self, path: str) -> Status:
        """Ask for a file."""
        return _status(path, self._asked(partial(self.pyhdfs.get_file_status, path)))

    def list_status(self, path: str, recursive: bool = False) -> Iterable[Status]:
        """Ask for what lies in a folder, and in those below."""
        parent = path.rstrip("/")
        for found in self._asked(partial(self.pyhdfs.list_status, path)):
            status = _status(f"{parent}/{found.pathSuffix}", found)
            yield status
            if status.isdir and recursive:
                yield from self.list_status(status.path, recursive)

    def read(self, path: str) -> _File:
        """Open a file; nothing is read yet."""
        return _File(self, path, self.get_file_info(path).length)

    def part(self, path: str, offset: int, length: int) -> bytes:
        """Read a part of a file."""
        return self._asked(lambda: _whole(self.pyhdfs.open(path, offset=offset, length=length), length))

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, again if the connection breaks, and say what is wrong in Python's errors."""
        import pyhdfs
        import requests
        import urllib3

        left = ATTEMPTS
        while True:
            left -= 1
            try:
                return ask()
            except pyhdfs.HdfsFileNotFoundException as error:
                raise FileNotFoundError(str(error)) from error
            except pyhdfs.HdfsAccessControlException as error:
                raise PermissionError(str(error)) from error
            except (pyhdfs.HdfsException, requests.RequestException, urllib3.exceptions.HTTPError, OSError):
                if not left:
                    raise


@dataclass(frozen=True)
class _File:
    """A file of which any part can be read."""

    client: _Client
    path: str
    length: int  # bytes

    def __len__(self) -> int:
        """Return the length."""
        return self.length

    def read_range(self, offset: int, len: int) -> bytes:  # noqa: A002 - hdfs-native's
        """Read a part."""
        return self.client.part(self.path, offset, len)


@cache
def _client(host: str) -> _Client:
    try:
        import pyhdfs
        import requests
    except ImportError as error:
        raise SourceError(
            f"{WebHdfs.scheme}{host}: needs the library PyHDFS; `pip install 'swathe[webhdfs]'` brings it"
        ) from error
    if not host:
        raise SourceError(f"{WebHdfs.scheme}: names no NameNode; give host and port of its HTTP address")

    class Session(requests.Session):
        """Connections that are kept, and that do not wait for ever."""

        def request(self, *arguments: Any, **options: Any) -> requests.Response:
            return super().request(*arguments, **{**options, "timeout": options.get("timeout") or SECONDS})

    return _Client(pyhdfs.HdfsClient(host, requests_session=Session(), timeout=SECONDS, retry_delay=PAUSE))


def _status(path: str, found: Any) -> Status:
    return Status(path, found.type == "DIRECTORY", found.length, found.modificationTime)


def _whole(answer: Any, length: int) -> bytes:
    """Read an answer; raise `OSError` if the server breaks off."""
    data: bytes = answer.read()
    answer.release_conn()
    if len(data) != length:
        raise OSError(f"{len(data)} of {length} bytes came")
    return data
