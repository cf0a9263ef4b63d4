"""`swathe compact`: merge the many small files of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from swathe.cli.options import Json, StoreFolder, print_json
from swathe.cli.output import echo
from swathe.counts import counted


def compact(
    store: StoreFolder,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only this run.")] = None,
    json: Json = False,
) -> None:
    """Merge small files of finished runs into larger ones, so that queries open fewer; the content stays the same."""
    from swathe.store.geoparquet import GeoParquetStore

    opened = GeoParquetStore(store)
    unfinished = opened.unfinished_runs()
    chosen = [found for found in opened.runs() if found not in unfinished] if run is None else [run]
    before = len(opened.files)
    for finished in chosen:
        opened.compact(finished)
    after = len(opened.files)
    if json:
        print_json({"event": "compacted", "runs": chosen, "files_before": before, "files_after": after})
        return
    left = f"; {counted(len(unfinished), 'unfinished run')} left alone" if unfinished and run is None else ""
    echo(f"{store}: {before:,} files before, {after:,} now{left}")
