"""The store in HBase, for clusters: `hbase://host:port/table`, through HBase's Thrift server (version 2)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from swathe.errors import StoreError, UsageError
from swathe.store.hbase.catalogue import FACTS, SCENES, SETTINGS, Catalogue
from swathe.store.hbase.client import Client, interface
from swathe.store.hbase.coding import FAMILY
from swathe.store.hbase.store import HBaseStore, Settings, catalogue_table, work_table
from swathe.store.hbase.workspace import FAMILY as WORK_FAMILY

PORT = 9090
MOST_SHARDS = 256
VERSION = Settings.version


def open_hbase(address: str, *, create: bool = False) -> HBaseStore:
    """Open a store in HBase.

    Args:
        address: `hbase://host:port/table`. Where the store is made, settings may follow a question mark: `shards`
            (parts of the table, 8), `ttl` (seconds after which HBase drops detections), `compression` (GZ, ...), and
            `work` (address of a folder for unfinished work).
        create: Whether to make the tables where they are not there.

    Returns:
        The store.

    Raises:
        UsageError: If the address names no table, or a setting that there is not.
        StoreError: If there is no such store, or HBase does not answer.
        MissingExtraError: If thriftpy2 is not installed.
    """
    parts = urlsplit(address)
    name = parts.path.strip("/")
    if parts.hostname is None or not name or "/" in name:
        raise UsageError(f"{address}: must be hbase://host:port/table")
    settings = _settings(parts.query, address)
    client = Client(parts.hostname, parts.port or PORT)
    catalogue = Catalogue(client, catalogue_table(name), None)
    if not client.call("tableExists", _table_name(catalogue_table(name))):
        if not create:
            raise StoreError(f"there is no store at {address}; check the name of the table, or detect into it first")
        _create(client, name, settings)
    kept = catalogue.fact(SETTINGS)
    if kept is None:  # one who made the tables was interrupted, or is just doing it: settings come last
        _create(client, name, settings)
        catalogue.keep_fact(SETTINGS, msgspec.json.encode(settings))
    else:
        settings = msgspec.json.decode(kept, type=Settings)
    if settings.version != VERSION:
        raise StoreError(f"{address} was made by another version of Swathe; use that, or detect into another table")
    return HBaseStore(client, name, settings)


def _settings(query: str, address: str) -> Settings:
    """Read the settings in an address."""
    try:
        given = dict(parse_qsl(query, strict_parsing=True, keep_blank_values=True)) if query else {}
        settings = msgspec.convert({**asdict(Settings()), **given}, Settings, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(f"{address}: its settings cannot be read ({error}); there are {_known()}") from error
    if set(given) - set(asdict(settings)) or not 1 <= settings.shards <= MOST_SHARDS or (settings.ttl or 1) < 1:
        raise UsageError(f"{address}: a setting is unknown or out of its range; there are {_known()}")
    if settings.compression not in interface().TCompressionAlgorithm._NAMES_TO_VALUES:  # noqa: SLF001 -- its only list
        raise UsageError(f"{address}: compression {settings.compression!r} is none of HBase's")
    return settings


def _known() -> str:
    return f"shards (1 to {MOST_SHARDS}), ttl (seconds, from 1), compression and work"


def _table_name(name: bytes) -> Any:
    return interface().TTableName(qualifier=name)


def _create(client: Client, name: str, settings: Settings) -> None:
    """Make the tables, the one of detections split by shards; those that are there are left alone."""
    hbase = interface()
    kinds: dict[str, Any] = {
        "compressionType": getattr(hbase.TCompressionAlgorithm, settings.compression),
        "maxVersions": 1,
    }
    lives = {} if settings.ttl is None else {"timeToLive": settings.ttl}
    tables = {
        name.encode(): [hbase.TColumnFamilyDescriptor(name=FAMILY, **kinds, **lives)],
        work_table(name): [hbase.TColumnFamilyDescriptor(name=WORK_FAMILY, **kinds)],
        catalogue_table(name): [hbase.TColumnFamilyDescriptor(name=part, **kinds) for part in (FACTS, SCENES)],
    }
    for table, families in tables.items():
        splits = [bytes([shard]) for shard in range(1, settings.shards)] if table == name.encode() else []
        if not client.call("tableExists", _table_name(table)):
            try:
                client.call(
                    "createTable", hbase.TTableDescriptor(tableName=_table_name(table), columns=families), splits
                )
            except StoreError as error:
                if "TableExistsException" not in str(error):
                    raise
