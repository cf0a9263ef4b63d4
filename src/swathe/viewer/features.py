"""Detections as features: OGC API - Features, counts, and what lies in one scene's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from swathe.store.exports.geojson import features
from swathe.store.exports.rows import json_text
from swathe.viewer.parameters import Conditions, Numbers, SceneConditions, box_of
from swathe.viewer.snapshot import UnknownError

if TYPE_CHECKING:
    from swathe.detections import Detections
    from swathe.query import Query as DetectionQuery
    from swathe.viewer.library import Library
    from swathe.viewer.snapshot import Snapshot

GEOJSON = "application/geo+json"
MOST_FEATURES, FARTHEST = 10_000, 10_000_000  # of a page, and before it
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
Limit = Annotated[int, Field(ge=1, le=MOST_FEATURES)]
Offset = Annotated[int, Field(ge=0, le=FARTHEST)]


class ItemsParameters(Conditions):
    """Which detections, and which page of them."""

    limit: Limit = Field(100, description="Features of a page.")
    offset: Offset = Field(0, description="Features before the page.")


class SceneItemsParameters(SceneConditions):
    """Which detections of a scene, and which page of them."""

    bbox: Numbers = Field(None, description="xmin,ymin,xmax,ymax in pixels of the scene.")
    limit: Limit = Field(100, description="Features of a page.")
    offset: Offset = Field(0, description="Features before the page.")


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Detections"])

    @router.get("/collections/detections/items", summary="Detections, page by page")
    def items(request: Request, given: Annotated[ItemsParameters, Query()]) -> Response:
        snapshot = library.now()
        return _page(library, request, snapshot, given.query(library, snapshot), given)

    @router.get("/collections/detections/items/{identifier:path}", summary="One detection")
    def item(request: Request, identifier: str) -> Response:
        snapshot = library.now()
        return library.answer(
            request, snapshot.version, GEOJSON, lambda: _one(library, snapshot, identifier, str(request.base_url))
        )

    @router.get("/counts", summary="How many detections of each class")
    def counts(request: Request, given: Annotated[Conditions, Query()]) -> Response:
        snapshot = library.now()
        return _counts(library, request, snapshot, given.query(library, snapshot))

    _add_scene_routes(router, library)
    return router


def _add_scene_routes(router: APIRouter, library: Library) -> None:
    @router.get("/scenes/{key}/items", summary="Detections of a scene, in its pixels where it has no georeference")
    def scene_items(request: Request, key: str, given: Annotated[SceneItemsParameters, Query()]) -> Response:
        snapshot = library.now()
        query = given.scene_query(snapshot.scene(key), box=box_of(given.bbox))
        return _page(library, request, snapshot, query, given)

    @router.get("/scenes/{key}/counts", summary="How many detections of each class a scene has")
    def scene_counts(request: Request, key: str, given: Annotated[SceneConditions, Query()]) -> Response:
        snapshot = library.now()
        return _counts(library, request, snapshot, given.scene_query(snapshot.scene(key)))


def _page(
    library: Library,
    request: Request,
    snapshot: Snapshot,
    query: DetectionQuery,
    given: ItemsParameters | SceneItemsParameters,
) -> Response:
    def make() -> bytes:
        rows = library.rows(query, given.offset, given.limit + 1)
        return _collection(request, rows, given.offset, given.limit)

    return library.answer(request, snapshot.version, GEOJSON, make)


def _counts(library: Library, request: Request, snapshot: Snapshot, query: DetectionQuery) -> Response:
    def make() -> bytes:
        per_class = dict(library.store.count(query))
        return json_text({"total": sum(per_class.values()), "classes": per_class}).encode()

    return library.answer(request, snapshot.version, "application/json", make)


def _collection(request: Request, rows: Detections, offset: int, limit: int) -> bytes:
    """Write a page of features; `rows` may be one more than the page takes."""
    page = rows.take(range(min(limit, len(rows))))
    links = page_links(request, offset, limit, len(rows))
    head = {"type": "FeatureCollection", "numberReturned": len(page), "links": links}
    return f'{json_text(head)[:-1]},"features":[{",".join(features(page))}]}}'.encode()


def page_links(request: Request, offset: int, limit: int, rest: int) -> list[dict[str, Any]]:
    """Link to a page and those beside it.

    Args:
        request: Which asked for the page.
        offset: Features before the page.
        limit: Features of a page.
        rest: Features from the page on; one more than the limit stands for all that are more.

    Returns:
        JSON values.
    """
    links = [_link(request, "self", {})]
    if rest > limit:
        links.append(_link(request, "next", {"offset": offset + limit, "limit": limit}))
    if offset:
        links.append(_link(request, "prev", {"offset": max(0, offset - limit), "limit": limit}))
    return links


def _link(request: Request, relation: str, changed: dict[str, int]) -> dict[str, Any]:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    query = urlencode([*kept, *changed.items()])
    return {"rel": relation, "type": GEOJSON, "href": str(request.url.replace(query=query))}


def _one(library: Library, snapshot: Snapshot, identifier: str, base: str) -> bytes:
    """Write one feature."""
    from swathe.query import Query

    run, _, rest = identifier.partition("/")
    scene, _, _ = rest.rpartition("/")
    if any(found.run == run and found.scene.id == scene for found in snapshot.scenes.values()):
        for batch in library.store.scan(Query(runs=(run,), scenes=(scene,))):
            numbers = [n for n, known in enumerate(batch.table.column("id").to_pylist()) if known == identifier]
            for text in features(batch.take(numbers)):
                collection = f"{base}api/collections/detections"
                links = [
                    {"rel": "self", "type": GEOJSON, "href": f"{collection}/items/{identifier}"},
                    {"rel": "collection", "type": "application/json", "href": collection},
                ]
                return f'{text[:-1]},"links":{json_text(links)}}}'.encode()
    raise UnknownError(f"there is no detection {identifier!r}; an id is RUN/SCENE/NUMBER")
