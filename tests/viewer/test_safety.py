from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from memory_store import MemoryStore
from swathe.errors import StoreError
from swathe.viewer import safety
from swathe.viewer.app import make_app
from swathe.viewer.snapshot import scene_key

TOKEN = "0123456789abcdef0123456789abcdef"
PATHS = (
    "/",
    "/api/",
    "/api/runs",
    "/api/health",
    "/api/openapi.json",
    "/api/collections/detections/items",
    "/favicon.svg",
)


@pytest.fixture
def guarded(store: MemoryStore) -> TestClient:
    return TestClient(make_app(store, token=TOKEN), base_url="http://example.org:8765", follow_redirects=False)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_answered_without_the_token(guarded: TestClient, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": "swathe_token="}):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert TOKEN not in answer.text
    assert guarded.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in {200, 404}


def test_the_address_with_the_token_gives_a_cookie(guarded: TestClient) -> None:
    answer = guarded.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert guarded.get("/api/runs").status_code == 200  # the client keeps the cookie
    guarded.cookies.clear()
    assert guarded.get(f"/api/runs?token={TOKEN}").status_code == 401


def test_without_a_token_only_this_machine_is_answered(client: TestClient) -> None:
    for host in ("127.0.0.1:8765", "localhost", "[::1]:8765"):
        assert client.get("/api/runs", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"):
        assert client.get("/api/runs", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_changed(client: TestClient, method: str) -> None:
    for path in PATHS:
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_every_answer_binds_the_browser(client: TestClient) -> None:
    for path in (*PATHS, "/nothing", "/api/collections/detections/items?limit=0"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_base_map_may_be_fetched_from_its_host_only(store: MemoryStore) -> None:
    app = make_app(store, base_map="https://tiles.example/{z}/{x}/{y}.png")
    answer = TestClient(app, base_url="http://127.0.0.1").get("/api/settings")
    assert "connect-src 'self' https://tiles.example;" in answer.headers["content-security-policy"]
    assert answer.json()["base_map"] == "https://tiles.example/{z}/{x}/{y}.png"


NAMES = (
    "../../../../etc/passwd",
    "/etc/passwd",
    "/vsicurl/http://127.0.0.1:1/x.tif",
    "/vsizip//etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/latest",
    "' OR 1=1 --",
    '"; DROP TABLE x; --',
    "<script>alert(1)</script>",
    "\x00",
    "a\r\nSet-Cookie: x=1",
    "%2e%2e%2f%2e%2e%2f",
    "x" * 600,
    "💥" * 200,
    "\ud83d",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "*",
    "",
)
NUMBERS = ("nan", "inf", "1e400", "-1", "0x10", "1e308,1e308,1e308,1e308", "NaN,NaN,NaN,NaN", "1,2,3", "9" * 400)
PLACES = ("-1/0/0", "0/-1/0", "99/0/0", "3/8/0", "24/16777216/0", "nan/0/0", "1e3/0/0", "0/0/1", "9" * 50 + "/0/0")
NAMED = ("class", "run", "scene", "area", "q", "datetime", "format", "unknown", "v", "before")
NUMBERED = ("bbox", "min_score", "near", "polygon", "length", "width", "azimuth", "limit", "offset", "overlap")
READING = ("collections/detections/items", "counts", "changes", "download", "tiles/detections/3/1/1.mvt", "areas")


def hostile_addresses() -> list[str]:
    """Write requests that nobody would send who means well."""
    key, found = scene_key("aaaa1111", "town"), []
    for names, values in ((NAMED, NAMES), (NUMBERED, NUMBERS)):
        pairs = itertools.cycle(itertools.product(READING, names))
        for (path, name), value in zip(pairs, values * 10, strict=False):
            found.append(f"/api/{path}?{name}={quote(value, errors='replace')}")
    for value in NAMES:
        name = quote(value, safe="", errors="replace")
        found += [f"/{name}", f"/api/scenes/{name}/piece.webp", f"/api/areas/{name}"]
        found += [f"/api/collections/{name}", f"/api/collections/detections/items/{name}"]
    for place in PLACES:
        found += [f"/api/tiles/detections/{place}.mvt", f"/api/tiles/scenes/{place}.webp"]
        found += [f"/api/scenes/{key}/pixels/{place}.webp"]
    for query in ("width=100000", "left=-5", "left=599&width=2", "height=0", "left=" + "9" * 30, "width=nan"):
        found += [f"/api/scenes/{key}/piece.webp?{query}"]
    return found


def test_hostile_requests_are_refused_and_the_next_one_is_answered(client: TestClient) -> None:
    addresses = hostile_addresses()
    assert len(addresses) >= 300
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code < 500, address
        for secret in ("root:", "Traceback", str(Path.cwd()), "site-packages"):
            assert secret not in answer.text, address
        assert "set-cookie" not in answer.headers
    assert client.get("/api/health").json()["status"] == "ok"


def test_addresses_that_are_too_long_are_refused(client: TestClient) -> None:
    assert client.get("/api/runs?" + "x" * 20_000).status_code == 414


class _BrokenStore(MemoryStore):
    def runs(self) -> Any:
        raise StoreError("/secret/place: cannot be read; mount it")


def test_what_is_wrong_with_the_store_is_for_the_log_only() -> None:
    client = TestClient(make_app(_BrokenStore()), base_url="http://127.0.0.1")
    answer = client.get("/api/runs")
    assert answer.status_code == 503
    assert "secret" not in answer.text


class _FaultyStore(MemoryStore):
    def runs(self) -> Any:
        raise ZeroDivisionError("a fault")


def test_a_fault_shows_no_trace() -> None:
    client = TestClient(make_app(_FaultyStore()), base_url="http://127.0.0.1", raise_server_exceptions=False)
    answer = client.get("/api/runs")
    assert answer.status_code == 500
    assert answer.json()["code"] == "Fault"
    assert "Zero" not in answer.text


def test_an_answer_that_does_not_begin_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application is asked to wait for ever; the limit is set to nothing."""
    monkeypatch.setattr(safety, "LONGEST", 0.0)
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        never = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await never.wait()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/runs",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        await safety.Safety(slow, None, None)(scope, None, send)  # type: ignore[arg-type]
        never.set()

    asyncio.run(run())
    assert sent[0]["status"] == 422
    assert b"takes longer" in sent[1]["body"]
