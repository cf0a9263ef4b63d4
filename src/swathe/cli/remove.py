"""`swathe remove`: take runs or scenes out of a store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.options import Json, StoreFolder, print_json
from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.store.geoparquet import GeoParquetStore
    from swathe.store.published import Published


def remove(
    store: StoreFolder,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Remove this run; with --scene, only there.")] = None,
    scene: Annotated[
        str | None, typer.Option(metavar="ID", help="Remove this scene, from all runs or from one.")
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Remove all runs that did not finish, but not those at work.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove runs or scenes from a store; a run that is at work is left alone."""
    from swathe.store.geoparquet import GeoParquetStore

    if unfinished == (run is not None or scene is not None):
        raise UsageError(
            "say what to remove: --run RUN, --scene ID (with --run RUN from that run alone) or --unfinished"
        )
    opened = GeoParquetStore(store)
    published = opened.published(run)
    if scene is not None:
        chosen = _scenes(opened, published, scene)
    else:
        wanted = _idle(opened) if run is None else _run(opened, run)
        chosen = [entry for entry in published if entry.run in wanted]
    targets = sorted({entry.run for entry in chosen}) if scene is not None else list(wanted)
    detections = sum(entry.detections for entry in chosen)
    what = f"scene {scene} from " if scene is not None else ""
    question = f"{what}{counted(len(targets), 'run')} ({', '.join(targets)}) with {counted(detections, 'detection')}"
    if targets and not yes:
        _ask(question)
    for target in targets:
        if scene is None:
            opened.remove_run(target)
        else:
            opened.remove_scene(target, scene)
    if json:
        print_json({"event": "removed", "runs": targets, "scene": scene, "detections": detections})
    else:
        echo(f"removed {question}" if targets else "there is nothing to remove")


def _run(store: GeoParquetStore, run: str) -> tuple[str, ...]:
    """Return a run that is there."""
    present = sorted({*store.runs(), *store.unfinished_runs()})
    if run not in present:
        raise UsageError(f"--run {run}: {store.path} holds no such run, but {', '.join(present) or 'none'}")
    return (run,)


def _idle(store: GeoParquetStore) -> tuple[str, ...]:
    """Return the unfinished runs that nobody works on."""
    from swathe.store.lock import is_at_work

    return tuple(run for run in store.unfinished_runs() if not is_at_work(store.work_folder(run)))


def _scenes(store: GeoParquetStore, published: tuple[Published, ...], scene: str) -> list[Published]:
    """Return the runs that have a scene."""
    chosen = [entry for entry in published if entry.scene.id == scene]
    if not chosen:
        raise UsageError(f"--scene {scene}: no such scene in {store.path}; `swathe scenes {store.path}` lists them")
    return chosen


def _ask(question: str) -> None:
    """Ask before something is lost; without a terminal to ask at, refuse."""
    if not sys.stdin.isatty():
        raise UsageError(f"this would remove {question}; add --yes to do it")
    if not typer.confirm(f"Remove {question}?", default=False):
        raise UsageError("nothing was removed")
