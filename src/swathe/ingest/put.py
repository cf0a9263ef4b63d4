"""Putting scenes into a folder of a cluster, each with a record of what it is beside it."""

from __future__ import annotations

import hashlib
import math
import mmap
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from swathe.detections import Detections, SceneInfo
from swathe.errors import StoreError
from swathe.raster.convert import ConvertOptions, convert
from swathe.raster.gdal import describing, open_dataset
from swathe.raster.opening import open_scene
from swathe.raster.origins import is_remote, redacted

if TYPE_CHECKING:
    from swathe.areas import Areas
    from swathe.files import Folder
    from swathe.raster.scene import Scene

RECORD_SUFFIX = ".scene.json"
VERSION = 1


@dataclass(frozen=True)
class Record:
    """What is known of a scene that was put somewhere."""

    file: str  # its name in the folder
    source: str  # where it came from
    fingerprint: tuple[int, int]  # of the source: bytes, and time of last change or hash of its version
    bytes: int  # of the file
    sha256: str  # of the file
    width: int  # pixels
    height: int  # pixels
    resolution: tuple[float, float] | None  # metres per pixel along columns and rows; None without georeference
    footprint: dict[str, Any] | None  # GeoJSON geometry in longitude and latitude; None without georeference
    acquired: str | None  # ISO 8601 in UTC
    areas: tuple[str, ...]  # names of the areas that it touches
    version: int = VERSION

    @property
    def name(self) -> str:
        """Its own name in the folder."""
        return self.file.rpartition(".")[0] + RECORD_SUFFIX


def put(
    source: str,
    folder: Folder,
    name: str,
    *,
    options: ConvertOptions | None = None,
    areas: Areas | None = None,
    overwrite: bool = False,
) -> tuple[Record, bool]:
    """Put a scene into a folder as cloud-optimised GeoTIFF, whole or not at all; what is there already is left alone.

    Args:
        source: A file or an address.
        folder: Where to.
        name: Of the scene there, without suffix.
        options: How to compress what must be converted; without loss if not given.
        areas: Named areas, of which the record lists those that the scene touches.
        overwrite: Whether another image of this name may be replaced.

    Returns:
        The record, and whether the scene was put there now.

    Raises:
        SourceError: If the source cannot be read.
        StoreError: If the name is taken by another image, or the folder cannot be written.
    """
    scene = open_scene(source, value_range=(0.0, 1.0))  # given, so that no pixels are measured
    known = read_record(folder, name)
    if known is not None and (known.source, known.fingerprint) == (redacted(scene.uri), scene.fingerprint):
        if known.file in folder.names(known.file):
            return known, False
    elif known is not None and known.source != redacted(scene.uri) and not overwrite:
        raise StoreError(f"{folder.address}/{known.file}: is another image, {known.source}; rename one of them")
    with tempfile.TemporaryDirectory() as place:
        path = _as_cog(scene, Path(place) / "scene.tif", options)
        with path.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # not closed: an error may still refer to it
        record = _record(scene, f"{name}.tif", data, areas)
        folder.put(record.file, memoryview(data))
    # Last: it says that all is there.
    folder.put(record.name, msgspec.json.format(msgspec.json.encode(record), indent=1))
    return record, True


def read_record(folder: Folder, name: str) -> Record | None:
    """Read what is known of a scene in a folder.

    Args:
        folder: The folder.
        name: Of the scene, without suffix.

    Returns:
        The record; None if there is none, or one that cannot be understood.

    Raises:
        StoreError: If the folder cannot be read.
    """
    data = folder.get(name + RECORD_SUFFIX)
    try:
        return None if data is None else msgspec.json.decode(data, type=Record)
    except msgspec.DecodeError:
        return None


def _as_cog(scene: Scene, path: Path, options: ConvertOptions | None) -> Path:
    """Return a file of tiles with overviews: the source if it is such a GeoTIFF, else what it is converted to."""
    if not is_remote(scene.uri):
        with open_dataset(scene.uri) as dataset, describing(scene.uri):
            layout = dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT")
            if dataset.driver == "GTiff" and (layout == "COG" or (scene.tiled and scene.overviews)):
                return Path(scene.uri)
    convert(scene.uri, path, options)
    return path


def _record(scene: Scene, file: str, data: mmap.mmap, areas: Areas | None) -> Record:
    """Describe a scene."""
    import shapely

    uri, footprint, resolution = redacted(scene.uri), None, None
    info = SceneInfo(scene.id, uri, scene.width, scene.height, scene.crs, scene.transform, scene.acquired)
    if info.georeferenced:
        # The scene as one box, and two thin ones along its sides: they are placed and measured as any object is.
        width, height = scene.width, scene.height
        thin = ((width, 0.01 * width, 0.0), (height, 0.01 * height, 0.5 * math.pi))
        boxes = [[0.5 * width, 0.5 * height, *sides] for sides in ((width, height, 0.0), *thin)]
        found = Detections.from_arrays(boxes, [1.0] * 3, [0] * 3, ["scene"], info, "scene")
        footprint = found[:1].footprints()[0]
        columns, rows = found[1:].measures()[:, 0].tolist()
        resolution = (columns / width, rows / height)
    placed = () if areas is None or footprint is None else areas
    touched = [area.name for area in placed if area.geometry.intersects(footprint)]
    return Record(
        file,
        uri,
        scene.fingerprint,
        len(data),
        hashlib.sha256(data).hexdigest(),
        scene.width,
        scene.height,
        resolution,
        None if footprint is None else msgspec.json.decode(shapely.to_geojson(footprint)),
        scene.acquired,
        tuple(touched),
    )
