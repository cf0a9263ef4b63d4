"""`swathe draw`: a picture of a scene with the boxes found in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import (
    Bands,
    Classes,
    MinScore,
    Overwrite,
    ValueRange,
    free_output,
    names,
    value_limits,
    whole_numbers,
)
from swathe.cli.query import Found, scan
from swathe.errors import UsageError


def draw(
    store: Found,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PICTURE", help="A .png or .jpg file.")],
    scene: Annotated[str | None, typer.Option(metavar="ID", help="Which scene; needed if there are several.")] = None,
    image: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The scene's image, if it is no longer where it was.")
    ] = None,
    box: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(metavar="XMIN YMIN XMAX YMAX", help="Only this part of the scene, in its pixels."),
    ] = None,
    classes: Classes = None,
    min_score: MinScore = None,
    size: Annotated[int, typer.Option(metavar="PIXELS", help="Longest side of the picture.")] = 2000,
    scores: Annotated[bool, typer.Option("--scores", help="Write the score beside each box.")] = False,
    bands: Bands = None,
    value_range: ValueRange = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw a scene with its oriented boxes."""
    from swathe.drawing import View
    from swathe.drawing import draw as draw_scene
    from swathe.query import Query
    from swathe.raster.scene import open_scene

    free_output(output, overwrite=overwrite)
    view = View(box, size, scores=scores)
    condition = Query(
        classes=names("--classes", classes) or None,
        min_score=min_score,
        scenes=None if scene is None else (scene,),
    )
    found = scan(store, condition)
    known = sorted(found.scenes)
    if len(known) != 1:
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        wanted = f"no scene {scene!r}" if scene is not None else f"{len(known)} scenes ({shown})"
        raise UsageError(f"{store}: holds {wanted}; choose one with --scene")
    info = found.scenes[known[0]]
    shown_as = value_limits("--value-range", value_range)
    opened = open_scene(
        image or Path(info.uri), bands=whole_numbers("--bands", bands), value_range=shown_as, scene_id=info.id
    )
    if (opened.width, opened.height) != (info.width, info.height):
        raise UsageError(
            f"{opened.uri}: has {opened.width} x {opened.height} pixels, but scene {info.id} had {info.width} x "
            f"{info.height}; name the right file with --image"
        )
    count = draw_scene(found, opened, output, view)
    typer.echo(f"{output}: {count:,} detections")
