"""`swathe compact`: merge the many small files of a store, and delete those that nothing needs."""

from __future__ import annotations

from typing import Annotated

import typer

from swathe.cli.options import Json, StoreAddress, print_json, read_age
from swathe.cli.output import echo

AGE = "1h"  # longer than anybody reads what was replaced meanwhile


def compact(
    store: StoreAddress,
    older: Annotated[
        str, typer.Option(metavar="AGE", help="Delete files that were replaced or left over longer ago, such as 12h.")
    ] = AGE,
    json: Json = False,
) -> None:
    """Merge small files, so that queries open fewer, and delete old ones; what the store holds stays the same."""
    from swathe.store import open_store

    done = open_store(store).compact(read_age("older", older))
    if json:
        values = {"files_before": done.before, "files_after": done.after, "deleted": done.deleted}
        print_json({"event": "summary", **values})
    else:
        echo(f"{store}: {done.before:,} files before, {done.after:,} now; {done.deleted:,} old ones deleted")
