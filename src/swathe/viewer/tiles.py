"""The routes of tiles: detections as vector tiles, scenes as pictures."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from swathe.errors import SourceError
from swathe.raster.window import Window
from swathe.viewer.frames import DEEPEST, GroundFrame, PixelFrame, pixel_zoom
from swathe.viewer.images import encoded, overlaid
from swathe.viewer.library import TooMuchError
from swathe.viewer.parameters import Conditions, SceneConditions
from swathe.viewer.problems import log
from swathe.viewer.snapshot import UnknownError
from swathe.viewer.stac import is_meant, touched

if TYPE_CHECKING:
    from PIL.Image import Image

    from swathe.query import Query as DetectionQuery
    from swathe.store.protocol import StoredScene
    from swathe.viewer.frames import Frame
    from swathe.viewer.library import Library
    from swathe.viewer.snapshot import Snapshot

MVT, WEBP = "application/vnd.mapbox-vector-tile", "image/webp"
MOST_SCENES = 12  # whose pixels one tile shows
LARGEST_PIECE = 1024  # pixels of a side
EMPTY = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")  # one transparent pixel
Zoom = Annotated[int, Path(ge=0, le=DEEPEST)]
Place = Annotated[int, Path(ge=0, lt=1 << DEEPEST)]


class TileConditions(Conditions):
    """Which detections a tile shows."""

    v: str | None = Field(None, max_length=64, description="Any text; another one makes browsers ask again.")


class SceneTileConditions(SceneConditions):
    """Which detections of a scene a tile shows."""

    v: str | None = Field(None, max_length=64, description="Any text; another one makes browsers ask again.")


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Tiles"])

    @router.get("/tiles/detections/{z}/{x}/{y}.mvt", summary="Detections as a Mapbox Vector Tile of web Mercator")
    def boxes(request: Request, z: Zoom, x: Place, y: Place, given: Annotated[TileConditions, Query()]) -> Response:
        frame, snapshot = GroundFrame(z, *_inside(z, x, y)), library.now()
        query = given.query(library, snapshot)
        return _boxes(library, request, snapshot, query, frame)

    @router.get("/tiles/scenes/{z}/{x}/{y}.webp", summary="All scenes as a tile of web Mercator, the latest on top")
    def mosaic(request: Request, z: Zoom, x: Place, y: Place, given: Annotated[TileConditions, Query()]) -> Response:
        frame, snapshot = GroundFrame(z, *_inside(z, x, y)), library.now()
        query = replace(given.query(library, snapshot), box=None, polygon=None, areas=None, near=None)

        def make() -> bytes:
            meant = {scene.scene.uri: scene for scene in touched(snapshot, frame.bounds) if is_meant(scene, query)}
            if len(meant) > MOST_SCENES:
                return b""
            ordered = sorted(meant.values(), key=lambda scene: (scene.scene.acquired or "", scene.scene.id))
            return encoded(overlaid([part for scene in ordered if (part := _ground(library, scene, frame))]))

        return library.answer(request, snapshot.version, WEBP, make, EMPTY)

    _add_scene_routes(router, library)
    return router


def _add_scene_routes(router: APIRouter, library: Library) -> None:
    @router.get("/scenes/{key}/boxes/{z}/{x}/{y}.mvt", summary="Detections as a vector tile of a scene's pixels")
    def scene_boxes(
        request: Request, key: str, z: Zoom, x: Place, y: Place, given: Annotated[SceneTileConditions, Query()]
    ) -> Response:
        snapshot = library.now()
        stored = snapshot.scene(key)
        frame, query = _pixel_frame(stored, z, x, y), given.scene_query(stored)
        if stored.scene.georeferenced:
            raise UnknownError("this scene has a georeference; its boxes are in /api/tiles/detections")
        return _boxes(library, request, snapshot, query, frame)

    @router.get("/scenes/{key}/pixels/{z}/{x}/{y}.webp", summary="Pixels of a scene, as a pyramid of tiles")
    def pixels(request: Request, key: str, z: Zoom, x: Place, y: Place) -> Response:
        stored = library.now().scene(key)
        frame = _pixel_frame(stored, z, x, y)
        return library.answer(
            request, stored.fingerprint, WEBP, lambda: encoded(library.images.pixels(stored, frame)), EMPTY
        )

    @router.get("/scenes/{key}/piece.webp", summary="A piece of a scene at full resolution")
    def piece(
        request: Request,
        key: str,
        left: Annotated[int, Query(ge=0, lt=1 << 31)] = 0,
        top: Annotated[int, Query(ge=0, lt=1 << 31)] = 0,
        width: Annotated[int, Query(ge=1, le=LARGEST_PIECE)] = 256,
        height: Annotated[int, Query(ge=1, le=LARGEST_PIECE)] = 256,
    ) -> Response:
        stored = library.now().scene(key)
        if left + width > stored.scene.width or top + height > stored.scene.height:
            raise TooMuchError(f"the scene has {stored.scene.width} x {stored.scene.height} pixels; ask inside of them")
        window = Window(left, top, width, height)
        return library.answer(
            request, stored.fingerprint, WEBP, lambda: encoded(library.images.piece(stored, window)), EMPTY
        )


def _boxes(library: Library, request: Request, snapshot: Snapshot, query: DetectionQuery, frame: Frame) -> Response:
    version = snapshot.version
    return library.answer(request, version, MVT, lambda: library.blocks.tile(version, query, frame))


def _ground(library: Library, scene: StoredScene, frame: GroundFrame) -> Image | None:
    """Return a scene's part of a tile; one that cannot be read leaves the others to be seen."""
    try:
        return library.images.ground(scene, frame)
    except SourceError as error:
        log.warning("%s", error)
        return None


def _inside(zoom: int, column: int, row: int) -> tuple[int, int]:
    if column >= 1 << zoom or row >= 1 << zoom:
        raise UnknownError(f"there is no tile {zoom}/{column}/{row}: columns and rows go from 0 to 2^zoom - 1")
    return column, row


def _pixel_frame(stored: StoredScene, zoom: int, column: int, row: int) -> PixelFrame:
    deepest = pixel_zoom(stored.scene.width, stored.scene.height)
    if zoom > deepest:
        raise UnknownError(f"there is no tile of zoom {zoom}: the deepest of this scene is {deepest}")
    return PixelFrame(stored.scene.width, stored.scene.height, zoom, *_inside(zoom, column, row))
