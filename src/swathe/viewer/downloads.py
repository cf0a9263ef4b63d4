"""What is seen, as a file."""

from __future__ import annotations

import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from pydantic import Field
from starlette.background import BackgroundTask

from swathe.store import read
from swathe.store.exports import export
from swathe.store.exports.formats import chosen_format
from swathe.viewer.library import TooMuchError
from swathe.viewer.parameters import Conditions

if TYPE_CHECKING:
    from swathe.viewer.library import Library

MOST_ROWS = 200_000


class Kind(StrEnum):
    """What detections can be downloaded as."""

    GEOJSON = "geojson"
    GEOPACKAGE = "gpkg"
    FLATGEOBUF = "fgb"
    CSV = "csv"
    PARQUET = "parquet"


class DownloadParameters(Conditions):
    """Which detections, and as what."""

    format: Kind = Field(Kind.GEOJSON, description="Kind of file.")


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Detections"])

    @router.get("/download", summary="Detections as a file")
    def download(given: Annotated[DownloadParameters, Query()]) -> FileResponse:
        query = given.query(library, library.now())
        total = sum(library.store.count(query).values())
        if total > MOST_ROWS:
            raise TooMuchError(
                f"these are {total:,} detections, and a download has at most {MOST_ROWS:,}; ask for fewer, or use "
                "`swathe query`"
            )
        folder = Path(tempfile.mkdtemp(prefix="swathe-"))
        try:
            path = folder / f"detections.{given.format}"
            export(read(library.store, query), path, chosen_format(path))
        except BaseException:
            shutil.rmtree(folder)
            raise
        return FileResponse(path, filename=path.name, background=BackgroundTask(shutil.rmtree, folder))

    return router
