"""`swathe serve`: a map of a store in the browser."""

from __future__ import annotations

import socket
from types import FrameType
from typing import Annotated

import typer

from swathe.cli.output import echo
from swathe.errors import Argument, MissingExtraError, UsageError

TOKEN_VARIABLE = "SWATHE_TOKEN"
KEEP_ALIVE, STOPPING = 5, 3  # seconds that an idle connection stays open, and that open ones have when the server stops
MOST_AT_ONCE = 256  # requests under way
SHORTEST_TOKEN = 16  # characters


def serve(
    store: Annotated[str, typer.Argument(metavar="STORE", help="A store: a folder, or the address of one.")],
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; other machines reach all but 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar=TOKEN_VARIABLE,
            help=f"What every request must know. Others on this machine can see it here, but not in {TOKEN_VARIABLE}.",
        ),
    ] = None,
    base_map: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Tiles to show below, with {z}, {x}, {y}; without, no other host is asked."),
    ] = None,
) -> None:
    """Show a store on a map, in the browser; nothing in it is changed."""
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError(library="uvicorn", extra="serve") from error
    from swathe.store import open_store
    from swathe.viewer.app import make_app
    from swathe.viewer.page import page_is_built

    _check(host, token, base_map)
    app = make_app(open_store(store), token=token, base_map=base_map)
    config = uvicorn.Config(
        app,
        host,
        port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=STOPPING,
    )
    listening = _listen(host, port)
    where = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
    echo(f"{where}{f'?token={token}' if token else ''}")
    if not page_is_built():
        echo("the page is not built, only /api/ answers; run `make frontend`, which needs Node and npm", err=True)
    server = uvicorn.Server(config)
    leave = server.handle_exit

    def stop(signal: int, frame: FrameType | None) -> None:
        """End the streams first, which would hold the server back."""
        app.state.library.stopping = True
        leave(signal, frame)

    server.handle_exit = stop  # type: ignore[assignment, method-assign]
    server.run([listening])


def _check(host: str, token: str | None, base_map: str | None) -> None:
    """Refuse what would let strangers in."""
    from swathe.viewer.safety import LOOPBACK

    if host not in LOOPBACK and token is None:
        raise UsageError(
            Argument("host", host),
            f" lets other machines ask, who then must know a token: set {TOKEN_VARIABLE}, for instance to what "
            "`openssl rand -hex 16` prints",
        )
    if token is not None and not (len(token) >= SHORTEST_TOKEN and token.isascii() and token.isalnum()):
        raise UsageError(argument="token", accepted=f"at least {SHORTEST_TOKEN} letters and digits")
    if base_map is not None and not (base_map.startswith(("https://", "http://")) and "{z}" in base_map):
        accepted = "an address of tiles, such as https://HOST/{z}/{x}/{y}.png"
        raise UsageError(argument="base_map", value=base_map, accepted=accepted)


def _listen(host: str, port: int) -> socket.socket:
    """Take a port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=MOST_AT_ONCE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            argument="port", value=port, accepted=f"free on {host} ({error}); 0 takes any that is"
        ) from error
