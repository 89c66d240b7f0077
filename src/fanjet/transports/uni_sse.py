"""Unidirectional Server-Sent Events (02 §9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.net.query import query_value

from .response_stream import EVENT_STREAM, EVENT_STREAM_START, event
from .uni_stream import StreamFormat, UniStreamEndpoint

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.config.tree.unidirectional import UniSse
    from fanjet.net.http1 import Exchange

    from .connection_guard import AdmittedRequest

FORMAT: Final = StreamFormat("uni_sse", event, EVENT_STREAM, EVENT_STREAM_START)
EMPTY_CONNECT_REQUEST: Final = b"{}"


class UniSseEndpoint(UniStreamEndpoint):
    """Takes the connect request from the query of a GET or the body of a POST."""

    def __init__(self, context: ClientContext, config: UniSse) -> None:
        super().__init__(context, FORMAT, config.connect_code_to_http_response)

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Handle one request."""
        request = exchange.request
        if request.method == "GET":
            self._connect(exchange, admitted, query_value(request.query, b"cf_connect") or EMPTY_CONNECT_REQUEST)
        elif request.method == "POST":
            self._connect(exchange, admitted, request.body)
        else:
            exchange.respond(405, headers=admitted.headers)
