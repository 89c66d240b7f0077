"""The client's side of the unidirectional transports: what opens a connection and subscribes it, all at once."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from .http_streams import post
from .websocket import text_frame

Commands = Sequence[dict[str, Any]]


def uni_http_stream_request(host: str, port: int, hello: Commands) -> bytes:
    """Return the request whose response brings the answer to `hello`, and all that follows."""
    return post(f"{host}:{port}", "/connection/uni_http_stream", _connect_request(hello))


def uni_sse_request(host: str, port: int, hello: Commands) -> bytes:
    """Return the same for SSE, as a browser's `EventSource` sends it."""
    request = quote(_connect_request(hello), safe="")
    return f"GET /connection/uni_sse?cf_connect={request} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


def connect_frame(hello: Commands) -> bytes:
    """Return the first frame on a WebSocket."""
    return text_frame(_connect_request(hello))


def _connect_request(hello: Commands) -> bytes:
    """Return what a connect command and subscribe commands come to: the channels become wishes."""
    connect, *subscribes = hello
    wishes: dict[str, dict[str, Any]] = {command["subscribe"]["channel"]: {} for command in subscribes}
    return msgspec.json.encode({**connect["connect"], "subs": wishes})
