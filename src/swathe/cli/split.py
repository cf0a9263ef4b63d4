"""`swathe split`: which images validate a training, by the places that they show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import Json, Overwrite, Sources, free_output, print_json
from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import SourceError

Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="Text file to write: names of the held-out images.")
]
Share = Annotated[float, typer.Option(metavar="SHARE", help="Share of the images to hold out.")]
Apart = Annotated[float, typer.Option(metavar="METRES", help="Images that are so near to each other show one place.")]
Seed = Annotated[int, typer.Option(metavar="NUMBER", help="Another number, another choice.")]


def split(
    sources: Sources,
    output: Output,
    share: Share = 0.15,
    apart: Apart = 0.0,
    seed: Seed = 1,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Hold out whole places for validation; a training takes the file as `only` there, and else as `without`."""
    from swathe.atomic import published_file
    from swathe.datasets.split import split_by_place
    from swathe.detections.outline import outline_of
    from swathe.engine.plan import scene_info
    from swathe.opened import open_readable

    free_output(output, overwrite=overwrite)
    opened = open_readable(sources)
    if opened.unopened:
        raise SourceError(next(iter(opened.unopened.values())))
    outlines = [outline_of(scene_info(scene)) for scene in opened.scenes]
    chosen = split_by_place(outlines, share, apart, seed)
    names = sorted(Path(opened.scenes[image].uri).stem for image in chosen.held_out)
    with published_file(output, overwrite=overwrite) as stream:
        stream.write("".join(f"{name}\n" for name in names).encode())
    unplaced = sum(outline is None for outline in outlines)
    if json:
        counts = {"images": len(outlines), "places": chosen.places, "largest": chosen.largest, "unplaced": unplaced}
        print_json({"event": "summary", **counts, "held_out": len(names), "file": str(output)})
        return
    if unplaced:
        verb = "has no georeference and counts" if unplaced == 1 else "have no georeference and count each"
        echo(f"note: {counted(unplaced, 'image')} {verb} as a place of its own", err=True)
    echo(
        f"{output}: {len(names):,} of {counted(len(outlines), 'image')} held out; {counted(chosen.places, 'place')}, "
        f"the largest of {counted(chosen.largest, 'image')}"
    )
