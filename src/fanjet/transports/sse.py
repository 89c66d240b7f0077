"""Server-Sent Events, bidirectional: each message an event, commands by requests of their own (02 §7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.net.query import query_value
from fanjet.protocol.json_codec import JSON

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
"""In the query of a GET, which has no body: the initial commands."""


class SseTransport(ResponseStreamTransport):
    """One connection over Server-Sent Events."""

    __slots__ = ()

    name = "sse"
    emulated = True


class SseEndpoint:
    """Begins a session with the commands that a GET or a POST brings."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Answer one request."""
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
