"""`swathe put`: scenes into a folder of a cluster, as cloud-optimised GeoTIFF, each with a record beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from swathe.cli.convert import Compress, Quality
from swathe.cli.options import Json, NameProperty, Overwrite, Quiet, Sources, print_json
from swathe.cli.output import echo
from swathe.errors import PartialError, SourceError, StoreError, UsageError

MEBIBYTE = 1 << 20

Target = Annotated[
    str, typer.Argument(metavar="FOLDER", help="Where to: hdfs:///scenes/, s3://bucket/scenes/, or a folder.")
]
AreaFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="GeoJSON of named areas, or a store; records list those touched.")
]


def put(
    sources: Sources,
    folder: Target,
    areas: AreaFile = None,
    name_property: NameProperty = None,
    compress: Compress = "zstd",
    quality: Quality = 90,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Put scenes where a cluster reads them: tiled, with overviews, whole or not at all; what is there stays."""
    from swathe.areas import NAME_PROPERTY, Areas
    from swathe.files import open_folder
    from swathe.ingest import put as put_scene
    from swathe.raster.convert import Compression, ConvertOptions
    from swathe.raster.sources import find_sources, scene_ids

    options = ConvertOptions(cast("Compression", compress), quality)
    known = None if areas is None else Areas.open(areas, name_property=name_property or NAME_PROPERTY)
    target, found = open_folder(folder), find_sources(sources)
    failed: dict[str, str] = {}
    for source, name in zip(found, scene_ids(found), strict=True):
        try:
            record, done = put_scene(source, target, name, options=options, areas=known, overwrite=overwrite)
        except (SourceError, UsageError, StoreError) as error:
            if len(found) == 1:
                raise
            failed[source] = str(error)
            continue
        address = f"{target.address}/{record.file}"
        if json:
            print_json(
                {"event": "put" if done else "kept", "file": address, "bytes": record.bytes, "areas": record.areas}
            )
        elif not quiet:
            echo(f"{address}  {record.bytes / MEBIBYTE:,.1f} MiB{'' if done else ', is there already'}")
    if json:
        print_json({"event": "summary", "scenes": len(found) - len(failed), "failed": list(failed.values())})
    if failed:
        raise PartialError(
            f"{len(failed)} of {len(found)} scenes could not be put: {'; '.join(failed.values())}", failed
        )
