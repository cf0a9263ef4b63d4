"""The conditions of a request: checked text of an address, and the query that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from swathe.errors import UsageError
from swathe.times import parse_utc

if TYPE_CHECKING:
    from swathe.query import Query
    from swathe.store.protocol import StoredScene
    from swathe.viewer.library import Library
    from swathe.viewer.snapshot import Snapshot

MOST_NAMES, LONGEST_NAME = 200, 500
MOST_CORNERS = 500  # of a polygon
OPEN_END = ("", "..")
LAST_TIME = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
NUMBER = r"[-+]?[0-9]{1,12}(\.[0-9]{0,20})?([eE][-+]?[0-9]{1,2})?"

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES)]
Numbers = Annotated[str | None, Field(max_length=400, pattern=rf"^{NUMBER}(,{NUMBER})+$")]
Span = Annotated[str | None, Field(max_length=80, pattern=rf"^({NUMBER})?\.\.({NUMBER})?$")]


class Basics(BaseModel):
    """Which scenes are meant."""

    model_config = ConfigDict(extra="forbid")

    bbox: Numbers = Field(None, description="west,south,east,north in degrees; west above east crosses 180.")
    taken: str | None = Field(
        None,
        alias="datetime",
        max_length=80,
        description="When scenes were taken: a time, or begin/end, either of which may be `..`.",
    )
    run: Names = Field([], description="Run: the beginning of its id, its name, or `latest`. All runs if not given.")
    scene: Names = Field([], description="Id of a scene.")

    def fields(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return the fields of a query.

        Args:
            snapshot: For the runs.

        Returns:
            Values by the names of `Query`.

        Raises:
            UsageError: If a value makes no sense, or names a run that there is not.
        """
        return {
            "box": box_of(self.bbox),
            "acquired": _period(self.taken),
            "runs": snapshot.find_runs(self.run) or None,
            "scenes": tuple(self.scene) or None,
        }


class Conditions(Basics):
    """Which detections are meant; conditions are combined by "and", several values of one by "or"."""

    classes: Names = Field([], alias="class", description="Name of a class.")
    min_score: float | None = Field(None, ge=0, le=1, allow_inf_nan=False, description="Lowest score.")
    area: Names = Field([], description="Name of an area of the store.")
    near: Numbers = Field(None, description="longitude,latitude,metres: what comes so near to this place.")
    polygon: str | None = Field(
        None,
        max_length=50 * MOST_CORNERS,
        pattern=rf"^{NUMBER},{NUMBER}(,{NUMBER},{NUMBER}){{2,{MOST_CORNERS - 1}}}$",
        description="Corners as longitude,latitude,longitude,latitude and so on.",
    )
    length: Span = Field(None, description="Shortest..longest in metres; either may be left out.")
    width: Span = Field(None, description="Narrowest..widest in metres; either may be left out.")
    azimuth: Span = Field(None, description="From..to in degrees clockwise from north, 0 to 180.")

    def query(self, library: Library, snapshot: Snapshot) -> Query:
        """Make the query; unless scenes are named, it only meets those with georeference.

        Args:
            library: For the named areas.
            snapshot: For the runs and scenes.

        Returns:
            The query.

        Raises:
            UsageError: If a value makes no sense, or names a run or area that there is not.
        """
        from swathe.query import Query

        fields = self.fields(snapshot)
        fields["scenes"] = fields["scenes"] or snapshot.on_ground(fields["runs"])
        fields |= {
            "polygon": _pairs(_numbers(self.polygon)),
            "areas": tuple(library.areas()[name] for name in self.area) or None,
            "near": _numbers(self.near),
            "length": _span(self.length),
            "width": _span(self.width),
            "azimuth": _span(self.azimuth),
            "classes": tuple(self.classes) or None,
            "min_score": self.min_score,
        }
        return Query(**fields)


class SceneConditions(BaseModel):
    """Which detections of one scene are meant."""

    model_config = ConfigDict(extra="forbid")

    classes: Names = Field([], alias="class", description="Name of a class.")
    min_score: float | None = Field(None, ge=0, le=1, allow_inf_nan=False, description="Lowest score.")

    def scene_query(self, stored: StoredScene, **more: Any) -> Query:
        """Make the query.

        Args:
            stored: The scene.
            **more: Further fields of the query.

        Returns:
            The query; a box in it is in pixels if the scene has no georeference.

        Raises:
            UsageError: If a value makes no sense.
        """
        from swathe.query import Query

        return Query(
            scenes=(stored.scene.id,),
            runs=(stored.run,),
            classes=tuple(self.classes) or None,
            min_score=self.min_score,
            **more,
        )


def box_of(text: str | None) -> tuple[float, ...] | None:
    """Read a box; of one with heights, as OGC API allows, only the sides on the ground.

    Args:
        text: Four or six numbers with commas between them, or None.

    Returns:
        Four numbers; others as they are, to be refused.
    """
    values = _numbers(text)
    return (*values[:2], *values[3:5]) if values is not None and len(values) == 6 else values


def _numbers(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(float(part) for part in text.split(","))


def _pairs(values: Sequence[float] | None) -> tuple[tuple[float, float], ...] | None:
    return None if values is None else tuple(zip(values[::2], values[1::2], strict=True))


def _span(text: str | None) -> tuple[float | None, float | None] | None:
    if text is None:
        return None
    low, _, high = text.partition("..")
    return (float(low) if low else None), (float(high) if high else None)


def _period(text: str | None) -> tuple[datetime | None, datetime | None] | None:
    """Return begin and end of a time of OGC API, whose end belongs to it."""
    if text is None:
        return None
    begin, is_interval, end = text.partition("/")
    end = end if is_interval else begin
    begin_at, end_at = (None if part in OPEN_END else parse_utc(part) for part in (begin, end))
    if begin_at is None and end_at is None:
        if is_interval:
            return None
        raise UsageError(f"datetime {text!r}: give a time such as 2024-05-01T10:20:30Z, or two with a slash between")
    return begin_at, None if end_at is None else min(end_at, LAST_TIME) + timedelta(microseconds=1)
