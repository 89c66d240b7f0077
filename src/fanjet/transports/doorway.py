"""What every client connection passes before its transport sees it (02 §3.6): limits, header user, CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanjet.net.cors import cors_headers
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate

    from .admission import Admission

log = get_logger(__name__)


class Arrival(NamedTuple):
    """What the doorway found out: the user named by a trusted header, and headers for the response."""

    user: str
    headers: Sequence[tuple[bytes, bytes]]


class Doorway:
    """Wraps the endpoints of client transports."""

    def __init__(self, admission: Admission, origin_allowed: OriginPredicate, user_id_header: str) -> None:
        self._admission = admission
        self._origin_allowed = origin_allowed
        self._user_id_header = user_id_header.lower().encode()

    def guard(self, endpoint: Callable[[Exchange, Arrival], None]) -> Callable[[Exchange], None]:
        """The endpoint as the router wants it."""

        def guarded(exchange: Exchange) -> None:
            if not self._admission.admits():
                exchange.respond(503)
                return
            request = exchange.request
            user = ""
            if self._user_id_header:
                user = request.headers.get(self._user_id_header, b"").decode("utf-8", "replace")
            headers = cors_headers(request, self._origin_allowed)
            endpoint(exchange, Arrival(user, headers))

        return guarded
