"""Servers on loopback that tests read from: one for files over HTTP that can misbehave, and one that speaks S3.

They are processes of their own: GDAL may ask for a file while it holds the interpreter's lock, and a server in the same
process could then never answer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest

from requirements import need

LONGEST_ANSWER = 120  # seconds
REFUSAL = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"  # in the words of S3


@dataclass(frozen=True)
class Request:
    """What a client asked for, and what it got."""

    method: str
    path: str  # with the query string
    first: int | None  # first byte asked for, None without a range
    status: int
    sent: int  # bytes of the body


@dataclass
class Behaviour:
    """What the file server does beside serving files."""

    statuses: list[int] = field(default_factory=list)  # of the next answers; 200 lets one pass
    cuts: int = 0  # so many of the next answers with a range break off in the middle
    ignore_range: bool = False  # answer with the whole file, whatever was asked for
    hide_length: bool = False  # answer without a length
    broken: dict[str, int] = field(default_factory=dict)  # name -> byte from which on ranges of it give 503
    refused: list[str] = field(default_factory=list)  # methods that are answered by `refusal`
    refusal: int = 403
    delay: float = 0.0  # seconds before an answer
    token: str = ""  # clients must send it as their Authorization
    headers: dict[str, str] = field(default_factory=dict)  # instead of those that it makes itself; "" for none


@dataclass(frozen=True)
class FileServer:
    """A running file server, seen from a test."""

    address: str  # http://127.0.0.1:port

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.address}/{name}"

    def behave(self, **changes: Any) -> None:
        """Change its behaviour, see `Behaviour`; what is not named stays."""
        call = Call(self.address, json.dumps(changes).encode(), method="PUT")
        urlopen(call, timeout=LONGEST_ANSWER).close()

    def start_again(self, folder: Path) -> FileServer:
        """Serve another folder, with good behaviour and no requests so far."""
        self.behave(**asdict(Behaviour()), folder=str(folder))
        return self

    @property
    def requests(self) -> list[Request]:
        """All requests so far."""
        with urlopen(Call(self.address, method="OPTIONS"), timeout=LONGEST_ANSWER) as answer:
            return [Request(**values) for values in json.load(answer)]

    @property
    def sent(self) -> int:
        """Bytes of content that were sent so far."""
        return sum(request.sent for request in self.requests)


@contextmanager
def file_server(folder: Path) -> Iterator[FileServer]:
    """Serve a folder over HTTP/1.1 on a free port until the block ends."""
    with subprocess.Popen([sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield FileServer(process.stdout.readline().strip())
        finally:
            process.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    behaviour = Behaviour()
    requests: tuple[Request, ...] = ()

    def log_message(self, *_: object) -> None:
        """Say nothing: the requests are recorded."""

    def do_PUT(self) -> None:
        """Change the behaviour; where something else is put, answer as to every other request."""
        if urlsplit(self.path).path.strip("/"):
            self._answer()
            return
        changes = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "folder" in changes:
            type(self).folder, type(self).requests = Path(changes.pop("folder")), ()
        for name, value in changes.items():
            setattr(self.behaviour, name, value)
        self._send(200, {}, b"")

    def do_OPTIONS(self) -> None:
        """List the requests."""
        self._send(200, {}, json.dumps([asdict(request) for request in self.requests]).encode())

    def do_HEAD(self) -> None:
        """Answer with the headers of a file."""
        self._answer()

    def do_GET(self) -> None:
        """Answer with a file or a range of it."""
        self._answer()

    def _answer(self) -> None:
        behaviour, asked = self.behaviour, _range(self.headers.get("Range"))
        time.sleep(behaviour.delay)
        path = self.folder / unquote(urlsplit(self.path).path).lstrip("/")
        status = behaviour.statuses.pop(0) if behaviour.statuses else 200
        if status == 200 and not path.is_file():
            status = 404
        if behaviour.token and self.headers.get("Authorization") != behaviour.token:
            status = 401
        if asked is not None and asked[0] >= behaviour.broken.get(path.name, asked[0] + 1):
            status = 503
        if self.command in behaviour.refused:
            status = behaviour.refusal
        if status != 200:
            self._record(status, None, self._send(status, {"Content-Type": "text/xml"}, REFUSAL))
            return
        content = path.read_bytes()
        made = {"ETag": f'"{path.stat().st_mtime_ns:x}"', "Content-Type": "application/octet-stream"}
        made["Accept-Ranges"] = "none" if behaviour.ignore_range else "bytes"
        made = {name: value for name, value in (made | behaviour.headers).items() if value}
        if asked is None or behaviour.ignore_range:
            self._record(200, None, self._send(200, made, content))
            return
        first, last = asked[0], min(asked[1], len(content) - 1)
        if first > last:
            self._record(416, first, self._send(416, {"Content-Range": f"bytes */{len(content)}"}, b""))
            return
        made["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self._record(206, first, self._send(206, made, content[first : last + 1]))

    def _record(self, status: int, first: int | None, sent: int) -> None:
        type(self).requests += (Request(self.command, self.path, first, status, sent),)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> int:
        """Send an answer and return how many bytes of its body."""
        cut = status == 206 and self.behaviour.cuts > 0
        self.behaviour.cuts -= cut
        shown = b"" if self.command == "HEAD" else body[: len(body) // 2] if cut else body
        self.close_connection = cut or self.behaviour.hide_length
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.behaviour.hide_length:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(shown)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has read enough
        return len(shown)


def _range(header: str | None) -> tuple[int, int] | None:
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", header or "")
    return None if found is None else (int(found[1]), int(found[2] or 1 << 62))


def _serve(folder: str) -> None:
    _Handler.folder = Path(folder)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    listener.daemon_threads = True
    print(f"http://127.0.0.1:{listener.server_address[1]}", flush=True)  # noqa: T201 - read by the parent
    listener.serve_forever()


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run moto's S3 server on a free port, with the environment set for it, and yield its address."""
    need("moto")
    need("flask")
    code = (
        "import time; from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0, verbose=False); "
        "s.start(); print(s.get_host_and_port()[1], flush=True); time.sleep(1e6)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
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
            process.kill()


if __name__ == "__main__":
    _serve(sys.argv[1])
