"""`swathe slice`: the windows of a scene as files of their own, as the paper prepares scenes."""

from __future__ import annotations

from typing import Annotated

import typer

from swathe.cli.options import Json, Quiet, Scales, Stride, TileSize, numbers, print_json
from swathe.cli.output import echo
from swathe.cli.progress import stderr_console

Scene = Annotated[str, typer.Argument(metavar="SCENE", help="A file or an address.")]
Target = Annotated[str, typer.Argument(metavar="FOLDER", help="Where to: hdfs:///slices/, s3://..., or a folder.")]


def slice(  # noqa: A001 - the command is called so
    scene: Scene,
    folder: Target,
    tile: TileSize = None,
    stride: Stride = None,
    scales: Scales = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Cut a scene into PNG files with a manifest, in a folder of its name; `swathe detect` reads them as that scene."""
    from swathe.files import open_folder
    from swathe.ingest.slicing import STRIDE, TILE, slice_scene
    from swathe.raster.sources import find_sources, scene_ids

    (source,) = found = find_sources([scene])[:1]
    target = open_folder(folder).folder(scene_ids(found)[0])
    side = tile or TILE
    with stderr_console().status("Slice") as status:
        manifest = slice_scene(
            source,
            target,
            tile=side,
            stride=stride or max(1, STRIDE * side // TILE),
            scales=numbers("scales", scales) or (1.0,),
            progress=lambda done, total: status.update(f"Slice  {done:,} of {total:,}"),
        )
    if json:
        print_json({"event": "summary", "folder": target.address, "slices": len(manifest.slices)})
    elif not quiet:
        echo(f"{target.address}  {len(manifest.slices):,} slices")
