"""`swathe remove`: take runs or scenes out of a store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.options import RUN, Json, StoreAddress, print_json, read_age
from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import UsageError
from swathe.times import parse_utc

if TYPE_CHECKING:
    from swathe.store.protocol import Store, StoredRun, StoredScene


def remove(
    store: StoreAddress,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help=f"Remove this run: {RUN}; with --scene, only there.")
    ] = None,
    scene: Annotated[
        str | None, typer.Option(metavar="ID", help="Remove this scene, from all runs or from one.")
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Forget scenes that are still to be looked at, and work on them.")
    ] = False,
    older: Annotated[
        str | None, typer.Option(metavar="AGE", help="Remove runs to which nothing was added for so long, such as 30d.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove runs or scenes from a store; stop what works on them first."""
    from swathe.store import find_run, open_store

    if unfinished + (older is not None) + (run is not None or scene is not None) != 1:
        raise UsageError(
            "say what to remove: --run RUN, --scene ID (with --run: from that run), --unfinished or --older AGE"
        )
    opened = open_store(store)
    runs = opened.runs()
    if run is not None:
        runs = (find_run(runs, run),)
    elif older is not None:
        limit = datetime.now(UTC) - read_age("older", older)
        runs = tuple(entry for entry in runs if parse_utc(entry.updated) < limit)
    wanted = {entry.id for entry in runs}
    chosen = [entry for entry in opened.scenes() if entry.run in wanted and _is_meant(entry, scene, unfinished)]
    if scene is not None and not chosen:
        raise UsageError(f"--scene {scene}: no such scene in {store}; `swathe scenes {store}` lists them")
    if scene is not None or unfinished:
        runs = tuple(entry for entry in runs if entry.id in {one.run for one in chosen})
    deed = _forget if unfinished else _remove_scenes if scene is not None else _remove_run
    _carry_out(opened, runs, chosen, deed, yes=yes, json=json, scene=scene)


def _is_meant(stored: StoredScene, scene: str | None, unfinished: bool) -> bool:
    """Tell whether a scene is one that shall go."""
    return stored.state == "pending" if unfinished else scene is None or stored.scene.id == scene


def _carry_out(
    store: Store,
    runs: Sequence[StoredRun],
    chosen: Sequence[StoredScene],
    deed: Callable[[Store, StoredRun, list[StoredScene]], None],
    *,
    yes: bool,
    json: bool,
    scene: str | None,
) -> None:
    """Ask, remove, and say what was removed."""
    from swathe.store.opening import label

    detections = 0 if deed is _forget else sum(entry.detections for entry in chosen)
    scenes = f"{counted(len(chosen), 'scene')} of " if deed is not _remove_run else ""
    question = (
        f"{scenes}{counted(len(runs), 'run')} ({', '.join(map(label, runs))}) with {counted(detections, 'detection')}"
    )
    if runs and not yes:
        _ask(question)
    for run in runs:
        deed(store, run, [entry for entry in chosen if entry.run == run.id])
    if json:
        removed = [entry.id for entry in runs]
        print_json({"event": "summary", "runs": removed, "scene": scene, "detections": detections})
    else:
        echo(f"removed {question}" if runs else "there is nothing to remove")


def _remove_run(store: Store, run: StoredRun, _: list[StoredScene]) -> None:
    """Remove a run with all that it has found."""
    store.remove(run.id)


def _remove_scenes(store: Store, run: StoredRun, scenes: list[StoredScene]) -> None:
    """Remove scenes of a run."""
    store.remove(run.id, [entry.scene.id for entry in scenes])


def _forget(store: Store, run: StoredRun, scenes: list[StoredScene]) -> None:
    """Remove scenes that nothing was found in yet, and keep what was found in others before they changed."""
    fresh = [entry.scene.id for entry in scenes if not entry.file]
    store.begin(run.id, run.about, [replace(entry, state="complete") for entry in scenes if entry.file])
    store.remove(run.id, fresh)
    work = store.workspace(run.id)
    work.drop(work.names())


def _ask(question: str) -> None:
    """Ask before something is lost; without a terminal to ask at, refuse."""
    if not sys.stdin.isatty():
        raise UsageError(f"this would remove {question}; add --yes to do it")
    if not typer.confirm(f"Remove {question}?", default=False):
        raise UsageError("nothing was removed")
