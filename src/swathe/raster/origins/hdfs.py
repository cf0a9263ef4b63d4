"""The file system of a Hadoop cluster: `hdfs://host:port/path`, or `hdfs:///path` for the cluster's own default.

The client is hdfs-native, which speaks to the cluster without Java; it takes its settings from HADOOP_CONF_DIR. GDAL is
given it as a file system of its own, see `vsi.install`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from swathe.errors import SourceError
from swathe.files import reason_of
from swathe.raster import vsi
from swathe.raster.origins.listing import expand_address
from swathe.raster.origins.protocol import Fingerprint

if TYPE_CHECKING:
    from hdfs_native import Client

ATTEMPTS = 4  # to reach a NameNode, 13 seconds in all
SLOW_SECONDS = 2.0  # of a read: less than the client waits for a DataNode, more than a busy one takes
NANOSECONDS = 1_000_000  # in a millisecond


class Files(Protocol):
    """A client, as far as it is used here."""

    def get_file_info(self, path: str) -> Any:
        """Return `isdir`, `length` in bytes and `modification_time` in milliseconds of a file."""
        ...

    def list_status(self, path: str, recursive: bool = False) -> Iterable[Any]:
        """Return the same and `path` for all below a folder."""
        ...

    def read(self, path: str) -> vsi.Ranges:
        """Open a file."""
        ...


class _File:
    """A file that is opened again after a slow read: the NameNode then names a DataNode that hangs last."""

    def __init__(self, client: Files, path: str) -> None:
        self._client, self._path = client, path
        self._file = client.read(path)

    def __len__(self) -> int:
        """Return the length in bytes."""
        return len(self._file)

    def read_range(self, offset: int, len: int) -> bytes:  # noqa: A002 - hdfs-native's
        """Read a part."""
        start = time.monotonic()
        data = self._file.read_range(offset, len)
        if time.monotonic() - start > SLOW_SECONDS:
            self._file = self._client.read(self._path)
        return data


class Hdfs:
    """A cluster's file system."""

    scheme = "hdfs://"
    prefix = "/vsihdfsnative/"  # of names for GDAL

    def expand(self, source: str) -> Iterable[str]:
        """Take one file, all rasters below a folder, or those that match a pattern."""
        return expand_address(source, self._names_below)

    def gdal_path(self, uri: str) -> str:
        """Return the name in the file system that GDAL is given."""
        return self.prefix + uri[len(self.scheme) :]

    def name_parts(self, uri: str) -> tuple[str, ...]:
        """Return host, folders and name."""
        host, _, path = uri[len(self.scheme) :].partition("/")
        return (host, *(part for part in path.split("/") if part))

    def fingerprint(self, uri: str) -> Fingerprint:
        """Ask the NameNode for the length and the time of last change."""
        client, path = self._client_and_path(uri)
        _give_to_gdal(self)
        try:
            status = client.get_file_info(path)
        except Exception as error:
            raise SourceError(self._explained(uri, error)) from error
        if status.isdir:
            raise SourceError(f"{uri}: is a folder; end it with / to take the images in it")
        if status.length == 0:
            raise SourceError(f"{uri}: is empty; put it there again")
        return status.length, status.modification_time * NANOSECONDS

    def redacted(self, uri: str) -> str:
        """Return the address: it holds no secrets."""
        return uri

    def unopened(self, uri: str, _reason: str, /) -> str | None:
        """Ask again whether the file is there; if it is, its content is to blame."""
        try:
            self.fingerprint(uri)
        except SourceError as error:
            return str(error)
        return None

    def unread(self, uri: str, reason: str, /) -> str:
        """Tell a cluster that does not answer from a file that is damaged."""
        return self.unopened(uri, reason) or (
            f"{uri}: {reason}; if a DataNode was lost, run the same command again, what is done is kept; if it fails "
            "at the same place, the file is damaged there"
        )

    def connect(self, host: str, /) -> Files:
        """Return a client; raises `SourceError` if there is none for this address."""
        return _client(host)

    def open(self, name: str, /) -> vsi.Ranges:
        """Open a file by its name without the scheme, for GDAL."""
        client, path = self._client_and_path(self.scheme + name)
        return _File(client, path)

    def _client_and_path(self, uri: str) -> tuple[Files, str]:
        host, _, path = uri[len(self.scheme) :].partition("/")
        return self.connect(host), f"/{path}"

    def _names_below(self, folder: str) -> Iterator[str]:
        client, path = self._client_and_path(folder)
        start = folder.removesuffix(path)
        try:
            for status in client.list_status(path, recursive=True):
                if not status.isdir:
                    # Names are given with or without the cluster's address in front.
                    yield start + (urlsplit(status.path).path if "://" in status.path else status.path)
        except Exception as error:
            raise SourceError(self._explained(folder, error)) from error

    def _explained(self, uri: str, error: Exception) -> str:
        """Say in words why a cluster gives no answer, and what to do."""
        if isinstance(error, FileNotFoundError):
            return f"{uri}: does not exist; check the address"
        if isinstance(error, PermissionError):
            return f"{uri}: may not be read ({reason_of(error)}); ask its owner, or set HADOOP_USER_NAME to who may"
        return (
            f"{uri}: the cluster does not answer ({reason_of(error)}); check host and port, or HADOOP_CONF_DIR, and "
            "run the same command again, what is done is kept"
        )


@cache
def _client(host: str) -> Client:
    address = f"{Hdfs.scheme}{host}"
    try:
        from hdfs_native import Client
    except ImportError as error:
        raise SourceError(
            f"{address}: needs the library hdfs-native; `pip install 'swathe[hdfs]'` brings it"
        ) from error
    try:
        # An address with a port names one NameNode, for which the client would wait three minutes if it is gone.
        config = {"dfs.client.failover.max.attempts": str(ATTEMPTS)} if ":" in host else None
        return Client(address if host else None, config)
    except Exception as error:
        raise SourceError(
            f"{address}: is not an address of a cluster ({error}); give host and port, or set HADOOP_CONF_DIR"
        ) from error


@cache
def _give_to_gdal(origin: Hdfs) -> None:
    """Let GDAL read from clusters, once for each process and kind of client."""
    vsi.install(origin.prefix, origin.open)
