"""The endpoint of unidirectional WebSocket connections (02 §9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.http1.response import NO_SNIFFING, TEXT
from fanjet.net.query import query_value
from fanjet.net.websocket.handshake import offers_deflate
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.connect_request import decode_json_connect_request

from .uni_websocket import (
    JOINED,
    JoiningUniWebSocketTransport,
    UniWebSocketOptions,
    UniWebSocketTransport,
    frame_builder,
    wire_format,
)
from .websocket_handshake import open_websocket, refuse_handshake
from .websocket_options import WebSocketOptions, deflate_settings, read_limits

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.config.tree.unidirectional import UniWebsocket
    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate
    from fanjet.protocol.messages import ConnectRequest

    from .connection_guard import AdmittedRequest


class UniWebSocketEndpoint:
    """Handles upgrade requests of the unidirectional WebSocket."""

    def __init__(self, context: ClientContext, config: UniWebsocket, origin_allowed: OriginPredicate) -> None:
        self._context = context
        self._origin_allowed = origin_allowed
        self._transport = JoiningUniWebSocketTransport if config.join_push_messages else UniWebSocketTransport
        self._plain = options_for(config, None)
        self._deflating = options_for(config, deflate_settings(config))

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Refuse, or upgrade and start a session.

        The session starts with the connect request of the query if present.
        """
        request = exchange.request
        try:
            wanted = _request_of_query(request.query) if request.query else None
        except MalformedFrame:
            exchange.respond(400, b"invalid connect request\n", TEXT, (*admitted.headers, NO_SNIFFING))
            return
        if refuse_handshake(exchange, admitted, self._origin_allowed):
            return
        options = self._deflating if self._deflating.websocket.inflate and offers_deflate(request) else self._plain
        open_websocket(
            exchange,
            admitted,
            lambda _: self._transport(self._context, options, admitted.request_info, wanted),
            deflate=options.websocket.inflate,
        )


def _request_of_query(query: bytes) -> ConnectRequest | None:
    """The connect request in the query.

    If absent or `null`, the first message is the connect request. Raises `MalformedFrame`.
    """
    text = query_value(query, b"cf_connect")
    if not text:
        return None
    wanted = decode_json_connect_request(text)
    return None if text.lstrip().startswith(b"null") else wanted


def options_for(config: UniWebsocket, deflate: tuple[int, int] | None) -> UniWebSocketOptions:
    """The options of connections with this compression, or without.

    A compression is its level and minimal size.
    """
    join = config.join_push_messages
    return UniWebSocketOptions(
        WebSocketOptions(
            wire=JOINED if join else wire_format(deflate),
            limits=read_limits(config),
            inflate=deflate is not None,
            write_timeout=config.write_timeout,
            native_pings=True,
        ),
        pushes_disconnect=not config.disable_disconnect_push,
        closes_with_frame=not config.disable_closing_handshake,
        join=frame_builder(deflate) if join else None,
    )
