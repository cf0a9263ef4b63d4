"""Saving detections and opening what was saved: the file or folder decides the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swathe.atomic import published_folder
from swathe.detections import Detections
from swathe.errors import StoreError
from swathe.query import Query
from swathe.store.exports import export, format_of
from swathe.store.geoparquet import GeoParquetStore, is_idle_store
from swathe.store.old_file import DetectionsFile

if TYPE_CHECKING:
    from pathlib import Path


def save_detections(detections: Detections, path: Path, *, overwrite: bool = False) -> Path:
    """Write a file, or a store.

    Args:
        detections: What to write.
        path: Where to: `.parquet` and `.geoparquet` give GeoParquet, `.geojson`, `.json`, `.gpkg`, `.fgb`, `.csv` and
            `.coco.json` what they say, others a store.
        overwrite: Whether an existing file or store may be replaced.

    Returns:
        The path.

    Raises:
        UsageError: If some scenes are georeferenced and others are not and one file is asked for.
        MissingExtraError: If the format needs a library that is not installed.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the path exists already, is a store that a process works in, or cannot be written; nothing
            half-written is left.
    """
    if format_of(path) is not None:
        return export(detections, path, overwrite=overwrite)
    with published_folder(path, replaceable=is_idle_store if overwrite else None) as folder:
        _fill(GeoParquetStore.lay_out(folder), detections)
    return path


def open_detections(path: Path) -> Detections:
    """Read all detections of a store or a GeoParquet file of Swathe.

    Args:
        path: The folder or file.

    Returns:
        Its detections in canonical order.

    Raises:
        UsageError: If runs in the store describe a scene differently.
        StoreError: If there is nothing, or something else or something damaged.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist; name a store or a GeoParquet file written by Swathe")
    if path.is_dir():
        return GeoParquetStore(path).scan()
    return DetectionsFile(path).scan(Query()).sorted()


def _fill(store: GeoParquetStore, detections: Detections) -> None:
    """Publish the detections run by run, scene by scene."""
    run_ids, scene_ids = detections.run_ids, detections.scene_ids
    for run in detections.runs:
        for (own, _), scene in detections.scenes.items():
            if own == run:
                part = detections.take((run_ids == run) & (scene_ids == scene.id))
                store.publish_scene(run, part, scene)
