"""Calls of HBase's Thrift server that outlive its restarts and the moves of regions."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from swathe.errors import MissingExtraError, StoreError

PATIENCE = 120.0  # seconds that a call is tried again; regions that move were seen to pause for 27
FIRST_PATIENCE = 3.0  # seconds, before the server has ever answered: an address that is wrong is told soon
SOCKET_SECONDS = 90  # a write waits inside of the server while its region moves
PAUSES = (0.1, 0.3, 1.0, 2.0, 3.0)  # seconds between attempts, the last one again and again
PAGE_ROWS = 500  # that one answer of a scan holds; rows of detections take up to 90 kB
PAGE_KEYS = 10_000
# What is said of mistakes, which no waiting mends.
FINAL = (
    "Internal error",
    "TableNotFoundException",
    "TableExistsException",
    "NoSuchColumnFamilyException",
    "IllegalArgument",
)


@cache
def interface() -> Any:
    """Return the structures and the service of the interface.

    Returns:
        The module that thriftpy2 makes of the interface.

    Raises:
        MissingExtraError: If thriftpy2 is not installed.
    """
    try:
        import thriftpy2
    except ImportError as error:
        raise MissingExtraError(library="thriftpy2", extra="hbase") from error
    return thriftpy2.load(str(Path(__file__).with_name("hbase.thrift")), module_name="swathe_hbase_thrift")


class Client:
    """Connections to one Thrift server, opened as they are needed; may be used by several threads."""

    def __init__(self, host: str, port: int) -> None:
        """Take the server's address; nothing is connected yet."""
        self.host, self.port = host, port
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answered = False

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method, again if the connection breaks or the region is not there; all that is called bears that.

        Args:
            method: Its name.
            *arguments: What it is given.

        Returns:
            Its answer.

        Raises:
            StoreError: If there is none in time, or HBase refuses what is asked.
        """
        end = time.monotonic() + (PATIENCE if self._answered else FIRST_PATIENCE)
        for attempt in range(10**6):
            try:
                with self._connection() as connection:
                    answer = getattr(connection, method)(*arguments)
            except self._errors as error:
                reason = _reason(error)
                if time.monotonic() > end or any(name in reason for name in FINAL):
                    raise StoreError(
                        f"HBase at {self.host}:{self.port} does not answer ({reason}); check that its Thrift server "
                        "(version 2) and its region servers run, and run the same command again"
                    ) from error
                time.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            else:
                self._answered = True
                return answer
        raise StoreError(f"HBase at {self.host}:{self.port} does not answer")

    def rows(
        self, table: bytes, start: bytes, stop: bytes, *, columns: Any = None, keys_only: bool = False
    ) -> Iterator[Sequence[Any]]:
        """Yield the rows of a range of keys; each page is asked for on its own, so that a scan goes on anywhere.

        Args:
            table: Name of the table.
            start: First key.
            stop: Key after the last, b"" for the end of the table.
            columns: Columns that are wanted; None for all.
            keys_only: Whether values are left out.

        Yields:
            Pages of results.

        Raises:
            StoreError: If HBase does not answer.
        """
        filters, most = (b"KeyOnlyFilter()", PAGE_KEYS) if keys_only else (None, PAGE_ROWS)
        while True:
            scan = interface().TScan(
                startRow=start,
                stopRow=stop,
                columns=columns,
                caching=most,
                filterString=filters,
                cacheBlocks=not keys_only,
            )
            page = self.call("getScannerResults", table, scan, most)
            if page:
                yield page
            if len(page) < most:
                return
            start = page[-1].row + b"\0"

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """Lend a connection; one that broke is not used again."""
        from thriftpy2.rpc import make_client

        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = make_client(interface().THBaseService, self.host, self.port, timeout=SOCKET_SECONDS * 1000)
        try:
            yield connection
        except interface().TIOError:
            self._idle.put(connection)  # an answer like any other
            raise
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        from thriftpy2.thrift import TException

        return (TException, OSError, EOFError)


def _reason(error: Exception) -> str:
    """Return the first line of what a server or the system says."""
    text = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[0][:300]
