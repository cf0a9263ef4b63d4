"""What must be known of a scene to place its detections on the ground and in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.detections.table import is_text
from swathe.errors import SourceError, UsageError
from swathe.times import parse_utc, utc_text

if TYPE_CHECKING:
    from swathe.raster.georeference import Transform

FloatArray: TypeAlias = npt.NDArray[np.float64]
Coordinates: TypeAlias = Literal["pixel", "lonlat", "crs", "geometry"]


@dataclass(frozen=True)
class SceneInfo:
    """What must be known of a scene to place its detections on the ground."""

    id: str  # name, unique within a run
    uri: str  # where the pixels are
    width: int  # columns, pixels
    height: int  # rows, pixels
    crs: str | None = None  # coordinate reference system as WKT, None without georeference
    transform: Transform | None = None  # a, b, c, d, e, f: x = a col + b row + c, y = d col + e row + f; None without
    acquired: str | None = None  # when the picture was taken, ISO 8601 in UTC ("2024-05-01T10:20:30Z"), None if unknown

    def __post_init__(self) -> None:
        """Refuse what cannot name or place a scene."""
        if not self.id or not is_text(self.id) or not is_text(self.uri):
            raise UsageError(
                f"scene {self.id!r} ({self.uri!r}): its name must be Unicode text and not empty; rename it"
            )
        if self.width < 1 or self.height < 1:
            raise UsageError(f"scene {self.id!r}: {self.width} x {self.height} is not the size of an image")
        if self.transform is not None:
            values = tuple(float(value) for value in self.transform)
            if np.shape(values) != (6,) or not np.isfinite(values).all():
                raise UsageError(f"scene {self.id!r}: transform {values} is not six finite numbers")
            object.__setattr__(self, "transform", values)
        if self.acquired is not None:
            object.__setattr__(self, "acquired", utc_text(parse_utc(self.acquired)))

    @property
    def georeferenced(self) -> bool:
        """Whether pixels can be placed on the ground."""
        return self.crs is not None and self.transform is not None

    def place(self, points: FloatArray, coordinates: Coordinates) -> FloatArray:
        """Bring points from scene pixels into other coordinates.

        Args:
            points: Points (n, 2) as x, y in scene pixels.
            coordinates: "pixel" leaves them as they are; "crs" gives x, y in the scene's reference system; "lonlat"
                gives longitude in [-180, 180] and latitude, in degrees; "geometry" is "lonlat" with georeference and
                "pixel" without.

        Returns:
            Points (n, 2) in these coordinates.

        Raises:
            UsageError: If the scene has no georeference to place them with.
            SourceError: If a point lies where the scene's reference system has no longitude and latitude.
        """
        if coordinates == "pixel" or (coordinates == "geometry" and not self.georeferenced):
            return points
        if self.crs is None or self.transform is None:
            raise UsageError(f"scene {self.id!r} has no georeference; ask for pixel coordinates or filter by scene")
        from swathe.raster import georeference

        if coordinates == "crs":
            return georeference.to_crs(self.transform, points)
        placed = georeference.to_lonlat(self.crs, self.transform, points)
        if not np.isfinite(placed).all():
            raise SourceError(
                f"scene {self.id!r} ({self.uri}) reaches beyond the area its reference system can describe; "
                "correct its georeference"
            )
        return placed
