"""Where WebSocket connections begin: the handshake, then a transport and its session (02 §6.2, §6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fanjet.net.http1.response import TEXT, reason
from fanjet.net.websocket.handshake import (
    REFUSAL_HEADERS,
    accept_head,
    offers_deflate,
    refused_status,
    select_subprotocol,
)
from fanjet.net.websocket.reader import ReadLimits
from fanjet.telemetry.logging import get_logger

from .websocket import WebSocketTransport, wire_format

if TYPE_CHECKING:
    import asyncio

    from fanjet.client.context import ClientContext
    from fanjet.config.tree.bidirectional import Websocket
    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate

    from .doorway import Arrival

log = get_logger(__name__)

SUBPROTOCOLS = (b"centrifuge-json", b"centrifuge-protobuf")
INFLATED_LIMIT_FACTOR = 10
DEFLATE_LEVELS = range(-2, 10)


class WebSocketEndpoint:
    """Answers upgrade requests of the bidirectional WebSocket."""

    def __init__(self, context: ClientContext, config: Websocket, origin_allowed: OriginPredicate) -> None:
        self._context = context
        self._origin_allowed = origin_allowed
        self._write_timeout = config.write_timeout
        self._limits = _read_limits(config)
        self._deflate = _deflate_settings(config) if config.compression else None

    def __call__(self, exchange: Exchange, arrival: Arrival) -> None:
        """Refuse, or switch protocols and begin a session."""
        request = exchange.request
        status = refused_status(request, self._origin_allowed)
        if status is not None:
            exchange.respond(status, reason(status) + b"\n", TEXT, (*arrival.headers, *REFUSAL_HEADERS))
            return
        subprotocol = select_subprotocol(request, SUBPROTOCOLS)
        query = parse_qs(request.query.decode("latin-1")) if request.query else {}
        deflate = self._deflate is not None and offers_deflate(request)
        exchange.upgrade(
            accept_head(request, subprotocol=subprotocol, deflate=deflate),
            lambda _: self._open(subprotocol, query, deflate=deflate, header_user=arrival.user),
        )

    def _open(
        self, subprotocol: bytes | None, query: dict[str, list[str]], *, deflate: bool, header_user: str
    ) -> asyncio.Protocol:
        context = self._context
        protobuf = subprotocol == b"centrifuge-protobuf" or _asks_for_protobuf(query)
        native_pings = query.get("cf_ws_frame_ping_pong", [""])[0] == "true"
        return WebSocketTransport(
            context,
            self._limits,
            wire_format(protobuf, self._deflate if deflate else None),
            inflate=deflate,
            write_timeout=self._write_timeout,
            native_pings=native_pings,
            header_user=header_user,
        )


def _asks_for_protobuf(query: dict[str, list[str]]) -> bool:
    return any(query.get(name, [""])[0] == "protobuf" for name in ("format", "cf_protocol"))


def _read_limits(config: Websocket) -> ReadLimits:
    """Negative is unlimited; inflated messages may be ten times as long unless configured (02 §6.1)."""
    message = config.message_size_limit if config.message_size_limit > 0 else None
    inflated: int | None = config.decompressed_message_size_limit
    if inflated == 0:
        inflated = None if message is None else message * INFLATED_LIMIT_FACTOR
    elif inflated is not None and inflated < 0:
        inflated = None
    return ReadLimits(message, inflated)


def _deflate_settings(config: Websocket) -> tuple[int, int]:
    level = config.compression_level
    if level not in DEFLATE_LEVELS:
        log.error("invalid compression level, using 1", level=level)
        level = 1
    return level, config.compression_min_size
