"""What every client connection passes before its transport sees it (02 §3.6): limits, header user, CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.client.request_info import NO_REQUEST_INFO, RequestInfo
from fanjet.net.cors import cors_headers
from fanjet.net.http1 import BodyAwaited, UnreadableBody

from .body_errors import answer_unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from fanjet.net.http1 import Exchange, Request
    from fanjet.net.origin import OriginPredicate

    from .connection_limits import Admission


class Arrival(Struct, frozen=True, eq=False):
    """A request that passed the doorway."""

    _request: Request
    _origin_allowed: OriginPredicate
    request_info: RequestInfo
    """What the session keeps of the request."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What goes with a response. Made when asked for: an accepted WebSocket has no use for it."""
        return cors_headers(self._request, self._origin_allowed)


class Doorway:
    """Wraps the endpoints of client transports."""

    def __init__(
        self,
        admission: Admission,
        origin_allowed: OriginPredicate,
        user_id_header: str,
        kept_headers: Collection[str] = (),
        *,
        keeps_version: bool = False,
    ) -> None:
        """`kept_headers`: lower-case names of those that the application is told with every event. `keeps_version`:
        connections are counted by the version of HTTP that they came by."""
        self._keeps_version = keeps_version
        self._kept_headers = [(name.encode(), name) for name in kept_headers]
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
            headers = self._kept_of(request) if self._kept_headers else None
            http = f"h{request.version[0]}" if self._keeps_version else ""
            request_info = RequestInfo(user, headers, http=http) if user or headers or http else NO_REQUEST_INFO
            enter(exchange, Arrival(request, origin_allowed, request_info))

        def enter(exchange: Exchange, arrival: Arrival) -> None:
            try:
                endpoint(exchange, arrival)
            except BodyAwaited as awaited:  # the doorway is passed once
                awaited.go_on = lambda whole: enter(whole, arrival)
                raise
            except UnreadableBody as failure:
                answer_unreadable(exchange, failure, arrival.headers)

        return guarded

    def _kept_of(self, request: Request) -> dict[str, list[str]] | None:
        kept = {}
        for key, name in self._kept_headers:
            values = request.all_values(key)
            if values:
                kept[name] = [value.decode("utf-8", "surrogateescape") for value in values]
        return kept or None
