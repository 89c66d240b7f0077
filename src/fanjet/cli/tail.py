"""`fanjet tail CHANNEL`: prints the publications of a channel, as a subscribed client."""

import json
import logging
import time
from typing import Annotated, Any

import typer

from fanjet.cli.options import load_or_fail
from fanjet.cli.remote import DEFAULT_CONFIG, AsJson, ConfigFile, Key, Url, call, remote, stop, websocket_url
from fanjet.config import Config

USER = "fanjet-tail"
LIFETIME = 24 * 3600
"""Lifetime of its tokens in seconds."""

Channel = Annotated[str, typer.Argument(help="channel to listen to")]
WebSocketUrl = Annotated[
    str,
    typer.Option("--ws", help="address of the server's WebSocket, such as ws://127.0.0.1:8000/connection/websocket"),
]
History = Annotated[int, typer.Option("--history", "-n", help="show the last so many publications first", min=0)]
Count = Annotated[int, typer.Option("--count", help="end after so many publications, 0 = never", min=0)]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("tail")
    def tail(
        channel: Channel,
        *,
        ws: WebSocketUrl = "",
        history: History = 0,
        count: Count = 0,
        url: Url = "",
        key: Key = "",
        config: ConfigFile = DEFAULT_CONFIG,
        as_json: AsJson = False,
    ) -> None:
        """Show what is published into a channel of a running server."""
        settings = load_or_fail(config, "error getting config").config
        tail_client = TailClient(channel, ws or websocket_url(settings), as_json=as_json, count=count)
        if history:
            read = call(remote(url, key, config), "history", channel=channel, limit=history, reverse=True)
            for publication in reversed(read["publications"]):
                tail_client.show(publication)
        try:
            tail_client.run(*commands(settings, channel))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def commands(config: Config, channel: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The connect and subscribe commands, with tokens where the configuration has a secret to sign them."""
    from fanjet.auth.token_generation import claims, sign, subscription_settings  # noqa: PLC0415

    connect: dict[str, Any] = {"name": USER}
    subscribe: dict[str, Any] = {"channel": channel}
    if secret := config.client.token.hmac_secret_key:
        connect["token"] = sign(secret, claims(config.client.token, USER, LIFETIME))
        settings = subscription_settings(config.client)
        if settings.hmac_secret_key:
            claimed = claims(settings, USER, LIFETIME) | {"channel": channel}
            subscribe["token"] = sign(settings.hmac_secret_key, claimed)
    return {"id": 1, "connect": connect}, {"id": 2, "subscribe": subscribe}


class TailClient:
    """A client that subscribes to one channel."""

    def __init__(self, channel: str, url: str, *, as_json: bool, count: int) -> None:
        self._channel = channel
        self._url = url
        self._as_json = as_json
        self._left = count or -1

    def run(self, connect: dict[str, Any], subscribe: dict[str, Any]) -> None:
        """Print publications until the count is reached. Prints errors and exits."""
        from websockets.exceptions import ConnectionClosed, WebSocketException  # noqa: PLC0415
        from websockets.sync import client  # noqa: PLC0415

        logging.getLogger("websockets").setLevel(logging.WARNING)

        try:
            with client.connect(self._url, max_size=None) as socket:
                socket.send(f"{json.dumps(connect)}\n{json.dumps(subscribe)}")
                while self._left:
                    for line in str(socket.recv()).splitlines():
                        if line == "{}":
                            socket.send("{}")
                        else:
                            self._handle(json.loads(line))
        except ConnectionClosed as closed:
            end = closed.rcvd
            stop(f"the server closed the connection: {end.code} {end.reason}" if end else "the connection was lost")
        except (OSError, WebSocketException) as error:
            stop(f"{self._url} cannot be reached: {error}")

    def show(self, publication: dict[str, Any]) -> None:
        """Print one publication."""
        if self._as_json:
            print(json.dumps(publication, ensure_ascii=False), flush=True)
            return
        parts = [time.strftime("%H:%M:%S")]
        if offset := publication.get("offset"):
            parts.append(f"#{offset}")
        if info := publication.get("info"):
            parts.append(f"<{info['user'] or 'anonymous'}>")
        parts.append(json.dumps(publication.get("data"), ensure_ascii=False))
        if tags := publication.get("tags"):
            parts.append(json.dumps(tags, ensure_ascii=False))
        print(" ".join(parts), flush=True)

    def _handle(self, message: dict[str, Any]) -> None:
        if error := message.get("error"):
            what = "connecting" if message["id"] == 1 else f"subscribing to {self._channel}"
            stop(f"{what}: {error['message']} ({error['code']})")
        if "subscribe" in message and not self._as_json:
            typer.echo(f"listening to {self._channel}, Ctrl+C ends it", err=True)
        push = message.get("push", {})
        if ended := push.get("unsubscribe"):
            stop(f"unsubscribed: {ended.get('reason')} ({ended.get('code')})")
        if "pub" in push and self._left:
            self._left -= 1
            self.show(push["pub"])
