"""What all exports tell of a detection, in pieces small enough that a million rows need little memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from swathe import arguments
from swathe.detections import Detections
from swathe.errors import UsageError
from swathe.store.schema import MEASURES, acquired_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CHUNK_ROWS = 10_000  # rows turned into text or geometries at a time
TIME = pa.timestamp("ms", "UTC")
ATTRIBUTES = pa.schema(
    [
        pa.field("run", pa.string()),  # run id
        pa.field("scene", pa.string()),  # scene id
        pa.field("class", pa.string()),  # class name
        pa.field("score", pa.float64()),  # confidence, 0 to 1
        pa.field("length_m", pa.float64()),  # longer side on the ground in metres, null without georeference
        pa.field("width_m", pa.float64()),  # shorter side on the ground in metres, null without georeference
        pa.field("azimuth_deg", pa.float64()),  # of the long side, clockwise from true north, [0, 180)
        pa.field("acquired", TIME),  # when the picture was taken, null if unknown
        pa.field("cx", pa.float64()),  # centre in scene pixels, to the right
        pa.field("cy", pa.float64()),  # centre in scene pixels, downwards
        pa.field("w", pa.float64()),  # long side in scene pixels
        pa.field("h", pa.float64()),  # short side in scene pixels
        pa.field("theta_degrees", pa.float64()),  # long side from right, clockwise on screen, [-90, 90)
        pa.field("cut", pa.bool_()),  # fragment cut by a window edge
    ]
)
CENTRE = ("longitude", "latitude")
CORNERS = tuple(f"{axis}{number}" for number in range(1, 5) for axis in "xy")
EVERY = pa.schema(
    [
        pa.field("id", pa.string()),  # RUN/SCENE/NUMBER
        *(pa.field(name, pa.float64()) for name in CENTRE),  # degrees of WGS 84, null without georeference
        *ATTRIBUTES,
        *(pa.field(name, pa.float64()) for name in CORNERS),  # corners in scene pixels, clockwise on screen
    ]
)


def chunks(detections: Detections) -> Iterator[Detections]:
    """Cut detections into pieces of `CHUNK_ROWS`."""
    for start in range(0, len(detections), CHUNK_ROWS):
        yield detections.take(range(start, min(start + CHUNK_ROWS, len(detections))))


def check_columns(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Check which columns shall be written.

    Args:
        names: Names of `EVERY`; None for those that a format has by itself.

    Returns:
        The names.

    Raises:
        UsageError: If there is none, one is unknown, or one is there twice.
    """
    if names is None:
        return None
    accepted = f"some of {', '.join(EVERY.names)}"
    given = arguments.names("columns", names, accepted)
    if not given or not set(given) <= set(EVERY.names) or len(set(given)) < len(given):
        raise UsageError(argument="columns", value=",".join(given), accepted=f"{accepted}, each once")
    return given


def attributes(chunk: Detections, names: Sequence[str] = ATTRIBUTES.names) -> pa.Table:
    """Return what is told of detections beside their geometry.

    Args:
        chunk: Some detections.
        names: Columns of `EVERY`.

    Returns:
        Table (n) of these columns.

    Raises:
        SourceError: If a box lies where a scene's reference system has no longitude and latitude.
    """
    known = chunk.table
    columns = {name: known.column(name).cast(pa.string()) for name in ("id", "run", "scene", "class")}
    columns |= {name: known.column(name) for name in ("score", "cx", "cy", "w", "h", "cut")}
    columns["theta_degrees"] = pa.array(np.degrees(chunk.boxes[:, 4]))
    columns["acquired"] = acquired_column(chunk).cast(TIME, safe=False)
    for group, values in (
        (MEASURES, Detections.measures),
        (CENTRE, Detections.centres),
        (CORNERS, lambda given: given.to_polygons("pixel").reshape(-1, len(CORNERS))),
    ):
        if not set(names).isdisjoint(group):
            columns |= {name: nullable(column) for name, column in zip(group, values(chunk).T, strict=True)}
    return pa.table([columns[name] for name in names], schema=pa.schema([EVERY.field(name) for name in names]))


def nullable(values: npt.NDArray[np.float64]) -> pa.Array:
    """Return a column in which NaN is null."""
    return pa.array(np.ascontiguousarray(values), mask=np.isnan(values))


def json_text(value: Any) -> str:
    """Return a value as one line of JSON.

    Args:
        value: JSON values; NaN is none.

    Returns:
        The text; members keep their order.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_listing(stream: BinaryIO, head: str, items: Iterable[str]) -> None:
    """Write a JSON object that ends in a long list, item by item.

    Args:
        stream: Where to.
        head: The object up to the bracket that opens the list.
        items: JSON text of each item.
    """
    stream.write(f"{head}\n".encode())
    separator = ""
    for item in items:
        stream.write(f"{separator}{item}".encode())
        separator = ",\n"
    stream.write(b"\n]}\n")
