"""The command itself, asked through plain sockets: what no client library would send."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from memory_store import MemoryStore
from swathe.cli.main import main
from viewer_samples import keep

COMMAND = [sys.executable, "-c", "from swathe.cli.main import run; run()", "serve"]


@pytest.fixture(scope="module")
def folder(store: MemoryStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server") / "store"
    keep(store, folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def port(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    address = urlsplit(server.stdout.readline().strip())
    assert address.hostname == "127.0.0.1"
    return address.port or 0


def ask(port: int, *lines: str) -> str:
    """Send a request as it stands, and return the answer; a server may close before it has read all of a bad one."""
    parts = []
    with (
        socket.create_connection(("127.0.0.1", port), timeout=120) as connection,
        suppress(ConnectionResetError, BrokenPipeError),
    ):
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode("latin-1")


def healthy(port: int) -> bool:
    answer = ask(port, "GET /api/health HTTP/1.1", "Host: localhost")
    return json.loads(answer.partition("\r\n\r\n")[2])["status"] == "ok"


@pytest.mark.parametrize(
    "target",
    [
        "/../../../../../../etc/passwd",
        "//etc/passwd",
        "/assets/../../../../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/..\\..\\..\\etc\\passwd",
        "http://evil.example/etc/passwd",
        "/\x00",
        "*",
        "/api/scenes/..%2f..%2fetc%2fpasswd/piece.webp",
    ],
)
def test_no_path_leads_out_of_the_page(port: int, target: str) -> None:
    answer = ask(port, f"GET {target} HTTP/1.1", "Host: localhost")
    assert "root:" not in answer
    assert not answer.startswith("HTTP/1.1 5")
    assert healthy(port)


def test_damaged_requests_and_slow_clients_hold_nobody_up(port: int) -> None:
    with ExitStack() as stack:
        for begin in (
            b"",
            b"GET",
            b"GET /api/runs HTTP/1.1\r\nHost: loc",
            b"\x16\x03\x01\x00",
            b"POST / HTTP/1.1\r\nContent-Le",
        ) * 10:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(begin)
        assert healthy(port)
    assert "HTTP/1.1 400" in ask(port, "NONSENSE")
    assert not ask(port, "GET /api/runs HTTP/1.1", "Host: localhost", "X: " + "x" * 100_000).startswith("HTTP/1.1 5")
    assert healthy(port)


def test_ctrl_c_ends_it_also_while_pages_watch(server: subprocess.Popen[str], port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)
        server.send_signal(signal.SIGINT)
        server.wait(120)
    assert server.stderr is not None
    assert "Traceback" not in server.stderr.read()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "SWATHE_TOKEN"),
        (["--token", "short"], "--token"),
        (["--base-map", "nonsense"], "--base-map"),
        (["--host", "300.1.1.1", "--token", "0123456789abcdef"], "--port"),
    ],
)
def test_what_would_let_strangers_in_is_refused(
    folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SWATHE_TOKEN", raising=False)
    assert main(["serve", str(folder), *options]) == 2
    assert said in capsys.readouterr().err


def test_without_a_store_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(tmp_path / "nothing")]) == 5
    assert "there is no store" in capsys.readouterr().err
