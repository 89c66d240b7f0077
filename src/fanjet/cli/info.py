"""`fanjet info`: the nodes of a running cluster."""

import json

import typer

from fanjet.cli.columns import columns
from fanjet.cli.remote import DEFAULT_CONFIG, AsJson, ConfigFile, Key, Url, call, remote
from fanjet.config.duration import format_duration

HEADS = ("NODE", "VERSION", "UPTIME", "CLIENTS", "USERS", "SUBSCRIPTIONS", "CHANNELS")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("info")
    def info(url: Url = "", key: Key = "", config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
        """Show the nodes of a running server."""
        nodes = call(remote(url, key, config), "info")["nodes"]
        nodes.sort(key=lambda node: -node.get("uptime", 0))
        if as_json:
            for node in nodes:
                print(json.dumps(node))
            return
        rows = [
            (
                node["name"],
                node["version"],
                format_duration(node.get("uptime", 0)),
                *(str(node[name]) for name in ("num_clients", "num_users", "num_subs", "num_channels")),
            )
            for node in nodes
        ]
        print(columns(HEADS, rows))
