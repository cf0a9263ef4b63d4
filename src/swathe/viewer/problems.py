"""What goes wrong with a request, as an answer: a code and one sentence, never a trace."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from swathe.errors import Argument, MissingExtraError, SourceError, SwatheError, UsageError
from swathe.viewer.library import TooMuchError
from swathe.viewer.snapshot import UnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("swathe.viewer")
PARAMETERS = {
    "acquired": "datetime",
    "areas": "area",
    "box": "bbox",
    "classes": "class",
    "runs": "run",
    "scenes": "scene",
}
LONGEST = 500  # characters of a message
FORMS = ("string_pattern_mismatch", "extra_forbidden")  # of errors whose own words tell nothing


def problem(status: int, code: str, description: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make an answer of what went wrong, in the form of OGC API."""
    content = {"code": code, "description": description[:LONGEST]}
    return JSONResponse(content, status, headers=dict(headers or {}), media_type="application/json")


def as_parameter(argument: Argument) -> str:
    """Write an argument of a query as the parameter that gave it."""
    return str(replace(argument, name=PARAMETERS.get(argument.name, argument.name)))


def add_handlers(app: FastAPI) -> None:
    """Let an application answer with problems."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:])
        said = "is not of the form that /api.html describes" if first["type"] in FORMS else first["msg"]
        return problem(400, "InvalidParameterValue", f"{name}: {said}")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, "Refused", str(error.detail), error.headers)

    @app.exception_handler(SwatheError)
    async def expected(request: Request, error: SwatheError) -> JSONResponse:
        match error:
            case UnknownError():
                return problem(404, "NotFound", str(error))
            case TooMuchError() | MissingExtraError():
                return problem(422, "TooMuch", str(error))
            case UsageError():
                return problem(400, "InvalidParameterValue", error.message(as_parameter))
        log.warning("%s: %s", request.url.path, error)  # may name files and addresses: for the log only
        if isinstance(error, SourceError):
            return problem(404, "Unreadable", "the image of this scene cannot be read; the log of the server says why")
        return problem(503, "StoreUnreadable", "the store cannot be read; the log of the server says why")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s", request.url.path, exc_info=error)
        return problem(500, "Fault", "this is a fault of Swathe; the log of the server says more")
