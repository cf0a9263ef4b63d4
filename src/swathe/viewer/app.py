"""The application: routes, page and safety put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

import swathe
from swathe.viewer import areas, changes, description, downloads, features, live, stac, tiles
from swathe.viewer.library import Library
from swathe.viewer.page import STATIC, page_is_built
from swathe.viewer.problems import add_handlers
from swathe.viewer.safety import COOKIE, Safety
from swathe.viewer.snapshot import UnknownError

if TYPE_CHECKING:
    from swathe.store.protocol import Store

WORKERS = 8  # requests that read at once; others wait
SMALLEST_ZIPPED = 1000  # bytes
NOT_BUILT = "The page has not been built: run `make frontend` (it needs Node and npm). The requests are under /api/."


def make_app(store: Store, *, token: str | None = None, base_map: str | None = None) -> FastAPI:
    """Make the application that shows a store.

    Args:
        store: The store; it is only read.
        token: What every request must know; None for this machine only.
        base_map: Address of raster tiles with {z}, {x} and {y}, which the page may fetch from elsewhere.

    Returns:
        The application.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = WORKERS
        yield

    app = FastAPI(
        title="Swathe",
        version=swathe.__version__,
        summary="Detections and scenes of a store",
        openapi_url="/api/openapi.json",
        docs_url=None,  # these pages would fetch their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    library = app.state.library = Library(store)
    for module in (description, features, stac, areas, live, changes, downloads, tiles):
        app.include_router(module.make_router(library), prefix="/api")
    _add_page(app, token, base_map)
    add_handlers(app)
    app.add_middleware(GZipMiddleware, minimum_size=SMALLEST_ZIPPED, compresslevel=4)
    origin = None if base_map is None else "{0.scheme}://{0.netloc}".format(urlsplit(base_map))
    app.add_middleware(Safety, token=token, base_map=origin)
    return app


def _add_page(app: FastAPI, token: str | None, base_map: str | None) -> None:
    """Add the page and what it needs."""

    @app.get("/", include_in_schema=False)
    def page(request: Request) -> Response:
        if token is not None and "token" in request.query_params:
            response = RedirectResponse("/", status_code=303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
            return response
        if not page_is_built():
            raise UnknownError(NOT_BUILT)
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/api/settings", tags=["Description"], summary="What the page must know of this server")
    def settings() -> dict[str, str | None]:
        return {"version": swathe.__version__, "base_map": base_map}

    if STATIC.is_dir():
        app.mount("/", StaticFiles(directory=STATIC), name="static")
