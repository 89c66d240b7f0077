"""`fanjet dev`: a development server without configuration, and a page that shows its activity."""

from typing import Annotated

import typer

import fanjet
from fanjet.config import Loaded
from fanjet.dev.assets import SdkMissing, static_routes
from fanjet.dev.settings import DEFAULT_ADDRESS, DEFAULT_PORT, ListenAddress, dev_config, startup_message

Address = Annotated[str, typer.Option("--address", "-a", help="Interface to listen on; anything but loopback is open.")]
Port = Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port to listen on.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dev", help="Start an insecure development server with a page to try it on.")(dev)


def dev(address: Address = DEFAULT_ADDRESS, port: Port = DEFAULT_PORT) -> None:
    """Say what is insecure, then serve until stopped."""
    listen = ListenAddress(address, port)
    try:
        routes = static_routes()
    except SdkMissing as missing:
        typer.echo(f"error: {missing}", err=True)
        raise typer.Exit(1) from None
    typer.echo(startup_message(listen, fanjet.__version__))
    from fanjet.server.lifecycle import run  # noqa: PLC0415
    from fanjet.server.overrides import Overrides  # noqa: PLC0415 - the helper commands need none of it

    raise typer.Exit(run(Loaded(config=dev_config(listen)), Overrides(extra_routes=routes)))
