"""`swathe scenes`: which scenes a store holds, by run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from swathe.cli.options import Json, StoreFolder, print_json
from swathe.cli.output import echo
from swathe.cli.tables import print_table
from swathe.counts import counted

if TYPE_CHECKING:
    from swathe.store.published import Published

TITLES = ("scene", "size, px", "m per px", "detections", "acquired", "run")


def scenes(
    store: StoreFolder,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only the scenes of this run.")] = None,
    json: Json = False,
) -> None:
    """List the scenes of a store by run: size, resolution, detections, and time of acquisition."""
    from swathe.store.geoparquet import GeoParquetStore

    entries = [_entry(scene) for scene in GeoParquetStore(store).published(run)]
    entries.sort(key=lambda entry: (entry["scene"], entry["run"]))
    if json:
        print_json({"event": "summary", "scenes": entries})
        return
    print_table(TITLES, [_row(entry) for entry in entries])
    looked = len({entry["scene"] for entry in entries})
    echo(f"{counted(looked, 'scene')}, {counted(sum(entry['detections'] for entry in entries), 'detection')}")


def _entry(published: Published) -> dict[str, Any]:
    """Describe a scene of a run."""
    from swathe.errors import SourceError
    from swathe.raster.ground import ground_sample_distance

    scene = published.scene
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
        "detections": published.detections,
        "acquired": scene.acquired,
        "run": published.run,
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
        entry["run"],
    )
