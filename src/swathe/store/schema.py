"""What is written into the head of a file of detections: its columns, the GeoParquet metadata and our own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from swathe.detections import NAME_TYPE, SCHEMA, SceneInfo
from swathe.detections.table import pair_codes
from swathe.errors import StoreError, UsageError
from swathe.times import parse_utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from swathe.detections import Detections

SCHEMA_VERSION = 3
GEOPARQUET_VERSION = "1.1.0"
SWATHE_KEY, GEO_KEY = b"swathe", b"geo"
KIND = "detections"
BOUNDS = ("xmin", "ymin", "xmax", "ymax")
BBOX_TYPE = pa.struct([pa.field(name, pa.float64(), nullable=False) for name in BOUNDS])
MEASURES = ("length_m", "width_m", "azimuth_deg")
TIME_TYPE = pa.timestamp("us", "UTC")
GEOMETRY_FIELDS = (pa.field("bbox", BBOX_TYPE, nullable=False), pa.field("geometry", pa.binary(), nullable=False))
NAME_COLUMNS = tuple(field.name for field in SCHEMA if field.type == NAME_TYPE)
# GDAL takes each column that Arrow calls a dictionary as numbers, and knows the names of the first row group alone.
FILE_SCHEMA = pa.schema(
    [
        *(field.with_type(pa.string()) if field.name in NAME_COLUMNS else field for field in SCHEMA),
        *(pa.field(name, pa.float64()) for name in MEASURES),
        pa.field("acquired", TIME_TYPE),
        *GEOMETRY_FIELDS,
    ]
)


@dataclass(frozen=True)
class FileHead:
    """What a file says of its detections as a whole."""

    scenes: Mapping[tuple[str, str], SceneInfo]  # scenes that were looked at, by run and id
    class_names: tuple[str, ...]  # classes that were looked for, in the model's order
    runs: Mapping[str, Mapping[str, Any]]  # run id -> model, settings

    @classmethod
    def of(cls, detections: Detections) -> Self:
        """Return the head of a file that holds these detections."""
        return cls(dict(sorted(detections.scenes.items())), detections.class_names, detections.runs)

    @classmethod
    def guessed(
        cls,
        runs: pa.ChunkedArray,
        scenes: pa.ChunkedArray,
        classes: pa.ChunkedArray,
        boxes: npt.NDArray[np.float64],
        name: str,
    ) -> Self:
        """Describe rows that another program has written anew, without what was told of them: places are pixels then.

        Args:
            runs: Run ids (n,), a dictionary column.
            scenes: Scene ids (n,), a dictionary column.
            classes: Class names (n,), a dictionary column.
            boxes: cx, cy, w, h (n, 4) in pixels.
            name: Where they come from.

        Returns:
            The head; scenes are as large as their boxes reach, and their pixels are nowhere else than in the file.
        """
        keys, codes = pair_codes(runs, scenes)
        reach = np.ceil(boxes[:, :2] + boxes[:, 2:].sum(axis=1, keepdims=True) / 2)
        known = {}
        for number, key in enumerate(keys):
            width, height = np.maximum(1, reach[codes == number].max(axis=0)).astype(np.int64).tolist()
            known[key] = SceneInfo(key[1], name, width, height)
        return cls(known, tuple(sorted(pc.unique(classes).to_pylist())), {run: {} for run, _ in keys})

    @property
    def georeferenced(self) -> bool:
        """Whether its geometries are longitude and latitude; else they are pixels."""
        return any(scene.georeferenced for scene in self.scenes.values())

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "scenes": [{"run": run, **asdict(scene)} for (run, _), scene in self.scenes.items()],
            "classes": list(self.class_names),
            "runs": {run: dict(info) for run, info in self.runs.items()},
        }

    def to_json(self) -> str:
        """Serialise.

        Returns:
            JSON text; equal heads give equal text.

        Raises:
            UsageError: If a run's description is not JSON.
        """
        return to_json(self.document())

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None, path: str) -> Self:
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
        return cls.from_document(parse_json(text, path), path)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], path: str) -> Self:
        """Make a head of JSON values.

        Args:
            document: What `document` has returned.
            path: Where it comes from, for messages.

        Returns:
            The head.

        Raises:
            StoreError: If a newer version has written it, or it is damaged.
        """
        check_version(document, KIND, path)
        try:
            scenes = {
                (str(scene.pop("run")), str(scene["id"])): SceneInfo(**scene) for scene in map(dict, document["scenes"])
            }
            runs = {str(run): dict(about) for run, about in document["runs"].items()}
            return cls(scenes, tuple(document["classes"]), runs)
        except (KeyError, TypeError, AttributeError, ValueError, UsageError) as error:
            raise StoreError(f"{path}: its description is damaged ({error}); restore or delete the file") from error


def geo_metadata(hulls: npt.NDArray[np.float64], types: Sequence[str], *, georeferenced: bool) -> str:
    """Return the `geo` metadata of GeoParquet 1.1.

    Args:
        hulls: Rectangles (n, 4) around the geometries as xmin, ymin, xmax, ymax.
        types: Which types of geometry there are, sorted.
        georeferenced: Whether geometries are longitude and latitude; else they are pixels.

    Returns:
        JSON text.
    """
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": list(types),
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in BOUNDS}},
    }
    if not georeferenced:
        column["crs"] = None  # left out it would mean OGC:CRS84
    if len(hulls):
        column["bbox"] = [*hulls[:, :2].min(axis=0).tolist(), *hulls[:, 2:].max(axis=0).tolist()]
    return to_json({"version": GEOPARQUET_VERSION, "primary_column": "geometry", "columns": {"geometry": column}})


def acquired_column(detections: Detections) -> pa.Array:
    """Return when the scene of each detection was acquired.

    Args:
        detections: The detections.

    Returns:
        Timestamps (n,), null where it is unknown.
    """
    keys, codes = detections.scene_codes()
    texts = [detections.scenes[key].acquired for key in keys]
    times = [None if text is None else parse_utc(text) for text in texts]
    return pa.array(times, TIME_TYPE).take(pa.array(codes))


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


def parse_json(text: bytes, path: str) -> dict[str, Any]:
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
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged ({error}); restore or delete it") from error
    if not isinstance(document, dict):
        raise StoreError(f"{path} is damaged (no JSON object); restore or delete it")
    return document


def check_version(document: Mapping[str, Any], kind: str, path: str) -> int:
    """Refuse a document of another kind, or of a version that is not known here.

    Args:
        document: What was read.
        kind: The kind it must be.
        path: Where it comes from, for messages.

    Returns:
        Its version.

    Raises:
        StoreError: If this version of Swathe cannot read it.
    """
    found, version = document.get("kind"), document.get("schema_version")
    if found != kind:
        raise StoreError(f"{path} is of kind {found!r}; this version of Swathe reads {kind!r}. Name another one")
    if version != SCHEMA_VERSION:
        newest = SCHEMA_VERSION
        reason = f"newer than {newest}, the last" if isinstance(version, int) and version > newest else "none"
        raise StoreError(
            f"{path} is of schema version {version!r}, {reason} that this version of Swathe knows; update Swathe, or "
            "detect again into a new store"
        )
    return int(version)
