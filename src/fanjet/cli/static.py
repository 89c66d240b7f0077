"""`fanjet serve`: a static file server for development (04 §7.11)."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated

import typer

from fanjet.cli.options import IGNORES_ARGUMENTS, fail

Directory = Annotated[str, typer.Option("--dir", "-d", help="directory with the files")]
Port = Annotated[int, typer.Option("--port", "-p", help="port to listen on")]
Address = Annotated[str, typer.Option("--address", "-a", help="address to listen on; empty = all interfaces")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("serve", context_settings=IGNORES_ARGUMENTS)
    def serve(directory: Directory = "./", port: Port = 3000, address: Address = "") -> None:
        """Run a static file server (for development only)."""
        print(f"start serving {directory} on {address}:{port}", flush=True)
        try:
            server = ThreadingHTTPServer((address, port), partial(QuietHandler, directory=directory))
        except (OSError, OverflowError) as error:
            fail(error)
        with server:
            server.serve_forever()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, `index.html` and listings without a line per request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Log nothing."""
