"""`swathe draw`: a picture or a page of a scene with the boxes found in it."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.conditions import Found, Runs
from swathe.cli.notes import answer
from swathe.cli.options import (
    Bands,
    Classes,
    Json,
    MinScore,
    Overwrite,
    ValueRange,
    free_output,
    names,
    print_json,
    value_limits,
    whole_numbers,
)
from swathe.cli.output import echo
from swathe.counts import counted
from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.detections import Detections, SceneInfo
    from swathe.drawing import View
    from swathe.raster.scene import Scene

PICTURE_SIDE = 2000  # pixels
PAGE_SIDE = 4096  # pixels; what does not fit into the page is made smaller
MARGIN = re.compile(r"(\d+(?:\.\d+)?)\s*(m|px)?")
MARGIN_SHARE = 1.0  # of the long side of a detection, around it, unless --margin is given


Box = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option(metavar="WEST SOUTH EAST NORTH", help="Only this part of the scene, in longitude and latitude."),
]
PixelBox = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option(metavar="XMIN YMIN XMAX YMAX", help="Only this part of the scene, in its pixels."),
]
DetectionId = Annotated[
    str | None, typer.Option("--id", metavar="RUN/SCENE/N", help="Only this detection and what is around it.")
]
Margin = Annotated[
    str | None,
    typer.Option(metavar="LENGTH", help="Around that detection, such as 30m or 50px; its length if not given."),
]
Image = Annotated[str | None, typer.Option(metavar="FILE", help="The scene's image, if it is no longer where it was.")]
Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="A .png or .jpg picture, or a .html page with zoom.")
]


def draw(
    store: Found,
    output: Output,
    scene: Annotated[str | None, typer.Option(metavar="ID", help="Which scene; needed if there are several.")] = None,
    image: Image = None,
    box: Box = None,
    pixels: PixelBox = None,
    detection: DetectionId = None,
    margin: Margin = None,
    north_up: Annotated[bool, typer.Option("--north-up", help="Turn the picture so that true north is up.")] = False,
    classes: Classes = None,
    min_score: MinScore = None,
    runs: Runs = None,
    size: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Longest side; 2000 by default, of a page 4096.")
    ] = None,
    line_width: Annotated[
        float | None,
        typer.Option(metavar="PIXELS", help="Of the outlines in a picture; thicker in large ones by default."),
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Write scores beside boxes, where there is room.")] = False,
    bands: Bands = None,
    value_range: ValueRange = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Draw a scene with its oriented boxes: a picture, or a page to zoom and filter in."""
    from swathe.drawing import View, draw_page
    from swathe.drawing import draw as draw_picture
    from swathe.drawing.page import SUFFIXES
    from swathe.query import Query
    from swathe.store.files import open_held

    free_output(output, overwrite=overwrite)
    if sum(part is not None for part in (box, pixels, detection)) > 1:
        raise UsageError("--box, --pixels and --id each choose a part of the scene; give one of them")
    if margin is not None and detection is None:
        raise UsageError(f"--margin {margin} is for a detection; name it with --id")
    is_page = output.suffix.lower() in SUFFIXES
    side = size if size is not None else PAGE_SIDE if is_page else PICTURE_SIDE
    view = View(
        pixels, box, north_up=north_up, longest_side=side, scores=scores, chosen=detection, line_width=line_width
    )
    wanted_runs = names("runs", runs) or None
    if detection is not None:
        run, scene = _run_and_scene(detection)
        wanted_runs = wanted_runs or (run,)
    condition = Query(
        classes=names("classes", classes) or None,
        min_score=min_score,
        scenes=None if scene is None else (scene,),
        runs=wanted_runs,
    )
    found = answer(open_held(store), condition, one_of_several=True)
    info = _only_scene(store, found, scene)
    if detection is not None:
        view = _around(found, info, detection, margin, view)
    opened = _opened(info, image, bands, value_range)
    count = (draw_page if is_page else draw_picture)(found, opened, output, view)
    if json:
        print_json({"event": "summary", "file": str(output), "scene": info.id, "detections": count})
    else:
        echo(f"{output}: {counted(count, 'detection')}")


def _only_scene(store: str, found: Detections, scene: str | None) -> SceneInfo:
    """Return the scene to draw, if there is exactly one."""
    known = sorted({scene for _, scene in found.scenes})
    if len(known) != 1:
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        wanted = f"no scene {scene!r}" if scene is not None else f"{len(known)} scenes ({shown})"
        raise UsageError(f"{store}: holds {wanted}; choose one with --scene")
    return next(iter(found.scenes.values()))


def _opened(info: SceneInfo, image: str | None, bands: str | None, value_range: str | None) -> Scene:
    """Open the image of a scene and make sure that it can be the right one."""
    from swathe.errors import SourceError
    from swathe.raster.opening import open_scene

    try:
        opened = open_scene(
            image or info.uri,
            bands=whole_numbers("bands", bands),
            value_range=value_limits("value_range", value_range),
            scene_id=info.id,
        )
    except SourceError as error:
        hint = "" if image else "; if it is elsewhere now, name it with --image"
        raise SourceError(f"{error}{hint}") from error
    if (opened.width, opened.height) != (info.width, info.height):
        raise UsageError(
            f"{opened.uri}: has {opened.width} x {opened.height} pixels, but scene {info.id} had {info.width} x "
            f"{info.height}; name the right file with --image"
        )
    return opened


def _run_and_scene(detection: str) -> tuple[str, str]:
    """Return run and scene of an id; the name of a scene may hold slashes."""
    run, _, rest = detection.partition("/")
    scene, _, number = rest.rpartition("/")
    if not run or not scene or not number.isdigit():
        raise UsageError(f"--id {detection}: give RUN/SCENE/N, as `swathe query --json` prints it")
    return run, scene


def _around(found: Detections, info: SceneInfo, detection: str, margin: str | None, view: View) -> View:
    """Return the view of one detection and what is around it."""
    from dataclasses import replace

    import numpy as np

    (rows,) = np.nonzero(np.asarray(found.table.column("id").to_pylist(), dtype=object) == detection)
    if len(rows) != 1:
        raise UsageError(f"--id {detection}: there is no such detection, or the other options leave it out")
    corners = found.take(rows).to_polygons()[0]
    x, y = corners.mean(axis=0).tolist()
    space = MARGIN_SHARE * float(found.boxes[rows[0], 2]) if margin is None else _in_pixels(margin, info, (x, y))
    low, high = corners.min(axis=0) - max(space, 1.0), corners.max(axis=0) + max(space, 1.0)
    return replace(view, box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def _in_pixels(margin: str, info: SceneInfo, place: tuple[float, float]) -> float:
    """Return a length in pixels of the scene at a place."""
    import numpy as np

    from swathe.raster.ground import metres_per_pixel

    parts = MARGIN.fullmatch(margin.strip())
    if parts is None:
        raise UsageError(f"--margin {margin}: give a length such as 30m or 50px")
    if parts[2] == "px":
        return float(parts[1])
    ground = metres_per_pixel(info.crs, info.transform, place)
    if ground is None:
        raise UsageError(f"--margin {margin}: scene {info.id!r} has no georeference; give pixels, such as 50px")
    return float(parts[1]) / math.sqrt(abs(float(np.linalg.det(ground))))
