"""A Delta table whose files we write ourselves: its log tells, in one step for all readers, which files are live."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from swathe.atomic import way_out
from swathe.errors import StoreError
from swathe.files import is_plain_http

if TYPE_CHECKING:
    from deltalake import DeltaTable

_ATTEMPTS = 60  # of a commit that others are faster than; the last ones wait for seconds
_IDLE_ATTEMPTS = 3
_LONGEST_WAIT = 2.0  # seconds
_SYSTEM_ERROR = re.compile(r"(?:os error |Os \{ code: )(\d+)")  # as the library writes it


@dataclass(frozen=True)
class LiveFile:
    """A file that a commit adds."""

    path: str  # relative to the table; letters, digits, "-", "_", "." and "/"
    size: int  # bytes
    rows: int
    partition: Mapping[str, str]  # values of the partition columns
    statistics: Mapping[str, Any]  # minValues and maxValues of columns, as Delta has them


@dataclass(frozen=True)
class Log:
    """The log of a table, opened when it is first asked."""

    address: str  # of the table's folder
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()

    def create(self) -> None:
        """Make the table, if there is none.

        Raises:
            StoreError: If it cannot be made.
        """
        from deltalake import DeltaTable, Schema

        with self._named():
            DeltaTable.create(
                self.address,
                schema=Schema.from_arrow(self.schema),
                mode="ignore",
                partition_by=list(self.partition_by),
                storage_options=self._options,
            )

    def files(self) -> frozenset[str]:
        """Return the files that are live now, relative to the table.

        Returns:
            Their paths.

        Raises:
            StoreError: If the log is missing, damaged, or cannot be reached.
        """
        with self._named():
            self._table.update_incremental()
            return self._live()

    def change(self, decide: Callable[[frozenset[str]], tuple[Collection[LiveFile], Collection[str]] | None]) -> None:
        """Add and remove files in one commit; what others have committed meanwhile is looked at first.

        Args:
            decide: Gets the files that are live, and returns those to add and those to remove; None changes nothing.

        Raises:
            StoreError: If it cannot be written.
        """
        from deltalake.exceptions import CommitFailedError

        version, idle = -1, 0  # attempts that failed although nobody else had committed
        for attempt in range(_ATTEMPTS):
            live = self.files()
            idle = idle + 1 if self._table.version() == version else 0
            version = self._table.version()
            decided = decide(live)
            if decided is None:
                return
            try:
                with self._named():
                    self._commit(decided[0], live.intersection(decided[1]) - {file.path for file in decided[0]})
                    return
            except StoreError as error:
                if not isinstance(error.__cause__, CommitFailedError) or idle == _IDLE_ATTEMPTS:
                    raise
            time.sleep(random.uniform(0.0, min(_LONGEST_WAIT, 0.01 * 2**attempt)))
        raise StoreError(
            f"{self.address} cannot be changed: others are faster all the time; run the same command again"
        )

    def vacuum(self, hours: int, *, is_trial: bool = False) -> list[str]:
        """Delete files that are not live, and have not been for some time.

        Args:
            hours: How old they must be.
            is_trial: Only tell which ones.

        Returns:
            The files, relative to the table.

        Raises:
            StoreError: If they cannot be deleted.
        """
        with self._named():
            self._table.update_incremental()
            return self._table.vacuum(hours, dry_run=is_trial, enforce_retention_duration=False, full=True)

    def _commit(self, added: Collection[LiveFile], removed: Collection[str]) -> None:
        """Write one commit, or fail if another one came first."""
        from deltalake import CommitProperties, Schema
        from deltalake.transaction import AddAction, RemoveAction

        now, actions = int(time.time() * 1000), list[Any]()
        for file in added:
            statistics = json.dumps({"numRecords": file.rows, **file.statistics})
            actions.append(AddAction(file.path, file.size, file.partition, now, True, statistics))
        actions += [RemoveAction(path, True, now, None, self._partitions.get(path)) for path in sorted(removed)]
        if actions:
            self._table.create_write_transaction(
                actions,
                mode="append",
                schema=Schema.from_arrow(self.schema),
                partition_by=list(self.partition_by),
                commit_properties=CommitProperties(max_commit_retries=0),
            )

    def _live(self) -> frozenset[str]:
        """Read the live files from the log that is in memory."""
        actions = pa.table(self._table.get_add_actions(flatten=True))
        paths = actions.column("path").to_pylist()
        columns = [actions.column(f"partition.{name}").to_pylist() for name in self.partition_by]
        self._partitions.clear()
        for path, *values in zip(paths, *columns, strict=True):
            self._partitions[path] = dict(zip(self.partition_by, values, strict=True))
        return frozenset(paths)

    @cached_property
    def _partitions(self) -> dict[str, dict[str, str | None]]:
        """Partition values of the live files."""
        return {}

    @cached_property
    def _table(self) -> DeltaTable:
        from deltalake import DeltaTable

        return DeltaTable(self.address, storage_options=self._options)

    @property
    def _options(self) -> dict[str, str]:
        return {"AWS_ALLOW_HTTP": "true"} if is_plain_http() else {}

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the table in errors of the library."""
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            yield
        except (DeltaError, OSError, ValueError, pa.ArrowException) as error:
            told = _SYSTEM_ERROR.search(str(error))
            if isinstance(error, TableNotFoundError) and told is None:
                raise StoreError(f"{self.address} is missing: the store is damaged; restore it") from error
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            advice = "check rights, free space and connection, or restore it"
            if told is not None:
                reason, advice = os.strerror(int(told[1])), way_out(int(told[1]))
            raise StoreError(f"the table {self.address} cannot be read or changed ({reason}): {advice}") from error
