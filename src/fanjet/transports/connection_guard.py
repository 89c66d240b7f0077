"""Checks applied to every client connection: limits, CORS, user header (02 §3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.client.request_info import NO_REQUEST_INFO, RequestInfo
from fanjet.net.cors import cors_headers
from fanjet.net.http1 import ContinueRequired, UnreadableBody

from .body_errors import respond_body_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from fanjet.net.http1 import Exchange, Request
    from fanjet.net.origin import OriginPredicate

    from .connection_limits import ConnectionLimits


class AdmittedRequest(Struct, frozen=True, eq=False):
    """A request that passed the connection guard."""

    _request: Request
    _origin_allowed: OriginPredicate
    request_info: RequestInfo
    """The facts of the request that the session keeps."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The CORS headers of the response.

        Computed on access: an accepted WebSocket does not need them.
        """
        return cors_headers(self._request, self._origin_allowed)


class ConnectionGuard:
    """Wraps the endpoints of client transports with the checks."""

    def __init__(
        self,
        limits: ConnectionLimits,
        origin_allowed: OriginPredicate,
        user_id_header: str,
        kept_headers: Collection[str] = (),
        *,
        keeps_version: bool = False,
    ) -> None:
        """Create the checks of client connections.

        `kept_headers`: lower-case names of the headers passed to the application with every event. `keeps_version`:
        count connections by HTTP version.
        """
        self._keeps_version = keeps_version
        self._kept_headers = [(name.encode(), name) for name in kept_headers]
        self._limits = limits
        self._origin_allowed = origin_allowed
        self._user_id_header = user_id_header.lower().encode()

    def wrap(self, endpoint: Callable[[Exchange, AdmittedRequest], None]) -> Callable[[Exchange], None]:
        """Return the endpoint for the router."""
        allow, origin_allowed, user_id_header = self._limits.allow, self._origin_allowed, self._user_id_header

        def guarded(exchange: Exchange) -> None:
            if not allow():
                exchange.respond(503)
                return
            request = exchange.request
            user = request.headers.get(user_id_header, b"").decode("utf-8", "replace") if user_id_header else ""
            headers = self._collect_headers(request) if self._kept_headers else None
            http = f"h{request.version[0]}" if self._keeps_version else ""
            request_info = RequestInfo(user, headers, http=http) if user or headers or http else NO_REQUEST_INFO
            call_endpoint(exchange, AdmittedRequest(request, origin_allowed, request_info))

        def call_endpoint(exchange: Exchange, admitted: AdmittedRequest) -> None:
            try:
                endpoint(exchange, admitted)
            except ContinueRequired as awaited:  # the checks run once per request
                awaited.endpoint = lambda whole: call_endpoint(whole, admitted)
                raise
            except UnreadableBody as failure:
                respond_body_error(exchange, failure, admitted.headers)

        return guarded

    def _collect_headers(self, request: Request) -> dict[str, list[str]] | None:
        headers = {}
        for key, name in self._kept_headers:
            values = request.all_values(key)
            if values:
                headers[name] = [value.decode("utf-8", "surrogateescape") for value in values]
        return headers or None
