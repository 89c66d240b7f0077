"""What every client connection passes before its transport sees it (02 §3.6): limits, header user, CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.client.opening import PLAIN, Opening
from fanjet.net.cors import cors_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanjet.net.http1 import Exchange, Request
    from fanjet.net.origin import OriginPredicate

    from .admission import Admission


class Arrival:
    """A request that passed the doorway."""

    __slots__ = ("_origin_allowed", "_request", "opening")

    def __init__(self, request: Request, origin_allowed: OriginPredicate, opening: Opening) -> None:
        self._request = request
        self._origin_allowed = origin_allowed
        self.opening = opening
        """What the session keeps of the request."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What goes with a response. Made when asked for: an accepted WebSocket has no use for it."""
        return cors_headers(self._request, self._origin_allowed)


class Doorway:
    """Wraps the endpoints of client transports."""

    def __init__(self, admission: Admission, origin_allowed: OriginPredicate, user_id_header: str) -> None:
        self._admission = admission
        self._origin_allowed = origin_allowed
        self._user_id_header = user_id_header.lower().encode()

    def guard(self, endpoint: Callable[[Exchange, Arrival], None]) -> Callable[[Exchange], None]:
        """The endpoint as the router wants it."""
        admits, origin_allowed, user_id_header = self._admission.admits, self._origin_allowed, self._user_id_header

        def guarded(exchange: Exchange) -> None:
            if not admits():
                exchange.respond(503)
                return
            request = exchange.request
            user = request.headers.get(user_id_header, b"").decode("utf-8", "replace") if user_id_header else ""
            endpoint(exchange, Arrival(request, origin_allowed, Opening(user) if user else PLAIN))

        return guarded
