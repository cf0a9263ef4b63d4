"""The only door to stores, and to the runs in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

from swathe import arguments
from swathe.detections import Detections
from swathe.errors import StoreError, UsageError
from swathe.files import SCHEME, open_folder
from swathe.store.schema import SCHEMA_VERSION, check_version, parse_json, to_json

if TYPE_CHECKING:
    from swathe.query import Query
    from swathe.store.protocol import Scans, Store, StoredRun

MARK = "swathe-store.json"
KIND = "lake"
GROUP = "swathe.stores"  # of entry points: scheme -> what opens a store at an address
LATEST = "latest"
_ATTEMPTS = 3  # of an answer while files are merged or removed

StoreOpener: TypeAlias = Callable[..., "Store"]  # (address: str, *, create: bool) -> Store


def open_store(address: str | Path, *, create: bool = False) -> Store:
    """Open a store.

    Args:
        address: A folder, or an address: `file://`, `s3://`, `hdfs://`, `hbase://host:port/table`, or one of a
            scheme that a plug-in brings.
        create: Whether to make one where there is none.

    Returns:
        The store.

    Raises:
        StoreError: If there is none, something else is there, or it cannot be reached.
        UsageError: If nothing opens addresses of this kind.
        MissingExtraError: If the library that is needed is not installed.
    """
    address = arguments.address("address", address, "the folder or the address of a store")
    scheme = SCHEME.match(str(address))
    if scheme is not None and scheme[1].lower() == "hbase":
        from swathe.store.hbase import open_hbase

        return open_hbase(str(address), create=create)
    if scheme is not None:
        for entry in entry_points(group=GROUP, name=scheme[1].lower()):
            opener: StoreOpener = entry.load()
            return opener(str(address), create=create)
    return _open_lake(address, create=create)


def _open_lake(address: str | Path, *, create: bool) -> Store:
    """Open a store of files."""
    from swathe.store.lake import DETECTIONS, SCENES, LakeStore

    folder = open_folder(address)
    if folder.address.startswith("hdfs://") and quote(folder.address, safe="/:") != folder.address:
        raise UsageError(f"{folder.address}: the address of a store in HDFS must be without blanks, %, and accents")
    store, mark = LakeStore(folder), folder.get(MARK)
    where = f"{folder.address}/{MARK}"
    if mark is not None:
        check_version(parse_json(mark, where), KIND, where)
        return store
    strangers = sorted(name for name in folder.names() if name.split("/")[0] not in (DETECTIONS, SCENES))
    if strangers:
        raise StoreError(
            f"{folder.address} is not a store of Swathe: it has no {MARK}, but holds {strangers[0]}; name another place"
        )
    if not create:
        raise StoreError(f"there is no store at {folder.address}; check the name, or detect into it first")
    store.create()
    folder.put(MARK, f"{to_json({'kind': KIND, 'schema_version': SCHEMA_VERSION})}\n".encode())
    return store


def is_store(address: str | Path) -> bool:
    """Tell whether there may be a store: any address, or a folder that is marked as one."""
    return SCHEME.match(str(address)) is not None or (Path(address) / MARK).is_file()


def find_run(runs: Sequence[StoredRun], given: str) -> StoredRun:
    """Find the run that somebody means.

    Args:
        runs: The runs of a store, the one that was changed last at the end.
        given: Its id or the beginning of it, its name, or "latest".

    Returns:
        The run.

    Raises:
        UsageError: If no run or more than one is meant.
    """
    if given == LATEST and runs:
        return runs[-1]
    exact = [run for run in runs if run.id == given] or [run for run in runs if run.name == given]
    found = exact or [run for run in runs if given and run.id.startswith(given)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(label(run) for run in found or runs) or "none: the store is empty"
    accepted = f"one run; {'these fit' if found else 'there are'}: {known}"
    raise UsageError(argument="run", value=given, accepted=accepted)


def label(run: StoredRun) -> str:
    """Return what a run is called in lists: the beginning of its id, and its name."""
    return run.id[:8] if run.name is None else f"{run.id[:8]} ({run.name})"


def read(scans: Scans, query: Query | None = None) -> Detections:
    """Read all that a query asks for.

    Args:
        scans: A store.
        query: What to look for, None for everything.

    Returns:
        The matches in canonical order, with all scenes and runs that are asked for.

    Raises:
        StoreError: If the store is damaged, or changes too much while it is read.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return Detections.concat(scans.scan(query))
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError) or attempt == _ATTEMPTS - 1:
                raise
    raise StoreError("unreachable")
