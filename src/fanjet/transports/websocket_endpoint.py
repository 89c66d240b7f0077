"""The WebSocket endpoint: handshake, then a transport and its session.

02 §6.2, §6.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fanjet.net.websocket.handshake import offers_deflate, select_subprotocol

from .websocket import WebSocketTransport, wire_format
from .websocket_handshake import open_websocket, refuse_handshake
from .websocket_options import WebSocketOptions, deflate_settings, read_limits

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.config.tree.bidirectional import Websocket
    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate

    from .connection_guard import AdmittedRequest

PROTOBUF_SUBPROTOCOL = b"centrifuge-protobuf"
SUBPROTOCOLS = (b"centrifuge-json", PROTOBUF_SUBPROTOCOL)


class WebSocketEndpoint:
    """Handles upgrade requests of the bidirectional WebSocket."""

    def __init__(self, context: ClientContext, config: Websocket, origin_allowed: OriginPredicate) -> None:
        self._context = context
        self._origin_allowed = origin_allowed
        self._write_timeout = config.write_timeout
        self._limits = read_limits(config)
        self._deflate = deflate_settings(config)
        self._options: dict[tuple[bool, bool, bool], WebSocketOptions] = {}

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Refuse, or upgrade and start a session."""
        request = exchange.request
        if refuse_handshake(exchange, admitted, self._origin_allowed):
            return
        subprotocol = select_subprotocol(request, SUBPROTOCOLS)
        protobuf, native_pings = subprotocol == PROTOBUF_SUBPROTOCOL, False
        if request.head.query:
            query = parse_qs(request.head.query.decode("latin-1"))
            protobuf = protobuf or "protobuf" in (_first(query, "format"), _first(query, "cf_protocol"))
            native_pings = _first(query, "cf_ws_frame_ping_pong") == "true"
        deflate = self._deflate is not None and offers_deflate(request)
        options = self._options.get((protobuf, native_pings, deflate)) or self._make_options(
            protobuf, native_pings, deflate
        )
        open_websocket(
            exchange,
            admitted,
            lambda _: WebSocketTransport(self._context, options, admitted.request_info),
            subprotocol=subprotocol,
            deflate=deflate,
            separator=b"" if protobuf else b"\n",
        )

    def _make_options(self, protobuf: bool, native_pings: bool, deflate: bool) -> WebSocketOptions:
        """Create the options shared by all such connections."""
        options = self._options[protobuf, native_pings, deflate] = WebSocketOptions(
            wire=wire_format(protobuf, self._deflate if deflate else None),
            limits=self._limits,
            inflate=deflate,
            write_timeout=self._write_timeout,
            native_pings=native_pings,
        )
        return options


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, ("",))[0]
