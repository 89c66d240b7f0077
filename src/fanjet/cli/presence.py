"""`fanjet presence CHANNEL`: the clients in a channel of a running server."""

import json
from typing import Annotated

import typer

from fanjet.cli.columns import columns
from fanjet.cli.remote import DEFAULT_CONFIG, AsJson, ConfigFile, Key, Url, call, remote

Channel = Annotated[str, typer.Argument(help="channel to look into")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("presence")
    def presence(
        channel: Channel,
        *,
        url: Url = "",
        key: Key = "",
        config: ConfigFile = DEFAULT_CONFIG,
        as_json: AsJson = False,
    ) -> None:
        """Show who is in a channel of a running server."""
        there = call(remote(url, key, config), "presence", channel=channel)["presence"].values()
        if as_json:
            for one in there:
                print(json.dumps(one, ensure_ascii=False))
            return
        rows = [(one["user"] or "(anonymous)", one["client"], _info(one)) for one in there]
        print(columns(("USER", "CLIENT", "INFO"), sorted(rows)) if rows else f"nobody is in {channel}")


def _info(one: dict[str, object]) -> str:
    infos = [one[name] for name in ("conn_info", "chan_info") if name in one]
    return " ".join(json.dumps(info, ensure_ascii=False) for info in infos)
