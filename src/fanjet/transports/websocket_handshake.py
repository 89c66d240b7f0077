"""The handshake of WebSocket endpoints.

HTTP/1.1 upgrade, extended CONNECT or ASGI (02 §6.2, §6.9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.asgi_app.handshake import HandshakeExchange
from fanjet.net.extended_connect import TunnelExchange
from fanjet.net.http1.response import TEXT, reason
from fanjet.net.websocket.handshake import (
    REFUSAL_HEADERS,
    accept_head,
    accept_headers,
    handshake_error_status,
    tunnel_handshake_error_status,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate

    from .connection_guard import AdmittedRequest


def refuse_handshake(exchange: Exchange, admitted: AdmittedRequest, origin_allowed: OriginPredicate) -> bool:
    """Respond to an invalid handshake; return whether it was invalid."""
    if isinstance(exchange, TunnelExchange):
        status = tunnel_handshake_error_status(exchange.request, exchange.protocol, origin_allowed)
    elif isinstance(exchange, HandshakeExchange):
        status = None if origin_allowed(exchange.request.headers.get(b"origin")) else 403
    else:
        status = handshake_error_status(exchange.request, origin_allowed)
    if status is None:
        return False
    exchange.respond(status, reason(status) + b"\n", TEXT, (*admitted.headers, *REFUSAL_HEADERS))
    return True


def open_websocket(
    exchange: Exchange,
    admitted: AdmittedRequest,
    make_protocol: Callable[[asyncio.Transport], asyncio.Protocol],
    *,
    subprotocol: bytes | None = None,
    deflate: bool = False,
    separator: bytes | None = None,
) -> None:
    """Accept a valid handshake and start the protocol.

    Only the HTTP/2 response has CORS headers.

    `separator`: joins messages that may be sent as one, where each message is expensive.
    """
    if isinstance(exchange, TunnelExchange):
        headers = accept_headers(subprotocol=subprotocol, deflate=deflate)
        exchange.open_tunnel((*admitted.headers, *headers), make_protocol)
    elif isinstance(exchange, HandshakeExchange):
        exchange.accept(subprotocol, make_protocol, separator=separator)
    else:
        head = accept_head(exchange.request, subprotocol=subprotocol, deflate=deflate)
        exchange.upgrade(head, make_protocol)
