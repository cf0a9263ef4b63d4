"""Named areas: names that begin or contain a text, their outlines, and what was found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import shapely
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from swathe.errors import UsageError
from swathe.store.exports.rows import json_text
from swathe.viewer.features import GEOJSON
from swathe.viewer.parameters import LONGEST_NAME, Conditions
from swathe.viewer.snapshot import UnknownError

if TYPE_CHECKING:
    from swathe.areas import Areas
    from swathe.viewer.library import Library

MOST_LISTED = 100
MOST_POINTS = 20_000  # of an outline; of more, it is drawn simpler


class AreasParameters(Conditions):
    """Which areas, and what is counted in them."""

    q: str = Field("", max_length=LONGEST_NAME, description="Text that the name holds, in any case.")
    counts: bool = Field(False, description="Whether to count the detections in each.")
    limit: int = Field(20, ge=1, le=MOST_LISTED, description="Areas at most.")


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Areas"])

    @router.get("/areas", summary="Names of areas, those first that begin with a text")
    def listed(request: Request, given: Annotated[AreasParameters, Query()]) -> Response:
        areas, snapshot = library.areas(), library.now()
        names = _matching(areas, given.q)[: given.limit]

        def entry(name: str) -> dict[str, Any]:
            about: dict[str, Any] = {"name": name, "bbox": list(areas[name].geometry.bounds)}
            if given.counts:
                about["classes"] = dict(
                    library.store.count(given.model_copy(update={"area": [name]}).query(library, snapshot))
                )
            return about

        version = f"{snapshot.version} {hash(areas)}"
        return library.answer(
            request, version, "application/json", lambda: json_text({"areas": [entry(name) for name in names]}).encode()
        )

    @router.get("/areas/{name:path}", summary="An area and its outline")
    def one(name: str) -> Response:
        try:
            area = library.areas()[name]
        except UsageError as error:
            raise UnknownError(str(error)) from error
        outline = area.geometry
        if shapely.get_num_coordinates(outline) > MOST_POINTS:
            west, _, east, _ = outline.bounds
            outline = outline.simplify((east - west) / MOST_POINTS)
        feature = {"type": "Feature", "id": area.name, "properties": {"name": area.name}}
        feature |= {"bbox": list(outline.bounds), "geometry": shapely.geometry.mapping(outline)}
        return Response(json_text(feature), media_type=GEOJSON)

    return router


def _matching(areas: Areas, text: str) -> list[str]:
    """Return names that hold a text; those first of which a level begins with it."""
    wanted = text.casefold()
    names = [name for name in areas.names if wanted in name.casefold()]
    return sorted(names, key=lambda name: (f"/{wanted}" not in f"/{name.casefold()}", name))
