"""Who may ask, how, and for how long: a token or this machine only, reading only, headers that bind the browser."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders

from swathe.viewer.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "swathe_token"
METHODS = ("GET", "HEAD")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LONGEST_ADDRESS = 16_000  # bytes of a path and its query
LONGEST = 30.0  # seconds until an answer begins
ENDLESS = "/api/events"


class Safety:
    """Stands before an application."""

    def __init__(self, app: ASGIApp, token: str | None, base_map: str | None) -> None:
        self._app = app
        self._token = token
        hosts = f" {base_map}" if base_map else ""
        self._headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{hosts}; "
                f"connect-src 'self'{hosts}; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
                "form-action 'self'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, guarded)
        elif scope["path"] == ENDLESS:
            await self._app(scope, receive, guarded)
        else:
            await self._in_time(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Return the answer to a request that may not go on."""
        headers = Headers(scope=scope)
        if scope["method"] not in METHODS:
            return problem(405, "ReadOnly", "this server only answers GET and HEAD", {"Allow": ", ".join(METHODS)})
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_ADDRESS:
            return problem(414, "TooLong", f"an address may have {LONGEST_ADDRESS:,} bytes")
        if self._token is None:
            # A page elsewhere could give its own host name this machine's address, and read the answers.
            host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
            if host.strip("[]") not in LOOPBACK:
                return problem(403, "WrongHost", "ask for http://127.0.0.1 or http://localhost")
            return None
        return None if self._knows_token(scope, headers) else _ask_for_token(scope["path"])

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether header, cookie or address hold the token, comparing in constant time."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        offers = [bearer if scheme.lower() == "bearer" else "", *_cookies(headers.getlist("cookie"))]
        offers += parse_qs(scope["query_string"].decode("latin-1")).get("token", []) if scope["path"] == "/" else []
        wanted = (self._token or "").encode()
        return any(hmac.compare_digest(offer.encode("utf-8", "replace"), wanted) for offer in offers)

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, unless it has not begun to in time; its thread then ends by itself."""
        began = asyncio.Event()
        late = False

        async def watched(message: Message) -> None:
            if not late:
                began.set()
                await send(message)

        answer = asyncio.ensure_future(self._app(scope, receive, watched))
        beginning = asyncio.ensure_future(began.wait())
        await asyncio.wait({answer, beginning}, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        if not began.is_set() and not answer.done():
            late = True
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            text = f"this takes longer than {LONGEST:g} seconds; ask for a smaller bbox, fewer classes or a deeper zoom"
            await problem(422, "TooLong", text)(scope, receive, send)
            return
        await answer


def _cookies(lines: Iterable[str]) -> list[str]:
    found = []
    for line in lines:
        try:
            cookie = SimpleCookie(line).get(COOKIE)
        except CookieError:
            continue
        found += [] if cookie is None else [cookie.value]
    return found


def _ask_for_token(path: str) -> ASGIApp:
    where = "open the address that `swathe serve` has printed" if path == "/" else "send it as `Authorization: Bearer`"
    return problem(401, "TokenNeeded", f"this server needs its token: {where}", {"WWW-Authenticate": "Bearer"})
