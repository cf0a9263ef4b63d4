"""Scenes as items of STAC 1.1, which are features of OGC API too."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from swathe.detections.outline import outline_of
from swathe.stac import EARLIEST, STAC_VERSION
from swathe.store.exports.rows import json_text
from swathe.viewer.features import GEOJSON, Limit, Offset, page_links
from swathe.viewer.frames import pixel_zoom
from swathe.viewer.parameters import Basics

if TYPE_CHECKING:
    from shapely import STRtree
    from shapely.geometry.base import BaseGeometry

    from swathe.detections import SceneInfo
    from swathe.query import Query as DetectionQuery
    from swathe.query.values import Bounds
    from swathe.store.protocol import StoredScene
    from swathe.viewer.library import Library
    from swathe.viewer.snapshot import Snapshot


class ScenesParameters(Basics):
    """Which scenes, and which page of them."""

    limit: Limit = Field(100, description="Scenes of a page.")
    offset: Offset = Field(0, description="Scenes before the page.")


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Scenes"])

    @router.get("/collections/scenes/items", summary="Scenes, page by page")
    def items(request: Request, given: Annotated[ScenesParameters, Query()]) -> Response:
        from swathe.query import Query

        snapshot = library.now()
        query = Query(**given.fields(snapshot))

        def make() -> bytes:
            meant = [(key, scene) for key, scene in snapshot.scenes.items() if is_meant(scene, query)]
            page = meant[given.offset : given.offset + given.limit]
            links = page_links(request, given.offset, given.limit, len(meant) - given.offset)
            head = {"type": "FeatureCollection", "numberMatched": len(meant), "numberReturned": len(page)}
            found = [item(key, scene, snapshot, str(request.base_url)) for key, scene in page]
            return json_text({**head, "links": links, "features": found}).encode()

        return library.answer(request, snapshot.version, GEOJSON, make)

    @router.get("/collections/scenes/items/{key}", summary="One scene")
    def one(request: Request, key: str) -> Response:
        snapshot = library.now()
        stored, base = snapshot.scene(key), str(request.base_url)
        return library.answer(
            request, snapshot.version, GEOJSON, lambda: json_text(item(key, stored, snapshot, base)).encode()
        )

    return router


def is_meant(stored: StoredScene, query: DetectionQuery) -> bool:
    """Tell whether a query asks for a scene: its run, id and time are as asked, and its outline touches the regions."""
    if (query.runs is not None and stored.run not in query.runs) or not query.admits(stored.scene):
        return False
    if not query.regions:
        return True
    outline = footprint(stored.scene)
    return outline is not None and bool(query.touch_mask(np.array([outline], dtype=object))[0])


def touched(snapshot: Snapshot, box: Bounds) -> list[StoredScene]:
    """Return the scenes whose outlines touch a box of longitude and latitude that does not cross 180 degrees."""
    import shapely

    tree, scenes = _outlines(snapshot)
    return [scenes[number] for number in np.sort(tree.query(shapely.box(*box), predicate="intersects"))]


@lru_cache(maxsize=2)
def _outlines(snapshot: Snapshot) -> tuple[STRtree, list[StoredScene]]:
    """Return a tree over the outlines of all scenes that have one, and these scenes."""
    import shapely

    scenes = [stored for stored in snapshot.scenes.values() if footprint(stored.scene) is not None]
    return shapely.STRtree([footprint(stored.scene) for stored in scenes]), scenes


@lru_cache(maxsize=1 << 15)
def footprint(scene: SceneInfo) -> BaseGeometry | None:
    """Return what a scene covers, in longitude and latitude; None without georeference."""
    return outline_of(scene)


def item(key: str, stored: StoredScene, snapshot: Snapshot, base: str) -> dict[str, Any]:
    """Describe a scene as a STAC item.

    Args:
        key: Of the scene.
        stored: The scene.
        snapshot: For the time of its run.
        base: Address of the server, with a slash at the end.

    Returns:
        JSON values. The time is that when the picture was taken; if that is not known, it is the time before the run
        had looked at it.
    """
    import shapely

    scene, outline = stored.scene, footprint(stored.scene)
    api, found = f"{base}api", {}
    updated = next(run.updated for run in snapshot.runs if run.id == stored.run)
    times = {"start_datetime": EARLIEST, "end_datetime": updated} if scene.acquired is None else {}
    if outline is not None:
        found = {"bbox": list(outline.bounds)}
    kind = "tiles/scenes" if outline is not None else f"scenes/{key}/pixels"
    tiles = f"{api}/{kind}/{{z}}/{{x}}/{{y}}.webp"
    width, height = min(scene.width, 1024), min(scene.height, 1024)
    piece = f"{api}/scenes/{key}/piece.webp?width={width}&height={height}"
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": ["https://stac-extensions.github.io/web-map-links/v1.2.0/schema.json"],
        "id": key,
        "collection": "scenes",
        "geometry": None if outline is None else shapely.geometry.mapping(outline),
        **found,
        "properties": {
            "datetime": scene.acquired,
            **times,
            "title": scene.id,
            "updated": updated,
            "run": stored.run,
            "state": stored.state,
            "reason": stored.reason,
            "columns": scene.width,
            "rows": scene.height,
            "pixel_zoom": pixel_zoom(scene.width, scene.height),
            "windows": stored.windows,
            "detections": stored.detections,
            "classes": dict(stored.per_class),
        },
        "links": [
            {"rel": "self", "type": GEOJSON, "href": f"{api}/collections/scenes/items/{key}"},
            {"rel": "collection", "type": "application/json", "href": f"{api}/collections/scenes"},
            {"rel": "root", "type": "application/json", "href": f"{api}/"},
            {"rel": "xyz", "type": "image/webp", "href": tiles},
        ],
        "assets": {"piece": {"href": piece, "type": "image/webp", "roles": ["overview"]}},
    }
