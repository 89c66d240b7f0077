"""Unidirectional HTTP streaming (02 §9.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.net.cors import PREFLIGHT_HEADERS, PREFLIGHT_STATUS

from .response_stream import LINES, line
from .uni_stream import StreamFormat, UniStreamEndpoint

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.config.tree.unidirectional import UniHttpStream
    from fanjet.net.http1 import Exchange

    from .connection_guard import AdmittedRequest

FORMAT: Final = StreamFormat("uni_http_stream", line, LINES)


class UniHttpStreamEndpoint(UniStreamEndpoint):
    """Answers preflight requests, and takes the connect request from a POST body."""

    def __init__(self, context: ClientContext, config: UniHttpStream) -> None:
        super().__init__(context, FORMAT, config.connect_code_to_http_response)

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Handle one request."""
        request = exchange.request
        if request.method == "OPTIONS":
            exchange.respond(PREFLIGHT_STATUS, headers=(*admitted.headers, *PREFLIGHT_HEADERS))
        elif request.method != "POST":
            exchange.respond(405, headers=admitted.headers)
        else:
            self._connect(exchange, admitted, request.body)
