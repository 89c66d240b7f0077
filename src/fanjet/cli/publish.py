"""`fanjet publish CHANNEL DATA`: publish through a running server's API."""

import json
import sys
from typing import Annotated

import typer

from fanjet.cli.remote import DEFAULT_CONFIG, AsJson, ConfigFile, Key, Url, call, remote, stop

Channel = Annotated[str, typer.Argument(help="channel to publish into")]
Data = Annotated[str, typer.Argument(help="JSON; - reads it from the standard input")]
Tags = Annotated[str, typer.Option("--tags", help="tags as a JSON object of texts", metavar="JSON")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("publish")
    def publish(
        channel: Channel,
        data: Data,
        *,
        tags: Tags = "",
        url: Url = "",
        key: Key = "",
        config: ConfigFile = DEFAULT_CONFIG,
        as_json: AsJson = False,
    ) -> None:
        """Publish into a channel of a running server."""
        params = {"data": _json("data", sys.stdin.read() if data == "-" else data)}
        if tags:
            params["tags"] = _json("tags", tags)
        result = call(remote(url, key, config), "publish", channel=channel, **params)
        if as_json:
            print(json.dumps(result))
        elif "offset" in result:
            print(f"published into {channel}, offset {result['offset']} in epoch {result['epoch']}")
        else:
            print(f"published into {channel}")


def _json(name: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        stop(f"{name} is not JSON ({error}); a text wants quotes of its own: '\"hello\"'")
