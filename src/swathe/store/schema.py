"""What is written into the head of a file of detections: its columns, the GeoParquet metadata and our own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from swathe.detections import SCHEMA, SceneInfo
from swathe.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from swathe.detections import Detections

SCHEMA_VERSION = 1
GEOPARQUET_VERSION = "1.1.0"
SWATHE_KEY, GEO_KEY = b"swathe", b"geo"
KIND = "detections"
BOUNDS = ("xmin", "ymin", "xmax", "ymax")
BBOX_TYPE = pa.struct([pa.field(name, pa.float64(), nullable=False) for name in BOUNDS])
FILE_SCHEMA = pa.schema(
    [
        *SCHEMA,
        pa.field("bbox", BBOX_TYPE, nullable=False),
        pa.field("geometry", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True)
class FileHead:
    """What a file says of its detections as a whole."""

    scenes: tuple[SceneInfo, ...]  # scenes that were looked at
    class_names: tuple[str, ...]  # classes that were looked for, in the model's order
    runs: Mapping[str, Mapping[str, Any]]  # run id -> model, settings

    @classmethod
    def of(cls, detections: Detections) -> FileHead:
        """Return the head of a file that holds these detections."""
        return cls(tuple(detections.scenes.values()), detections.class_names, detections.runs)

    def to_json(self) -> str:
        """Serialise; equal heads give equal text."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "scenes": [asdict(scene) for scene in self.scenes],
            "classes": list(self.class_names),
            "runs": {run: dict(info) for run, info in self.runs.items()},
        }
        return to_json(document)

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None, path: Path) -> FileHead:
        """Read the head of a file.

        Args:
            metadata: Key-value metadata of the file's schema.
            path: The file, for messages.

        Returns:
            The head.

        Raises:
            StoreError: If Swathe has not written it, or a newer version has, or it is damaged.
        """
        text = (metadata or {}).get(SWATHE_KEY)
        if text is None:
            raise StoreError(f"{path} is a Parquet file, but none of detections written by Swathe; name another one")
        document = parse_json(text, path)
        check_version(document, KIND, path)
        try:
            scenes = tuple(
                SceneInfo(**{**scene, "transform": scene["transform"] and tuple(scene["transform"])})
                for scene in document["scenes"]
            )
            return cls(scenes, tuple(document["classes"]), dict(document["runs"]))
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise StoreError(f"{path}: its description is damaged ({error}); restore or delete the file") from error


def geo_metadata(hulls: npt.NDArray[np.float64], *, georeferenced: bool) -> str:
    """Return the `geo` metadata of GeoParquet 1.1.

    Args:
        hulls: Rectangles (n, 4) around the geometries as xmin, ymin, xmax, ymax.
        georeferenced: Whether geometries are longitude and latitude; else they are pixels.

    Returns:
        JSON text.
    """
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in BOUNDS}},
    }
    if not georeferenced:
        column["crs"] = None  # left out it would mean OGC:CRS84
    if len(hulls):
        column["bbox"] = [*hulls[:, :2].min(axis=0).tolist(), *hulls[:, 2:].max(axis=0).tolist()]
    return to_json({"version": GEOPARQUET_VERSION, "primary_column": "geometry", "columns": {"geometry": column}})


def to_json(document: Mapping[str, Any], indent: int | None = None) -> str:
    """Serialise so that equal documents are equal text.

    Args:
        document: JSON values.
        indent: Blanks per level for people to read; None writes one line.

    Returns:
        JSON text with sorted keys.

    Raises:
        UsageError: If a value is none of JSON.
    """
    try:
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(
            document, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=separators, indent=indent
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"what is told of a run must be JSON values ({error}); convert it first") from error


def parse_json(text: bytes, path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        text: JSON text.
        path: Where it comes from, for messages.

    Returns:
        The object.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}); restore or delete it") from error
    if not isinstance(document, dict):
        raise StoreError(f"{path} is damaged (no JSON object); restore or delete it")
    return document


def check_version(document: Mapping[str, Any], kind: str, path: Path) -> None:
    """Refuse a document of another kind or version.

    Args:
        document: What was read.
        kind: The kind it must be.
        path: Where it comes from, for messages.

    Raises:
        StoreError: If this version of Swathe cannot read it.
    """
    found = document.get("kind"), document.get("schema_version")
    if found != (kind, SCHEMA_VERSION):
        raise StoreError(
            f"{path} is of kind {found[0]!r}, version {found[1]!r}; this version of Swathe reads {kind!r}, version "
            f"{SCHEMA_VERSION}. Update Swathe, or detect again into a new store"
        )
