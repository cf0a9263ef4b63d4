"""Servers on loopback that tests read from: one for files over HTTP that can misbehave, and one that speaks S3."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from requirements import need


@dataclass(frozen=True)
class Request:
    """What a client asked for, and what it got."""

    method: str
    path: str  # with the query string
    first: int | None  # first byte asked for, None without a range
    status: int
    sent: int  # bytes of the body


@dataclass
class FileServer:
    """Files under a folder over HTTP/1.1; its fields may be changed while it runs."""

    folder: Path
    address: str = ""  # http://127.0.0.1:port
    requests: list[Request] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)  # of the next answers; 200 lets one pass
    cuts: int = 0  # so many of the next answers with a range break off in the middle
    ignore_range: bool = False  # answer with the whole file, whatever was asked for
    hide_length: bool = False  # answer to HEAD without a length
    stalled: threading.Event | None = None  # answers wait until it is set
    headers: dict[str, str] = field(default_factory=dict)  # instead of those that it makes itself

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.address}/{name}"

    @property
    def gets(self) -> list[Request]:
        """The requests for content."""
        return [request for request in self.requests if request.method == "GET"]

    @property
    def sent(self) -> int:
        """Bytes of content that were sent."""
        return sum(request.sent for request in self.requests)


@contextmanager
def file_server(folder: Path) -> Iterator[FileServer]:
    """Serve a folder on a free port until the block ends."""
    served = FileServer(folder)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"served": served}))
    listener.daemon_threads = True
    served.address = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        if served.stalled is not None:
            served.stalled.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: FileServer

    def log_message(self, *_: object) -> None:
        """Say nothing: the requests are recorded."""

    def do_HEAD(self) -> None:
        """Answer with the headers of a file."""
        self._answer()

    def do_GET(self) -> None:
        """Answer with a file or a range of it."""
        self._answer()

    def _answer(self) -> None:
        served, asked = self.served, _range(self.headers.get("Range"))
        if served.stalled is not None:
            served.stalled.wait()
        path = served.folder / unquote(urlsplit(self.path).path).lstrip("/")
        status = served.statuses.popleft() if served.statuses else 200
        if status == 200 and not path.is_file():
            status = 404
        if status != 200:
            self._send(status, {"Content-Type": "text/plain"}, b"no", None)
            return
        content = path.read_bytes()
        made = {"ETag": f'"{path.stat().st_mtime_ns:x}"', "Content-Type": "application/octet-stream"}
        made = {name: value for name, value in (made | served.headers).items() if value}
        if asked is None or served.ignore_range:
            self._send(200, made | {"Accept-Ranges": "none" if served.ignore_range else "bytes"}, content, None)
            return
        first, last = asked[0], min(asked[1], len(content) - 1)
        if first > last:
            self._send(416, made | {"Content-Range": f"bytes */{len(content)}"}, b"", first)
            return
        made["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self._send(206, made, content[first : last + 1], first)

    def _send(self, status: int, headers: dict[str, str], body: bytes, first: int | None) -> None:
        served = self.served
        cut = served.cuts > 0 and status == 206
        served.cuts -= cut
        shown = b"" if self.command == "HEAD" else body[: len(body) // 2] if cut else body
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not (served.hide_length and self.command == "HEAD"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        served.requests.append(Request(self.command, self.path, first, status, len(shown)))
        self.close_connection = cut or served.hide_length
        try:
            self.wfile.write(shown)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has read enough


def _range(header: str | None) -> tuple[int, int] | None:
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", header or "")
    return None if found is None else (int(found[1]), int(found[2] or 1 << 62))


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run moto's S3 server on a free port, with the environment set for it, and yield its address."""
    need("moto")
    need("flask")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    settings = {
        "AWS_S3_ENDPOINT": f"127.0.0.1:{port}",
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
