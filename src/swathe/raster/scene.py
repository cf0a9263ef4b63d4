"""A scene: what must be known of a raster to plan a run over it and to read it in another process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from swathe.errors import SourceError, UsageError
from swathe.raster.fingerprint import fingerprint
from swathe.raster.georeference import Transform
from swathe.raster.ground import ground_sample_distance
from swathe.raster.origins import redacted


@dataclass(frozen=True)
class Scene:
    """Description of one raster; a few hundred bytes that travel to workers."""

    id: str  # unique within a run
    uri: str  # absolute path of the file, or its address, with everything that is needed to read it
    width: int  # columns, pixels
    height: int  # rows, pixels
    bands: tuple[int, ...]  # bands shown, counted from 1: red, green, blue and more, or one for grey or a palette
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
    decoder_bytes: int = 0  # memory that the decoder takes beside the pixels that are asked for
    sequential: bool = False  # rows can only be decoded from the first one on
    stamp: str = ""  # tells without opening the file that it would be described as before, see `raster.fingerprint`
    notes: tuple[str, ...] = ()  # what a user should know about how this file is read
    resolution: float | None = None  # metres per pixel on the ground as the caller says; a georeference goes before

    def __post_init__(self) -> None:
        """Refuse a description that cannot be read by."""
        if self.width < 1 or self.height < 1:
            raise SourceError(
                f"{redacted(self.uri)}: has {self.width} x {self.height} pixels, so there is nothing to look at"
            )
        if len(self.bands) in {0, 2} or min(self.bands) < 1:
            raise UsageError(
                f"bands {self.bands} of {redacted(self.uri)}: give three (red, green, blue), one, or more for a model, "
                "counted from 1"
            )
        if self.value_range is not None:
            low, high = self.value_range
            if not (low < high and math.isfinite(255.0 * low) and math.isfinite(255.0 * (high - low))):
                raise UsageError(
                    f"value range {low} to {high} of {redacted(self.uri)}: must rise, and both must be numbers"
                )
        if self.nodata is not None and len(self.nodata) != len(self.bands):
            raise UsageError(
                f"nodata {self.nodata} of {redacted(self.uri)}: give one value for each of the bands {self.bands}"
            )

    @property
    def georeferenced(self) -> bool:
        """Whether pixels can be placed on the ground."""
        return self.crs is not None and self.transform is not None

    @property
    def ground_resolution(self) -> float | None:
        """Metres per pixel on the ground, by the georeference or else as the caller said; None if nobody knows."""
        try:
            measured = ground_sample_distance(self.crs, self.transform, self.width, self.height)
        except SourceError:  # its reference system is unknown here
            measured = None
        return self.resolution if measured is None else measured

    def check_unchanged(self) -> None:
        """Make sure that the file is the one that was described, and so are the files beside and behind it.

        Raises:
            SourceError: If one of them is gone or has another size or time of change.
        """
        if fingerprint(self.uri) != self.fingerprint:
            raise SourceError(
                f"{redacted(self.uri)}: has changed since the run was planned; when it is whole, run the command again"
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
