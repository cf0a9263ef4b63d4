"""`swathe scenes`: which scenes a store holds, by run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from swathe.cli.options import RUN, Json, StoreAddress, print_json
from swathe.cli.output import echo
from swathe.cli.tables import print_table
from swathe.counts import counted

if TYPE_CHECKING:
    from swathe.store.protocol import StoredScene

TITLES = ("scene", "size, px", "m per px", "detections", "acquired", "run", "state")


def scenes(
    store: StoreAddress,
    run: Annotated[str | None, typer.Option(metavar="RUN", help=f"Only the scenes of this run: {RUN}.")] = None,
    json: Json = False,
) -> None:
    """List the scenes of a store by run: size, resolution, detections, time of acquisition, and state."""
    from swathe.store import find_run, open_store

    opened = open_store(store)
    entries = [_entry(scene) for scene in opened.scenes(None if run is None else find_run(opened.runs(), run).id)]
    entries.sort(key=lambda entry: (entry["scene"], entry["run"]))
    if json:
        print_json({"event": "summary", "scenes": entries})
        return
    print_table(TITLES, [_row(entry) for entry in entries])
    looked = {(entry["scene"], entry["uri"]) for entry in entries if entry["state"] == "complete"}
    states = [entry["state"] for entry in entries]
    rest = "".join(f", {states.count(state):,} {state}" for state in ("pending", "failed") if state in states)
    echo(
        f"{counted(len(looked), 'scene')}{rest}, {counted(sum(entry['detections'] for entry in entries), 'detection')}"
    )


def _entry(stored: StoredScene) -> dict[str, Any]:
    """Describe a scene of a run."""
    from swathe.errors import SourceError
    from swathe.raster.ground import ground_sample_distance

    scene = stored.scene
    try:
        metres = ground_sample_distance(scene.crs, scene.transform, scene.width, scene.height)
    except SourceError:  # of a reference system that this machine does not know
        metres = None
    return {
        "scene": scene.id,
        "uri": scene.uri,
        "width": scene.width,
        "height": scene.height,
        "metres_per_pixel": metres,
        "detections": stored.detections,
        "acquired": scene.acquired,
        "run": stored.run,
        "state": stored.state,
        "reason": stored.reason,
        "file": stored.file,
    }


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a scene."""
    metres = entry["metres_per_pixel"]
    return (
        entry["scene"],
        f"{entry['width']:,} x {entry['height']:,}",
        "–" if metres is None else f"{metres:.3g}",
        f"{entry['detections']:,}",
        entry["acquired"] or "–",
        entry["run"][:8],
        f"{entry['state']}: {entry['reason']}" if entry["reason"] else entry["state"],
    )
