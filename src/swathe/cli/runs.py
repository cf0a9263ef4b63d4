"""`swathe runs`: which runs a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swathe.cli.options import Json, StoreFolder, print_json
from swathe.cli.output import echo
from swathe.counts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swathe.store.geoparquet import GeoParquetStore

SHOWN_DIGITS = 12  # of the hash of a model


def runs(store: StoreFolder, json: Json = False) -> None:
    """List the runs of a store: finished or not, scenes, detections, model and settings."""
    from swathe.store.geoparquet import GeoParquetStore

    entries = _entries(GeoParquetStore(store))
    if json:
        print_json({"event": "summary", "runs": entries})
        return
    for entry in entries:
        state = "finished" if entry["finished"] else "at work" if entry["at_work"] else "unfinished"
        held = f"{counted(entry['scenes'], 'scene')}, {counted(entry['detections'], 'detection')}"
        echo(f"{entry['run']}  {state}, {held}")
        for title, text in _lines(entry["about"]):
            echo(f"  {title:<10} {text}")
    unfinished = sum(not entry["finished"] and not entry["at_work"] for entry in entries)
    rest = ""
    if unfinished:
        rest = (
            f", {unfinished} unfinished: the same `swathe detect` resumes one, `swathe remove --unfinished` clears them"
        )
    echo(f"{counted(len(entries), 'run')}{rest}")


def _entries(store: GeoParquetStore) -> list[dict[str, Any]]:
    """Describe each run; one that has published nothing yet too."""
    from swathe.store.lock import is_at_work

    published = store.published()
    unfinished = set(store.unfinished_runs())
    entries = []
    for run in sorted(unfinished.union(store.runs())):
        own = [scene for scene in published if scene.run == run]
        about = own[0].about if own else {}
        entries.append(
            {
                "run": run,
                "finished": run not in unfinished,
                "at_work": is_at_work(store.work_folder(run)),
                "scenes": len(own),
                "detections": sum(scene.detections for scene in own),
                "about": dict(about),
            }
        )
    return entries


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
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
