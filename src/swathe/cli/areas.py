"""`swathe areas`: the named areas of a store, and what was found in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.options import Json, NameProperty, Overwrite, StoreFolder, print_json
from swathe.cli.output import echo
from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.areas import Areas
    from swathe.store.geoparquet import GeoParquetStore


def areas(
    store: StoreFolder,
    add: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the areas of this GeoJSON file in the store.")
    ] = None,
    name_property: NameProperty = None,
    overwrite: Overwrite = False,
    remove: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget this area and those below it; detections stay.")
    ] = None,
    json: Json = False,
) -> None:
    """List the areas of a store with what was found in each, or change them; names are nested by slashes."""
    from swathe.areas import FILE_NAME, NAME_PROPERTY, Areas
    from swathe.store.geoparquet import GeoParquetStore

    opened = GeoParquetStore(store)
    if add is None and (name_property is not None or overwrite):
        raise UsageError("--name-property and --overwrite belong to --add FILE; name a file")
    path = store / FILE_NAME
    known = Areas.open(path) if path.exists() else Areas()
    changed = known
    if remove is not None:
        changed = changed.without(remove)
    if add is not None:
        changed = changed.joined(Areas.open(add, name_property=name_property or NAME_PROPERTY), overwrite=overwrite)
    if changed != known:
        changed.save(path, overwrite=True)
    _list(opened, changed, json=json)


def _list(store: GeoParquetStore, known: Areas, *, json: bool) -> None:
    """Print each area with what touches it, by class."""
    from swathe.query import Query

    total = 0
    for name in known.names:
        found = store.scan(Query(areas=(known[name],)))
        total += 1
        if json:
            print_json({"event": "area", "name": name, "detections": len(found), "per_class": found.per_class()})
        else:
            counts = ", ".join(f"{count:,} {title}" for title, count in found.per_class().items()) or "nothing found"
            echo(f"{name}: {counts}")
    if json:
        print_json({"event": "summary", "areas": total})
    elif not total:
        echo("no areas; add some with --add FILE")
