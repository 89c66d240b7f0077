"""Requests that open and subscribe a connection on the unidirectional transports."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from .http_streams import post
from .websocket import text_frame

Commands = Sequence[dict[str, Any]]


def uni_http_stream_request(host: str, port: int, hello: Commands) -> bytes:
    """Return the request whose response streams the reply to `hello` and all pushes."""
    return post(f"{host}:{port}", "/connection/uni_http_stream", _connect_request(hello))


def uni_sse_request(host: str, port: int, hello: Commands) -> bytes:
    """Return the same request for SSE, as sent by a browser's `EventSource`."""
    request = quote(_connect_request(hello), safe="")
    return f"GET /connection/uni_sse?cf_connect={request} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


def connect_frame(hello: Commands) -> bytes:
    """Return the first frame on a WebSocket."""
    return text_frame(_connect_request(hello))


def _connect_request(hello: Commands) -> bytes:
    """Return a connect request made of a connect command and subscribe commands."""
    connect, *subscribes = hello
    subscriptions: dict[str, dict[str, Any]] = {command["subscribe"]["channel"]: {} for command in subscribes}
    return msgspec.json.encode({**connect["connect"], "subs": subscriptions})
