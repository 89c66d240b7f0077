"""Bidirectional HTTP streaming.

Frames in one response body, commands by emulation (02 §7.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.net.cors import PREFLIGHT_HEADERS, PREFLIGHT_STATUS
from fanjet.net.http1.stream import unframed
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF

from .response_stream import BINARY, LINES, ResponseStreamTransport, begin_emulated, line, wire_format

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.net.http1 import Exchange

    from .connection_guard import AdmittedRequest

_JSON: Final = (JSON, line, LINES)
_PROTOBUF: Final = (PROTOBUF, unframed, BINARY)


class HttpStreamTransport(ResponseStreamTransport):
    """One HTTP streaming connection."""

    __slots__ = ()

    name = "http_stream"
    emulated = True


class HttpStreamEndpoint:
    """Answers preflight requests, and starts sessions.

    A session starts with the commands in a POST body.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Handle one request."""
        request = exchange.request
        if request.method == "OPTIONS":
            exchange.respond(PREFLIGHT_STATUS, headers=(*admitted.headers, *PREFLIGHT_HEADERS))
        elif request.method != "POST":
            exchange.respond(405, headers=admitted.headers)
        else:
            commands = request.body
            is_protobuf = request.headers.get(b"content-type") == BINARY
            codec, delimiting, content_type = _PROTOBUF if is_protobuf else _JSON
            wire = wire_format(HttpStreamTransport.name, codec, delimiting, exchange.body_framing)
            transport = HttpStreamTransport(wire)
            if transport.open(exchange, content_type, admitted.headers):
                begin_emulated(self._context, transport, admitted.request_info, commands)
