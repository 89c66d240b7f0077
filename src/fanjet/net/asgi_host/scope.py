"""Builds ASGI scopes from requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from ..http1.request import Request
    from .types import Scope

_VERSIONS = {"asgi": {"version": "3.0", "spec_version": "2.4"}}


def http_scope(request: Request, state: dict[str, Any]) -> Scope:
    """The scope of an HTTP request."""
    scheme = "https" if request.tls else "http"
    return {"type": "http", "method": request.method, "scheme": scheme, **_common(request, state)}


def websocket_scope(request: Request, state: dict[str, Any]) -> Scope:
    """The scope of a WebSocket handshake."""
    offered = b",".join(request.all_values(b"sec-websocket-protocol"))
    return {
        "type": "websocket",
        "scheme": "wss" if request.tls else "ws",
        "subprotocols": [name.strip().decode("latin-1") for name in offered.split(b",") if name.strip()],
        **_common(request, state),
    }


def _common(request: Request, state: dict[str, Any]) -> dict[str, Any]:
    raw_path = request.raw_path.encode("latin-1")
    return {
        **_VERSIONS,
        "http_version": request.version,
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": request.query,
        "root_path": "",
        "headers": [(name, value) for name in request.headers for value in request.all_values(name)],
        "client": request.address("peername"),
        "server": request.address("sockname"),
        "state": state.copy(),
        "extensions": {},
    }
