"""A scene: what must be known of a raster to plan a run over it and to read it in another process.

Finding files and naming scenes (`find_sources`, `scene_ids`) can be imported from here too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from swathe.errors import SourceError, UsageError
from swathe.raster.acquisition import acquired
from swathe.raster.bands import (
    alpha_band,
    choose_bands,
    counts_from_white,
    full_range,
    has_palette,
    mask_bands,
    nodata_values,
)
from swathe.raster.decoders import decoder_bytes
from swathe.raster.fingerprint import fingerprint
from swathe.raster.gdal import describing, open_dataset
from swathe.raster.georeference import Transform
from swathe.raster.pixels import measure_value_range
from swathe.raster.placement import place
from swathe.raster.remote import is_remote, shown
from swathe.raster.source import Source
from swathe.raster.sources import SUFFIXES, find_sources, scene_ids

__all__ = ["Scene", "find_sources", "open_scene", "scene_ids"]

ValueRange = tuple[float, float] | Literal["percentile"]

# Decoders make these while they read, aligned in ways of their own; those of other formats cover the scene exactly.
FORMATS_WITH_SHIFTED_OVERVIEWS = frozenset({"JPEG", "JP2OpenJPEG"})
SEQUENTIAL_FORMATS = frozenset({"PNG", "JPEG"})
NOTHING_TO_MEASURE = "no data were found to measure its range of values by; if there are some, give --value-range"


@dataclass(frozen=True)
class Scene:
    """Description of one raster; a few hundred bytes that travel to workers."""

    id: str  # unique within a run
    uri: str  # absolute path of the file, or its address, with everything that is needed to read it
    width: int  # columns, pixels
    height: int  # rows, pixels
    bands: tuple[int, ...]  # bands shown, counted from 1: red, green, blue, or one for grey or a palette
    dtype: str  # numpy name of the data type of these bands
    nodata: tuple[float, ...] | None  # value of each of these bands where there is no data, None without such values
    crs: str | None  # coordinate reference system as WKT, None without georeference
    transform: Transform | None  # a, b, c, d, e, f: x = a col + b row + c, y = d col + e row + f
    overviews: tuple[int, ...]  # how many times smaller each overview is, in the file's order
    tiled: bool  # blocks are narrower than the scene, so that a window can be read by itself
    block_shape: tuple[int, int]  # rows and columns of the file's blocks, pixels
    value_range: tuple[float, float] | None  # values shown as 0 and 255, None for 8-bit pixels shown as they are
    has_mask: bool  # some pixels may hold no data
    fingerprint: tuple[int, int]  # size in bytes, and time of last change in nanoseconds or hash of the remote version
    alpha: int | None = None  # band that is 0 where there is no data, counted from 1
    inverted: bool = False  # low values are bright
    acquired: str | None = None  # ISO 8601 in UTC, "2024-05-01T10:20:30Z", None if the file does not tell
    decoder_bytes: int = 0  # memory that the decoder takes for the whole picture, 0 if it works row by row or by tiles
    sequential: bool = False  # rows can only be decoded from the first one on
    notes: tuple[str, ...] = ()  # what a user should know about how this file is read

    def __post_init__(self) -> None:
        """Refuse a description that cannot be read by."""
        if self.width < 1 or self.height < 1:
            raise SourceError(
                f"{shown(self.uri)}: has {self.width} x {self.height} pixels, so there is nothing to look at"
            )
        if len(self.bands) not in {1, 3} or min(self.bands) < 1:
            raise UsageError(
                f"bands {self.bands} of {shown(self.uri)}: give three (red, green, blue) or one, counted from 1"
            )
        if self.value_range is not None:
            low, high = self.value_range
            if not (low < high and math.isfinite(255.0 * low) and math.isfinite(255.0 * (high - low))):
                raise UsageError(
                    f"value range {low} to {high} of {shown(self.uri)}: must rise, and both must be numbers"
                )
        if self.nodata is not None and len(self.nodata) != len(self.bands):
            raise UsageError(
                f"nodata {self.nodata} of {shown(self.uri)}: give one value for each of the bands {self.bands}"
            )

    def check_unchanged(self) -> None:
        """Make sure that the file is the one that was described, and so are the files beside and behind it.

        Raises:
            SourceError: If one of them is gone or has another size or time of change.
        """
        if fingerprint(self.uri) != self.fingerprint:
            raise SourceError(
                f"{shown(self.uri)}: has changed since the run was planned; when it is whole, run the command again"
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        values = asdict(self)
        if self.nodata is not None:
            values["nodata"] = [value if math.isfinite(value) else str(value) for value in self.nodata]  # JSON: no NaN
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Scene:
        """Read what `to_json` gave.

        Args:
            values: The values, tuples may have become lists.

        Returns:
            The scene.

        Raises:
            SourceError: If the values do not describe a scene.
        """
        try:
            read: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
            }
            read["nodata"] = None if read["nodata"] is None else tuple(float(value) for value in read["nodata"])
            return cls(**read)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"the description of a scene is damaged ({error}); plan the run again") from error


def open_scene(
    path: Path | str,
    *,
    bands: Sequence[int] | None = None,
    value_range: ValueRange | None = None,
    scene_id: str | None = None,
) -> Scene:
    """Describe a raster.

    8-bit pixels are shown as they are, unless a value range is asked for. Those of other types are brought to 0..255
    by one linear scale for all windows and bands: from `value_range`, or else from the 2nd to the 98th percentile.

    Args:
        path: A GeoTIFF, PNG, JPEG, VRT or JPEG 2000 file, or the address of one.
        bands: Bands to show, counted from 1: three for red, green, blue, or one for grey; None to go by their tags.
        value_range: Values to show as 0 and 255, or "percentile" to measure them whatever the type.
        scene_id: Id of the scene; by default the file's name without suffix.

    Returns:
        The description.

    Raises:
        SourceError: If the file is missing, empty, damaged, or not an image of a known format.
        UsageError: If the bands do not exist or the value range does not rise.
    """
    uri = str(path) if is_remote(str(path)) else str(Path(path).expanduser().absolute())
    if not uri.isascii() and uri != uri.encode(errors="ignore").decode():
        raise SourceError(f"{shown(uri)}: its name is no UTF-8, so no store can hold it; rename the file")
    print_of_file = fingerprint(uri)
    with describing(uri), open_dataset(uri) as dataset:
        chosen = choose_bands(dataset, bands)
        scene = _describe(dataset, uri, chosen, scene_id or scene_ids([uri])[0], print_of_file)
        coloured = has_palette(dataset, chosen)
    if coloured or (value_range is None and (scene.dtype == "uint8" or scene.value_range is not None)):
        return scene
    if isinstance(value_range, tuple):
        return replace(scene, value_range=(float(value_range[0]), float(value_range[1])))
    with Source(scene) as source:
        measured = measure_value_range(source)
    if measured is None:
        return replace(scene, value_range=(0.0, 1.0), notes=(*scene.notes, NOTHING_TO_MEASURE))
    return replace(scene, value_range=measured)


def _describe(dataset: Any, uri: str, bands: tuple[int, ...], scene_id: str, print_of_file: tuple[int, int]) -> Scene:
    placement = place(dataset)
    dtype, nodata, alpha = dataset.dtypes[bands[0] - 1], nodata_values(dataset, bands), alpha_band(dataset)
    masked = alpha is not None or nodata is not None or dtype.startswith("float") or bool(mask_bands(dataset, bands))
    return Scene(
        id=scene_id,
        uri=uri,
        width=dataset.width,
        height=dataset.height,
        bands=bands,
        dtype=dtype,
        nodata=nodata,
        crs=placement.crs,
        transform=placement.transform,
        overviews=_overviews(dataset, uri, bands),
        tiled=_is_tiled(dataset),
        sequential=dataset.driver in SEQUENTIAL_FORMATS,
        block_shape=tuple(dataset.block_shapes[bands[0] - 1]),
        value_range=full_range(dataset, bands),
        has_mask=masked,
        fingerprint=print_of_file,
        alpha=alpha,
        inverted=counts_from_white(dataset, bands),
        acquired=acquired(dataset),
        decoder_bytes=decoder_bytes(dataset),
        notes=() if placement.note is None else (placement.note,),
    )


def _overviews(dataset: Any, uri: str, bands: tuple[int, ...]) -> tuple[int, ...]:
    """Return the overviews that show what the scene does: not those that lack its mask, nor all after such a one."""
    if dataset.driver in FORMATS_WITH_SHIFTED_OVERVIEWS:
        return ()
    factors, masks = tuple(dataset.overviews(bands[0])), mask_bands(dataset, bands)
    for number in range(len(factors)) if masks else ():
        with open_dataset(uri, number) as overview:
            if mask_bands(overview, bands) != masks:
                return factors[:number]
    return factors


def _is_tiled(dataset: Any) -> bool:
    """Whether a window can be read without reading the full width; a VRT is what the first file behind it is."""
    if dataset.driver == "VRT":
        behind = next((name for name in dataset.files[1:] if Path(name).suffix.lower() in SUFFIXES), None)
        if behind is not None and Path(behind).is_file():
            with open_dataset(behind) as first:
                return _is_tiled(first)
    return bool(dataset.block_shapes[0][1] < dataset.width)
