"""Bidirectional Server-Sent Events.

One event per frame, commands by emulation (02 §7.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.net.query import query_value
from fanjet.protocol.json_encoding.codec import JSON

from .response_stream import (
    EVENT_STREAM,
    EVENT_STREAM_START,
    ResponseStreamTransport,
    begin_emulated,
    event,
    wire_format,
)

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.net.http1 import Exchange

    from .connection_guard import AdmittedRequest

COMMANDS_FIELD: Final = b"cf_connect"
"""The query field with the initial commands of a GET request, which has no body."""


class SseTransport(ResponseStreamTransport):
    """One SSE connection."""

    __slots__ = ()

    name = "sse"
    emulated = True


class SseEndpoint:
    """Starts a session with the commands of a GET or POST request."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Handle one request."""
        request = exchange.request
        if request.method == "POST":
            commands = request.body
        elif request.method != "GET":
            exchange.respond(405, headers=admitted.headers)
            return
        else:
            commands = query_value(request.query, COMMANDS_FIELD)
            if not commands:
                exchange.respond(400, headers=admitted.headers)
                return
        transport = SseTransport(wire_format(SseTransport.name, JSON, event, exchange.body_framing))
        if transport.open(exchange, EVENT_STREAM, admitted.headers, EVENT_STREAM_START):
            begin_emulated(self._context, transport, admitted.request_info, commands)
