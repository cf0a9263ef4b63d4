"""What must be known of a scene to place its detections on the ground and in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from swathe import arguments
from swathe.arguments import is_text
from swathe.errors import SourceError, UsageError
from swathe.raster.georeference import Transform
from swathe.times import parse_utc, utc_text

FloatArray: TypeAlias = npt.NDArray[np.float64]
Coordinates: TypeAlias = Literal["pixel", "lonlat", "crs", "geometry"]

EDGE_STEPS = 40  # halvings of a way through a scene: the last one is far below a pixel


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
        arguments.text("id", self.id, "the name of a scene")
        arguments.text("uri", self.uri, "where its pixels are")
        for name in ("width", "height"):
            arguments.whole_number(name, getattr(self, name), "pixels, a whole number")
        if self.crs is not None:
            arguments.text("crs", self.crs, "a coordinate reference system as WKT")
        if not self.id or not is_text(self.id) or not is_text(self.uri):
            raise UsageError(
                f"scene {self.id!r} ({self.uri!r}): its name must be Unicode text and not empty; rename it"
            )
        if self.width < 1 or self.height < 1:
            raise UsageError(f"scene {self.id!r}: {self.width} x {self.height} is not the size of an image")
        if self.transform is not None:
            accepted = "six finite numbers a, b, c, d, e, f"
            given = arguments.several("transform", self.transform, accepted)
            if len(given) != len("abcdef"):
                raise UsageError(f"scene {self.id!r}: ", argument="transform", value=self.transform, accepted=accepted)
            values = tuple(arguments.number("transform", value, accepted) for value in given)
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
            Points (n, 2) in these coordinates; for longitude and latitude, those beyond the edge of what the scene's
            reference system can describe (beyond a pole, for instance) lie on that edge.

        Raises:
            UsageError: If the scene has no georeference to place them with, or the coordinates are none of these.
            SourceError: If the middle of the scene has no longitude and latitude.
        """
        check_coordinates(coordinates)
        if coordinates == "pixel" or (coordinates == "geometry" and not self.georeferenced):
            return points
        if self.crs is None or self.transform is None:
            raise UsageError(f"scene {self.id!r} has no georeference; ask for pixel coordinates or filter by scene")
        from swathe.raster import georeference

        if coordinates == "crs":
            return georeference.to_crs(self.transform, points)
        placed = georeference.to_lonlat(self.crs, self.transform, points)
        beyond = ~np.isfinite(placed).all(axis=1)
        if beyond.any():
            placed[beyond] = self._edge_of_the_earth(points[beyond])
        return placed

    def _edge_of_the_earth(self, points: FloatArray) -> FloatArray:
        """Place points (n, 2) that have no longitude and latitude where the way from the middle of the scene ends.

        Pixels beyond a pole, or outside of the outline of a map of the whole earth, are correct pixels of a correct
        scene, and boxes may reach into them.

        Args:
            points: Points (n, 2) as x, y in scene pixels.

        Returns:
            Longitude, latitude (n, 2) in degrees.

        Raises:
            SourceError: If the middle of the scene has no longitude and latitude either.
        """
        from swathe.raster import georeference

        middle = np.array([self.width / 2, self.height / 2])
        inner, outer = np.zeros(len(points)), np.ones(len(points))  # shares of the way
        for _ in range(EDGE_STEPS):
            share = (inner + outer) / 2
            there = georeference.to_lonlat(self.crs, self.transform, middle + share[:, None] * (points - middle))
            known = np.isfinite(there).all(axis=1)
            inner, outer = np.where(known, share, inner), np.where(known, outer, share)
        placed = georeference.to_lonlat(self.crs, self.transform, middle + inner[:, None] * (points - middle))
        if not np.isfinite(placed).all():
            raise SourceError(
                f"scene {self.id!r} ({self.uri}) lies outside of the area its reference system can describe; "
                "correct its georeference"
            )
        return placed


def check_coordinates(coordinates: object) -> None:
    """Refuse coordinates that there are not."""
    known = get_args(Coordinates)
    if not isinstance(coordinates, str) or coordinates not in known:
        raise UsageError(argument="coordinates", value=coordinates, accepted=" or ".join(map(repr, known)))
