"""`swathe runs`: which runs a store holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from swathe.cli.options import Json, StoreAddress, print_json
from swathe.cli.output import echo
from swathe.counts import counted

if TYPE_CHECKING:
    from swathe.store.protocol import StoredRun

SHOWN_DIGITS = 12  # of the hash of a model


def runs(store: StoreAddress, json: Json = False) -> None:
    """List the runs of a store, the latest last: scenes, detections, model and settings."""
    from swathe.store import open_store
    from swathe.store.opening import label

    entries = open_store(store).runs()
    if json:
        print_json({"event": "summary", "runs": [{"run": entry.id, **_values(entry)} for entry in entries]})
        return
    for entry in entries:
        echo(f"{label(entry)}  {state(entry)}, {counted(entry.detections, 'detection')}, {entry.updated[:16]}Z")
        for title, text in _lines(entry.about):
            echo(f"  {title:<10} {text}")
    unfinished = sum(entry.pending > 0 for entry in entries)
    rest = ""
    if unfinished:
        rest = f", {unfinished} not complete: the same `swathe detect` continues, `swathe remove` forgets the rest"
    echo(f"{counted(len(entries), 'run')}{rest}")


def state(run: StoredRun) -> str:
    """Say how many of the scenes of a run were looked at."""
    failed = f", {run.failed:,} failed" if run.failed else ""
    if run.pending:
        return f"{run.complete:,} of {counted(run.scenes, 'scene')} so far{failed}"
    return f"{counted(run.complete, 'scene')}{failed}"


def _values(run: StoredRun) -> dict[str, Any]:
    """Return what is known of a run, its id left out."""
    values = asdict(run)
    del values["id"]
    return values


def _lines(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Put what a run told of itself into words."""
    lines = []
    for title, value in about.items():
        values = dict(value) if isinstance(value, dict) else {"": value}
        if "sha256" in values:
            values["sha256"] = str(values["sha256"])[:SHOWN_DIGITS]
        words = [f"{key} {_text(part)}".strip() for key, part in values.items() if part not in ([], None)]
        lines.append((title, ", ".join(words)))
    return lines


def _text(value: Any) -> str:
    """Return a JSON value as people write it."""
    if isinstance(value, dict):
        return " ".join(f"{key} {_text(part)}" for key, part in value.items() if part not in ([], None))
    return " ".join(map(_text, value)) if isinstance(value, list) else str(value)
