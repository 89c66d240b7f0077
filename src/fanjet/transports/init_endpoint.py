"""Endpoints that just answer: connection init (02 §2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint

    from .connection_guard import Arrival, Doorway


def init_endpoint(doorway: Doorway) -> Endpoint:
    """A probe on the external listener that passes what client connections pass; the method is checked before."""

    def answer(exchange: Exchange, arrival: Arrival) -> None:
        exchange.respond(200, b"{}", b"application/json; charset=utf-8", arrival.headers)

    guarded = doorway.guard(answer)

    def endpoint(exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            guarded(exchange)
        else:
            exchange.respond(405)

    return endpoint
