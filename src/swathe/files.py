"""Places where files lie, opened by address: folders on a local disk, object stores (S3), and HDFS.

Every write is whole or not at all, and doing it twice is doing it once. Names may hold slashes.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from swathe.atomic import TEMPORARY_SUFFIX, not_written, published_file
from swathe.errors import MissingExtraError, StoreError, UsageError

SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_ATTEMPTS = 3  # of a write into a folder that another process removes because it was empty
# Seconds between attempts to write a file in HDFS: a DataNode that was lost is named by the NameNode for some time.
_PAUSES = (0.5, 2.0, 5.0, 10.0)
_CHUNK = 8 << 20  # bytes that are handed to a client at once
_READ_AHEAD = 1 << 20  # bytes that one request to a server fetches
# What hdfs-native says of an error of a NameNode, which it gives with all places in the code.
_OF_NAME_NODE = re.compile(r'RPCError\("[^"]*", "(.+?)(?:\\n|"\)$)', re.DOTALL)


class Workspace(Protocol):
    """Named bytes."""

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write bytes under a name, in place of earlier ones.

        Args:
            name: The name.
            data: The bytes.

        Raises:
            StoreError: If they cannot be written; what was there before stays.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """Read bytes; None if there are none of this name.

        Args:
            name: Their name.

        Returns:
            The bytes.

        Raises:
            StoreError: If they cannot be read.
        """
        ...

    def names(self, prefix: str = "") -> frozenset[str]:
        """Return all names that begin with a prefix.

        Args:
            prefix: How the names begin; all if empty.

        Returns:
            The names.

        Raises:
            StoreError: If they cannot be listed.
        """
        ...

    def drop(self, names: Iterable[str]) -> None:
        """Remove names; those that are gone already are fine.

        Args:
            names: What to remove.

        Raises:
            StoreError: If one cannot be removed.
        """
        ...


class Folder(Workspace, Protocol):
    """A place where files lie."""

    @property
    def address(self) -> str:
        """Where it is: "/a/b", "s3://bucket/key", "hdfs://host:port/path"."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading any part of it.

        Args:
            name: The name.

        Returns:
            The file, seekable.

        Raises:
            FileNotFoundError: If there is none.
            StoreError: If it cannot be opened.
        """
        ...

    def folder(self, name: str) -> Folder:
        """Return a folder within this one; it need not exist."""
        ...


def open_folder(address: str | Path) -> Folder:
    """Open a place where files lie. Nothing need be there yet.

    Args:
        address: A path, or an address that begins with `file://`, `s3://` or `hdfs://`.

    Returns:
        The folder.

    Raises:
        UsageError: If nothing can be written to addresses of this kind.
        MissingExtraError: If its library is not installed.
    """
    text = os.fspath(address)
    scheme = SCHEME.match(text)
    if scheme is None or scheme[1].lower() == "file":
        return LocalFolder(str(Path(text if scheme is None else text[scheme.end() :]).absolute()))
    openers: dict[str, Callable[[str], Folder]] = {"s3": S3Folder, "hdfs": HdfsFolder}
    if scheme[1].lower() not in openers:
        raise UsageError(f"{text}: files are written to folders, s3:// and hdfs://, not to {scheme[0]}; name one")
    return openers[scheme[1].lower()](text.rstrip("/"))


def is_plain_http() -> bool:
    """Tell whether the endpoint of object stores (`AWS_ENDPOINT_URL`) is one without TLS, for tests and own servers."""
    return os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")


@dataclass(frozen=True)
class LocalFolder:
    """A folder on a disk; what is written is on it before its name is."""

    address: str

    def put(self, name: str, data: bytes | memoryview) -> None:
        """See `Workspace`."""
        for attempt in range(_ATTEMPTS):
            try:
                with published_file(self._made(name), overwrite=True) as stream:
                    stream.write(data)
                return
            except StoreError as error:
                if not isinstance(error.__cause__, FileNotFoundError) or attempt == _ATTEMPTS - 1:
                    raise

    def get(self, name: str) -> bytes | None:
        """See `Workspace`."""
        with _named(self.address, name, "read"), suppress(FileNotFoundError, NotADirectoryError):
            return (Path(self.address) / name).read_bytes()
        return None

    def names(self, prefix: str = "") -> frozenset[str]:
        """See `Workspace`."""
        root = self.address
        walked = os.walk(Path(root) / prefix.rpartition("/")[0])
        paths = (f"{parent}/{name}" for parent, _, files in walked for name in files if not _is_temporary(name))
        return frozenset(name for path in paths if (name := os.path.relpath(path, root)).startswith(prefix))

    def drop(self, names: Iterable[str]) -> None:
        """See `Workspace`. Folders that hold nothing else than leftovers of killed processes go, too."""
        root, parents = Path(self.address), set[Path]()
        for name in names:
            with _named(self.address, name, "removed"), suppress(FileNotFoundError, NotADirectoryError):
                (root / name).unlink()
                parents.update(parent for parent in (root / name).parents if parent.is_relative_to(root))
        for parent in sorted(parents, reverse=True):
            for leftover in parent.glob(f".*{TEMPORARY_SUFFIX}"):
                leftover.unlink(missing_ok=True)  # whoever is writing it begins again
            with suppress(OSError):  # it is not empty
                parent.rmdir()

    def open(self, name: str) -> BinaryIO:
        """See `Folder`."""
        with _named(self.address, name, "read"):
            return (Path(self.address) / name).open("rb")

    def folder(self, name: str) -> LocalFolder:
        """See `Folder`."""
        return LocalFolder(f"{self.address}/{name}")

    def _made(self, name: str) -> Path:
        """Return the path of a name, in a folder that exists."""
        path = Path(self.address) / name
        with _named(self.address, name, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True)
class S3Folder:
    """A prefix in a bucket; keys, region and endpoint come from the environment (`AWS_...`)."""

    address: str

    def put(self, name: str, data: bytes | memoryview) -> None:
        """See `Workspace`."""
        with self._client(name, "written") as (obstore, store):
            obstore.put(store, name, data)

    def get(self, name: str) -> bytes | None:
        """See `Workspace`."""
        with self._client(name, "read") as (obstore, store), suppress(FileNotFoundError):
            return bytes(obstore.get(store, name).bytes())
        return None

    def names(self, prefix: str = "") -> frozenset[str]:
        """See `Workspace`."""
        with self._client(prefix, "listed") as (obstore, store):
            pages = list(obstore.list(store, prefix=prefix.rpartition("/")[0] or None))
        return frozenset(name for page in pages for entry in page if (name := str(entry["path"])).startswith(prefix))

    def drop(self, names: Iterable[str]) -> None:
        """See `Workspace`."""
        for name in names:
            with self._client(name, "removed") as (obstore, store), suppress(FileNotFoundError):
                obstore.delete(store, name)

    def open(self, name: str) -> BinaryIO:
        """See `Folder`."""
        with self._client(name, "read") as (obstore, store):
            size = obstore.head(store, name)["size"]

        def fetch(start: int, length: int) -> bytes:
            with self._client(name, "read") as (obstore, store):
                return bytes(obstore.get_range(store, name, start=start, length=length))

        return _buffered(size, fetch)

    def folder(self, name: str) -> S3Folder:
        """See `Folder`."""
        return S3Folder(f"{self.address}/{name}")

    @contextmanager
    def _client(self, name: str, done: str) -> Iterator[tuple[Any, Any]]:
        """Yield the library and a store at the address, and name the object in their errors."""
        obstore = _library("obstore", "s3", self.address)
        with _named(self.address, name, done, obstore.exceptions.BaseError):
            yield obstore, self._store

    @cached_property
    def _store(self) -> Any:
        from obstore.store import S3Store

        return S3Store.from_url(self.address, client_options={"allow_http": is_plain_http()})


@dataclass(frozen=True)
class HdfsFolder:
    """A folder in HDFS; what a NameNode's address does not say comes from the files in `HADOOP_CONF_DIR`."""

    address: str

    def put(self, name: str, data: bytes | memoryview) -> None:
        """See `Workspace`."""
        path = self._path(name)
        parent, _, last = path.rpartition("/")
        temporary = f"{parent}/.{last[:60]}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}"
        with _named(self.address, name, "written", RuntimeError):
            self._hdfs.mkdirs(parent, create_parent=True)
            for pause in (*_PAUSES, None):  # a server that has just gone is named to writers for a while
                try:
                    self._write(temporary, data)
                    break
                except (RuntimeError, ConnectionError):
                    if pause is None:
                        raise
                    time.sleep(pause)
            self._hdfs.rename(temporary, path, overwrite=True)

    def get(self, name: str) -> bytes | None:
        """See `Workspace`."""
        with _named(self.address, name, "read", RuntimeError), suppress(FileNotFoundError):
            return bytes(self._hdfs.read(self._path(name)).read())
        return None

    def names(self, prefix: str = "") -> frozenset[str]:
        """See `Workspace`."""
        parent, root = self._path(prefix.rpartition("/")[0]), self._path("")
        with _named(self.address, prefix, "listed", RuntimeError), suppress(FileNotFoundError):
            paths = [entry.path for entry in self._hdfs.list_status(parent, recursive=True) if not entry.isdir]
            names = (path[path.index(root) + len(root) :].lstrip("/") for path in paths)
            return frozenset(name for name in names if name.startswith(prefix) and not _is_temporary(name))
        return frozenset()

    def drop(self, names: Iterable[str]) -> None:
        """See `Workspace`."""
        for name in names:
            with _named(self.address, name, "removed", RuntimeError), suppress(FileNotFoundError):
                self._hdfs.delete(self._path(name))

    def open(self, name: str) -> BinaryIO:
        """See `Folder`."""
        with _named(self.address, name, "read", RuntimeError):
            reader = self._hdfs.read(self._path(name))

        def fetch(start: int, length: int) -> bytes:
            with _named(self.address, name, "read", RuntimeError):
                return bytes(reader.read_range(start, length))

        return _buffered(len(reader), fetch)

    def folder(self, name: str) -> HdfsFolder:
        """See `Folder`."""
        return HdfsFolder(f"{self.address}/{name}")

    def _write(self, path: str, data: bytes | memoryview) -> None:
        """Write a file, in place of what an attempt has left."""
        options = _library("hdfs_native", "hdfs", self.address).WriteOptions(overwrite=True)
        with self._hdfs.create(path, options) as stream:
            for start in range(0, len(data), _CHUNK):  # the client copies what it is given
                stream.write(data[start : start + _CHUNK])

    def _path(self, name: str) -> str:
        """Return the path of a name on the server."""
        return "/" + "/".join(filter(None, [*urlsplit(self.address).path.split("/"), *name.split("/")]))

    @cached_property
    def _hdfs(self) -> Any:
        parts = urlsplit(self.address)
        return _library("hdfs_native", "hdfs", self.address).Client(f"hdfs://{parts.netloc}" if parts.netloc else None)


class _Ranges(io.RawIOBase):
    """A file whose bytes are fetched from a server."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self._size, self._fetch, self._place = size, fetch, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted from the beginning, from here or from the end."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is, and the buffer holds."""
        length = max(0, min(len(buffer), self._size - self._place))
        if length:
            buffer[:length] = self._fetch(self._place, length)
            self._place += length
        return length


def _buffered(size: int, fetch: Callable[[int, int], bytes]) -> BinaryIO:
    """Return a file whose bytes are fetched in large ranges."""
    return io.BufferedReader(_Ranges(size, fetch), _READ_AHEAD)


@contextmanager
def _named(
    address: str,
    name: str,
    done: str,
    *kinds: type[Exception],
    keep: type[Exception] = FileNotFoundError,
) -> Iterator[None]:
    """Name the file in errors of the system or of a client."""
    errors: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except errors as error:
        if isinstance(error, FileNotFoundError | keep):
            raise
        if done == "written" and isinstance(error, OSError) and SCHEME.match(address) is None:
            raise StoreError(not_written(Path(f"{address}/{name}"), error)) from error
        raise StoreError(
            f"{address}/{name} cannot be {done} ({reason_of(error)}); check address, rights, free space and connection"
        ) from error


def reason_of(error: Exception) -> str:
    """Return the line of an error of the system or of a client that says what happened.

    Args:
        error: What was caught.

    Returns:
        One line, without the places in the code of a server.
    """
    line: str = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
    said = _OF_NAME_NODE.match(line)
    return said[1] if said else line


def _library(name: str, extra: str, address: str) -> Any:
    """Import the client of a kind of addresses."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"{address}: ", library=name, extra=extra) from error


def _is_temporary(name: str) -> bool:
    """Tell whether a name, or the last part of one, is that of a file that is being written."""
    last = name.rpartition("/")[2]
    return last.startswith(".") and last.endswith(TEMPORARY_SUFFIX)
