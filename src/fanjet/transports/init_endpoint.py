"""The connection init endpoint (02 §2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint

    from .connection_guard import AdmittedRequest, ConnectionGuard


def init_endpoint(connection_guard: ConnectionGuard) -> Endpoint:
    """A probe on the external listener that applies the checks of client connections.

    The method is checked first.
    """

    def answer(exchange: Exchange, admitted: AdmittedRequest) -> None:
        exchange.respond(200, b"{}", b"application/json; charset=utf-8", admitted.headers)

    guarded = connection_guard.wrap(answer)

    def endpoint(exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            guarded(exchange)
        else:
            exchange.respond(405)

    return endpoint
