"""The workspace of a run in HBase: one row for each name, in columns that no request is too large for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swathe.errors import StoreError
from swathe.store.hbase.client import Client, interface

FAMILY, COUNT = b"w", b"n"
CHUNK = 4 << 20  # bytes of a cell; HBase takes up to 10 MB
LARGEST = 64 << 20  # bytes under one name: the Thrift server takes messages of 100 MB


@dataclass(frozen=True)
class HBaseWorkspace:
    """Named bytes in a table; see `swathe.files.Workspace`."""

    client: Client
    table: bytes
    run: str

    def put(self, name: str, data: bytes | memoryview) -> None:
        """See `Workspace`."""
        if len(data) > LARGEST:
            raise StoreError(
                f"{name}: {len(data):,} bytes are too much for one row of HBase; make the store with "
                "work=hdfs://... for a workspace of files"
            )
        hbase = interface()
        chunks = [bytes(data[start : start + CHUNK]) for start in range(0, len(data), CHUNK)]
        cells = {COUNT: str(len(chunks)).encode(), **{b"%04d" % number: chunk for number, chunk in enumerate(chunks)}}
        values = [hbase.TColumnValue(family=FAMILY, qualifier=key, value=value) for key, value in cells.items()]
        self.client.call("putMultiple", self.table, [hbase.TPut(row=self._key(name), columnValues=values)])

    def get(self, name: str) -> bytes | None:
        """See `Workspace`."""
        result = self.client.call("get", self.table, interface().TGet(row=self._key(name)))
        cells = {cell.qualifier: cell.value for cell in result.columnValues}
        if COUNT not in cells:
            return None
        return b"".join(cells[b"%04d" % number] for number in range(int(cells[COUNT])))

    def names(self, prefix: str = "") -> frozenset[str]:
        """See `Workspace`."""
        first, start = self._key(""), self._key(prefix)
        column = [interface().TColumn(family=FAMILY, qualifier=COUNT)]
        pages = self.client.rows(self.table, start, start + b"\xff", columns=column)
        return frozenset(result.row[len(first) :].decode() for page in pages for result in page)

    def drop(self, names: Iterable[str]) -> None:
        """See `Workspace`."""
        deletes = [interface().TDelete(row=self._key(name)) for name in names]
        if deletes:
            self.client.call("deleteMultiple", self.table, deletes)

    def _key(self, name: str) -> bytes:
        return self.run.encode() + b"\0" + name.encode()
