"""A scene: what must be known of a raster to plan a run over it and to read it in another process.

Finding files and naming scenes (`find_sources`, `scene_ids`) can be imported from here too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from swathe.errors import SourceError, UsageError
from swathe.raster.bands import alpha_band, choose_bands
from swathe.raster.gdal import has_dataset_mask, open_dataset
from swathe.raster.pixels import measure_value_range
from swathe.raster.source import Source
from swathe.raster.sources import SUFFIXES, find_sources, scene_ids

__all__ = ["Scene", "find_sources", "open_scene", "scene_ids"]

Transform = tuple[float, float, float, float, float, float]

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
# Decoders make these while they read, aligned in ways of their own; those of other formats cover the scene exactly.
FORMATS_WITH_SHIFTED_OVERVIEWS = frozenset({"JPEG", "JP2OpenJPEG"})


@dataclass(frozen=True)
class Scene:
    """Description of one raster; a few hundred bytes that travel to workers."""

    id: str  # unique within a run
    uri: str  # absolute path of the file
    width: int  # columns, pixels
    height: int  # rows, pixels
    bands: tuple[int, ...]  # bands shown, counted from 1: red, green, blue, or one for grey or a palette
    dtype: str  # numpy name of the data type of these bands
    nodata: float | None  # value of pixels without data, None if there is no such value
    crs: str | None  # coordinate reference system as WKT, None without georeference
    transform: Transform | None  # a, b, c, d, e, f: x = a col + b row + c, y = d col + e row + f
    overviews: tuple[int, ...]  # how many times smaller each overview is, in the file's order
    tiled: bool  # blocks are narrower than the scene, so that a window can be read by itself
    block_shape: tuple[int, int]  # rows and columns of the file's blocks, pixels
    value_range: tuple[float, float] | None  # values shown as 0 and 255, None for 8-bit pixels shown as they are
    has_mask: bool  # some pixels may hold no data
    fingerprint: tuple[int, int]  # size in bytes and time of last change in nanoseconds
    alpha: int | None = None  # band that is 0 where there is no data, counted from 1

    def __post_init__(self) -> None:
        """Refuse a description that cannot be read by."""
        if self.width < 1 or self.height < 1:
            raise SourceError(f"{self.uri}: has {self.width} x {self.height} pixels, so there is nothing to look at")
        if len(self.bands) not in {1, 3} or min(self.bands) < 1:
            raise UsageError(f"bands {self.bands} of {self.uri}: give three (red, green, blue) or one, counted from 1")
        if self.value_range is not None:
            low, high = self.value_range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise UsageError(f"value range {low} to {high} of {self.uri}: must rise, and both must be numbers")

    def check_unchanged(self) -> None:
        """Make sure that the file is the one that was described.

        The files behind a VRT are not looked at, only the VRT itself.

        Raises:
            SourceError: If the file is gone or has another size or time of change.
        """
        if fingerprint(self.uri) != self.fingerprint:
            raise SourceError(
                f"{self.uri}: has changed since the run was planned; run again with --overwrite or a new store"
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        values = asdict(self)
        if self.nodata is not None and not math.isfinite(self.nodata):
            values["nodata"] = str(self.nodata)  # JSON has no NaN
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
            read["nodata"] = None if read["nodata"] is None else float(read["nodata"])
            return cls(**read)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"the description of a scene is damaged ({error}); plan the run again") from error


def open_scene(
    path: Path | str,
    *,
    bands: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    scene_id: str | None = None,
) -> Scene:
    """Describe a raster.

    Pixels of other types than 8 bit are brought to 0..255 by one linear scale for all windows and bands: from
    `value_range`, or else from the 2nd to the 98th percentile of a view of at most 1024 pixels a side.

    Args:
        path: A GeoTIFF, PNG, JPEG, VRT or JPEG 2000 file.
        bands: Bands to show, counted from 1: three for red, green, blue, or one for grey; None to go by their tags.
        value_range: Values to show as 0 and 255.
        scene_id: Id of the scene; by default the file's name without suffix.

    Returns:
        The description.

    Raises:
        SourceError: If the file is missing, empty, damaged, or not an image of a known format.
        UsageError: If the bands do not exist or the value range does not rise.
    """
    path = Path(path).expanduser().absolute()
    print_of_file = fingerprint(str(path))
    with open_dataset(str(path)) as dataset:
        chosen = choose_bands(dataset, bands)
        scene = _describe(dataset, path, chosen, scene_id or path.stem, print_of_file)
    scene = replace(scene, value_range=None if value_range is None else (float(value_range[0]), float(value_range[1])))
    if scene.dtype != "uint8" and scene.value_range is None:
        with Source(scene) as source:
            scene = replace(scene, value_range=measure_value_range(source))
    return scene


def _describe(dataset: Any, path: Path, bands: tuple[int, ...], scene_id: str, print_of_file: tuple[int, int]) -> Scene:
    a, b, c, d, e, f = (float(value) for value in dataset.transform[:6])
    placed = (a, b, c, d, e, f) != IDENTITY
    dtype, nodata, alpha = dataset.dtypes[bands[0] - 1], dataset.nodatavals[bands[0] - 1], alpha_band(dataset)
    shifted = dataset.driver in FORMATS_WITH_SHIFTED_OVERVIEWS
    masked = alpha is not None or nodata is not None or dtype.startswith("float")
    return Scene(
        id=scene_id,
        uri=str(path),
        width=dataset.width,
        height=dataset.height,
        bands=bands,
        dtype=dtype,
        nodata=None if nodata is None else float(nodata),
        crs=dataset.crs.to_wkt() if dataset.crs and placed else None,
        transform=(a, b, c, d, e, f) if placed else None,
        overviews=() if shifted else tuple(dataset.overviews(bands[0])),
        tiled=_is_tiled(dataset),
        block_shape=tuple(dataset.block_shapes[bands[0] - 1]),
        value_range=None,
        has_mask=masked or has_dataset_mask(dataset, bands[0]),
        fingerprint=print_of_file,
        alpha=alpha,
    )


def _is_tiled(dataset: Any) -> bool:
    """Whether a window can be read without reading the full width; a VRT is what the first file behind it is."""
    if dataset.driver == "VRT":
        behind = next((name for name in dataset.files[1:] if Path(name).suffix.lower() in SUFFIXES), None)
        if behind is not None and Path(behind).is_file():
            with open_dataset(behind) as first:
                return _is_tiled(first)
    return bool(dataset.block_shapes[0][1] < dataset.width)


def fingerprint(path: str) -> tuple[int, int]:
    """Return what changes when a file does.

    Args:
        path: The file.

    Returns:
        Its size in bytes and its time of last change in nanoseconds.

    Raises:
        SourceError: If it is missing, a folder, empty, or may not be read.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise SourceError(f"{path}: cannot be found ({error.strerror}); check the path") from error
    if Path(path).is_dir():
        raise SourceError(f"{path}: is a folder; name the image files in it")
    if status.st_size == 0:
        raise SourceError(f"{path}: is empty; fetch or export it again")
    return status.st_size, status.st_mtime_ns
