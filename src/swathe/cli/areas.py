"""`swathe areas`: the named areas of a store, and what was found in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.options import Json, NameProperty, Overwrite, StoreAddress, print_json
from swathe.cli.output import echo
from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.areas import Areas
    from swathe.store.protocol import Store


def areas(
    store: StoreAddress,
    add: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the areas of this file, .geojson .gpkg .shp, in the store."),
    ] = None,
    name_property: NameProperty = None,
    overwrite: Overwrite = False,
    remove: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget this area and those below it; detections stay.")
    ] = None,
    json: Json = False,
) -> None:
    """List the areas of a store with what was found in each, or change them; names are nested by slashes."""
    from swathe.areas import NAME_PROPERTY, Areas
    from swathe.store import open_store

    opened = open_store(store)
    if add is None and (name_property is not None or overwrite):
        raise UsageError("--name-property and --overwrite belong to --add FILE; name a file")
    known = opened.areas()
    changed = known if remove is None else known.without(remove)
    if add is not None:
        changed = changed.joined(Areas.open(add, name_property=name_property or NAME_PROPERTY), overwrite=overwrite)
    if changed != known:
        opened.keep_areas(changed)
    _list(opened, changed, json=json)


def _list(store: Store, known: Areas, *, json: bool) -> None:
    """Print each area with what touches it, by class."""
    from swathe.cli.notes import choose_runs, say
    from swathe.query import Query

    runs, lines = choose_runs(store, Query(), one_of_several=True)
    say(lines)
    for name in known.names:
        counts = store.count(Query(areas=(known[name],), runs=runs))
        if json:
            print_json({"event": "area", "name": name, "detections": sum(counts.values()), "per_class": dict(counts)})
        else:
            words = ", ".join(f"{count:,} {title}" for title, count in counts.items()) or "nothing found"
            echo(f"{name}: {words}")
    if json:
        print_json({"event": "summary", "areas": len(known.names)})
    elif not known.names:
        echo("no areas; add some with --add FILE")
