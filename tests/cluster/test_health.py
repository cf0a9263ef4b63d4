"""What a server answers while it starts is no health, and no error either."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from swathe_cluster import health


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (b"", 0),
        (b"<html>", 0),
        (b"\xff", 0),
        (b"null", 0),
        (b'{"beans": []}', 0),
        (b'{"beans": [{"FSState": "Operational"}]}', 0),
        (b'{"beans": [{"FSState": "Operational", "NumLiveDataNodes": null}]}', 0),
        (b'{"clusterInfo": null}', 0),
        (b'{"clusterInfo": {"state": "STARTED"}, "nodes": {"node": [{}]}}', 0),
        (b'{"be', 50),  # bytes that were promised and do not come
    ],
)
def test_a_server_that_starts(body: bytes, missing: int) -> None:
    class Starting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + missing))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Starting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports = dict.fromkeys(("namenode-http", "rm-http"), server.server_port)
        assert (health.hdfs(ports), health.yarn(ports)) == (0, 0)
        server.shutdown()
