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

from .websocket import Terms, WebSocketTransport, wire_format

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.config.tree.bidirectional import Websocket
    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate

    from .doorway import Arrival

log = get_logger(__name__)

PROTOBUF_SUBPROTOCOL = b"centrifuge-protobuf"
SUBPROTOCOLS = (b"centrifuge-json", PROTOBUF_SUBPROTOCOL)
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
        self._terms: dict[tuple[bool, bool, bool], Terms] = {}

    def __call__(self, exchange: Exchange, arrival: Arrival) -> None:
        """Refuse, or switch protocols and begin a session."""
        request = exchange.request
        status = refused_status(request, self._origin_allowed)
        if status is not None:
            exchange.respond(status, reason(status) + b"\n", TEXT, (*arrival.headers, *REFUSAL_HEADERS))
            return
        subprotocol = select_subprotocol(request, SUBPROTOCOLS)
        protobuf, native_pings = subprotocol == PROTOBUF_SUBPROTOCOL, False
        if request.query:
            query = parse_qs(request.query.decode("latin-1"))
            protobuf = protobuf or "protobuf" in (_first(query, "format"), _first(query, "cf_protocol"))
            native_pings = _first(query, "cf_ws_frame_ping_pong") == "true"
        deflate = self._deflate is not None and offers_deflate(request)
        terms = self._terms.get((protobuf, native_pings, deflate)) or self._agree(protobuf, native_pings, deflate)
        exchange.upgrade(
            accept_head(request, subprotocol=subprotocol, deflate=deflate),
            lambda _: WebSocketTransport(self._context, terms, arrival.opening),
        )

    def _agree(self, protobuf: bool, native_pings: bool, deflate: bool) -> Terms:
        """The terms that all such connections share."""
        terms = self._terms[protobuf, native_pings, deflate] = Terms(
            wire=wire_format(protobuf, self._deflate if deflate else None),
            limits=self._limits,
            inflate=deflate,
            write_timeout=self._write_timeout,
            native_pings=native_pings,
        )
        return terms


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, ("",))[0]


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
