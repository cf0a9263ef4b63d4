"""What there is to ask for: landing page, conformance and collections of OGC API, health and version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

import swathe
from swathe.stac import STAC_VERSION
from swathe.viewer.features import CRS84, GEOJSON
from swathe.viewer.snapshot import UnknownError
from swathe.viewer.stac import footprint

if TYPE_CHECKING:
    from swathe.viewer.library import Library
    from swathe.viewer.snapshot import Snapshot

CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
)
JSON, OPENAPI = "application/json", "application/vnd.oai.openapi+json;version=3.1"
COLLECTIONS = {
    "detections": ("Detections", "Oriented boxes with class, score, size and direction."),
    "scenes": ("Scenes", "The images that were looked at."),
}


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Description"])

    @router.get("/", summary="Where to find what")
    def landing(request: Request) -> dict[str, Any]:
        base = f"{request.base_url}api"
        links = [
            _link("self", JSON, f"{base}/", "This page"),
            _link("root", JSON, f"{base}/", "This page"),
            _link("service-desc", OPENAPI, f"{base}/openapi.json", "The description of all requests"),
            _link("service-doc", "text/html", f"{request.base_url}api.html", "The same, to read"),
            _link("conformance", JSON, f"{base}/conformance", "The standards that are kept to"),
            _link("data", JSON, f"{base}/collections", "Detections and scenes"),
            *(_link("child", JSON, f"{base}/collections/{name}", COLLECTIONS[name][0]) for name in COLLECTIONS),
        ]
        about = {"type": "Catalog", "stac_version": STAC_VERSION, "id": "swathe", "title": "Swathe"}
        return {
            **about,
            "description": "Oriented objects that were found in remote sensing images.",
            "conformsTo": CONFORMANCE,
            "links": links,
        }

    @router.get("/conformance", summary="Standards")
    def conformance() -> dict[str, Any]:
        return {"conformsTo": CONFORMANCE}

    @router.get("/collections", summary="Collections")
    def collections(request: Request) -> dict[str, Any]:
        snapshot, base = library.now(), f"{request.base_url}api/collections"
        return {
            "collections": [_collection(name, snapshot, base) for name in COLLECTIONS],
            "links": [_link("self", JSON, base, "Collections")],
        }

    @router.get("/collections/{name}", summary="One collection")
    def collection(request: Request, name: str) -> dict[str, Any]:
        if name not in COLLECTIONS:
            raise UnknownError(f"there is no collection {name!r}; there are {' and '.join(COLLECTIONS)}")
        return _collection(name, library.now(), f"{request.base_url}api/collections")

    @router.get("/health", summary="Whether the store can be read, and the version of Swathe")
    def health() -> dict[str, str]:
        library.now()
        return {"status": "ok", "version": swathe.__version__}

    return router


def _collection(name: str, snapshot: Snapshot, base: str) -> dict[str, Any]:
    title, description = COLLECTIONS[name]
    outlines = [outline for stored in snapshot.scenes.values() if (outline := footprint(stored.scene)) is not None]
    edges = [outline.bounds for outline in outlines] or [(-180.0, -90.0, 180.0, 90.0)]
    west, south, east, north = zip(*edges, strict=True)
    times = sorted(stored.scene.acquired for stored in snapshot.scenes.values() if stored.scene.acquired is not None)
    interval = [times[0], times[-1]] if times else [None, None]
    extent = {
        "spatial": {"bbox": [[min(west), min(south), max(east), max(north)]], "crs": CRS84},
        "temporal": {"interval": [interval]},
    }
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": name,
        "title": title,
        "description": description,
        "license": "other",
        "extent": extent,
        "itemType": "feature",
        "crs": [CRS84],
        "links": [
            _link("self", JSON, f"{base}/{name}", title),
            _link("items", GEOJSON, f"{base}/{name}/items", title),
            _link("root", JSON, f"{base.removesuffix('collections')}", "Where to find what"),
        ],
    }


def _link(relation: str, kind: str, address: str, title: str) -> dict[str, str]:
    return {"rel": relation, "type": kind, "href": address, "title": title}
