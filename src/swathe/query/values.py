"""The values of conditions, checked: what a query is given may come as lists, arrays or text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe import arguments
from swathe.areas import Area
from swathe.errors import Argument, UsageError
from swathe.times import parse_utc

if TYPE_CHECKING:
    from datetime import datetime

Bounds: TypeAlias = tuple[float, float, float, float]
Range: TypeAlias = tuple[float | None, float | None]
Period: TypeAlias = "tuple[datetime | None, datetime | None]"

HALF_TURN, QUARTER_TURN = 180.0, 90.0  # degrees: the last longitude, azimuth and latitude
CORNERS = "three or more corners (x, y), all of them finite"
PLACE = "longitude and latitude in degrees, and a radius in metres"
OPEN = ": both ends are open; give one, or leave the condition out"
LARGEST_RADIUS = 5_000_000.0  # metres; a box's side is a straight line around the point to millimetres up to there


def name_list(names: Any, what: str) -> tuple[str, ...]:
    """Check names.

    Args:
        names: Any iterable of names.
        what: Of what, for the message.

    Returns:
        The names.

    Raises:
        UsageError: If it is not a list (one lone text would be read as its letters), something in it is not text, or a
            name is not Unicode, as what a shell passes on may be.
    """
    for name in (found := arguments.names(what, names, "a list of names")):
        if not arguments.is_text(name):
            raise UsageError(argument=what, value=name, accepted="text in UTF-8; type it again")
    return found


def area_list(areas: Any) -> tuple[Area, ...]:
    """Check areas.

    Args:
        areas: One, or any iterable of them.

    Returns:
        The areas.

    Raises:
        UsageError: If there is none, or something else among them.
    """
    listed = (areas,) if isinstance(areas, Area) else arguments.several("areas", areas, "an Area, or a list of them")
    wrong = next((area for area in listed if not isinstance(area, Area)), None)
    if wrong is not None:
        accepted = "an Area; look it up by name, as Areas.open(FILE)[NAME]"
        raise UsageError(argument="areas", value=wrong, accepted=accepted)
    if not listed:
        raise UsageError(argument="areas", value=areas, accepted="at least one area, or None for everywhere")
    return listed


def bounds(values: Any) -> Bounds:
    """Check a box.

    Args:
        values: Four numbers xmin, ymin, xmax, ymax in geometry coordinates.

    Returns:
        The box; xmin > xmax only if it lies across the antimeridian.

    Raises:
        UsageError: If these are not four finite numbers in this order.
    """
    box = _numbers(values, "box", "four finite numbers xmin, ymin, xmax, ymax")
    if box.shape != (4,) or not np.isfinite(box).all() or box[1] > box[3]:
        accepted = "four finite numbers xmin, ymin, xmax, ymax, ymin not above ymax"
        raise UsageError(argument="box", value=values, accepted=accepted)
    if box[0] > box[2] and (np.abs(box) > (HALF_TURN, QUARTER_TURN) * 2).any():
        raise UsageError(
            Argument("box", values),
            ": xmin is above xmax, which is a box across the antimeridian and must be in degrees, longitude from -180 "
            "to 180; otherwise give the smaller one first",
        )
    xmin, ymin, xmax, ymax = box.tolist()
    return xmin, ymin, xmax, ymax


def ring(values: Any) -> tuple[tuple[float, float], ...]:
    """Check a polygon.

    Args:
        values: Corners (n, 2) as x, y in geometry coordinates; closed or not.

    Returns:
        The corners, the first not repeated.

    Raises:
        UsageError: If they are fewer than three, not finite, or no simple ring.
    """
    import shapely

    corners = _numbers(values, "polygon", CORNERS)
    if corners.ndim == 2 and len(corners) > 1 and np.array_equal(corners[0], corners[-1]):
        corners = corners[:-1]
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
        raise UsageError(argument="polygon", value=values, accepted=CORNERS)
    outline = shapely.Polygon(corners)
    if not shapely.is_valid(outline):
        raise UsageError(f"the polygon has no simple outline ({shapely.is_valid_reason(outline)})")
    return tuple((x, y) for x, y in corners.tolist())


def disc(values: Any) -> tuple[float, float, float]:
    """Check a place and what is near it.

    Args:
        values: Longitude and latitude in degrees, radius in metres.

    Returns:
        The three numbers.

    Raises:
        UsageError: If one is missing, or out of its range.
    """
    numbers = _numbers(values, "near", PLACE)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise UsageError(argument="near", value=values, accepted=PLACE)
    longitude, latitude, radius = numbers.tolist()
    if abs(longitude) > HALF_TURN or abs(latitude) > QUARTER_TURN:
        raise UsageError(
            Argument("near", values), f": {longitude:g}, {latitude:g} is not a longitude and a latitude in degrees"
        )
    if not 0 <= radius <= LARGEST_RADIUS:
        raise UsageError(Argument("near", values), f": the radius must be 0 to {LARGEST_RADIUS:,.0f} metres")
    return longitude, latitude, radius


def size_range(values: Any, what: str) -> Range:
    """Check a range of sizes.

    Args:
        values: Smallest and largest size in metres, None for an open end.
        what: Of what, for the message.

    Returns:
        Both ends.

    Raises:
        UsageError: If both are open, one is not a size, or they do not rise.
    """
    low, high = _pair(values, what, "metres, None for an open end")
    accepted = "sizes in metres, the smallest first"
    low, high = (None if value is None else arguments.number(what, value, accepted) for value in (low, high))
    if low is None and high is None:
        raise UsageError(Argument(what, values), OPEN)
    if not 0 <= (0.0 if low is None else low) <= (math.inf if high is None else high):
        raise UsageError(argument=what, value=values, accepted="the smallest size in metres, then the largest")
    return low, high


def azimuth_range(values: Any) -> tuple[float, float]:
    """Check a range of directions.

    Args:
        values: Two directions in degrees, 0 to 180.

    Returns:
        Both; if the second is the smaller one, the range leads through north.

    Raises:
        UsageError: If one is missing or out of range.
    """
    accepted = "two directions from 0 to 180 degrees; a side has no front"
    first, last = (
        arguments.number("azimuth", value, accepted, 0.0, HALF_TURN) for value in _pair(values, "azimuth", "degrees")
    )
    return first, last


def period(values: Any) -> Period:
    """Check a time from begin to end.

    Args:
        values: Two times, ISO 8601 or datetimes; None for an open end.

    Returns:
        Both ends in UTC.

    Raises:
        UsageError: If both are open, one is not a time, or nothing lies between.
    """
    given = _pair(values, "acquired", "times")
    begin, end = (None if value is None else parse_utc(value, "acquired") for value in given)
    if begin is None and end is None:
        raise UsageError(Argument("acquired", values), OPEN)
    if begin is not None and end is not None and begin >= end:
        raise UsageError(Argument("acquired", values), ": nothing lies between; give the earlier time first")
    return begin, end


def _pair(values: Any, what: str, unit: str) -> tuple[Any, Any]:
    """Return two values."""
    found = arguments.several(what, values, f"two values ({unit})")
    if len(found) != 2:
        raise UsageError(argument=what, value=values, accepted=f"two values ({unit})")
    return found[0], found[1]


def _numbers(values: Any, what: str, accepted: str) -> npt.NDArray[np.float64]:
    """Return numbers as an array."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(argument=what, value=values, accepted=accepted) from error
