"""Who may use the admin endpoints (10 H.2)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fanjet.api.auth import KeyCheck
from fanjet.telemetry.logging import get_logger

from . import login_token

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Admin
    from fanjet.net.http1 import Exchange
    from fanjet.net.http1.request import Request
    from fanjet.net.router import Endpoint

log = get_logger(__name__)


class Gate:
    """Admits requests with a valid token or the admin API key; in insecure mode, all."""

    def __init__(self, config: Admin) -> None:
        self._secret = config.secret
        self._insecure = config.insecure
        self._keys = KeyCheck(config.api_key)

    def admits(self, request: Request) -> bool:
        """Whether the request is authenticated."""
        return self._insecure or self.has_key(request) or self.has_token(request)

    def has_key(self, request: Request) -> bool:
        """Whether it carries the admin API key, in its header."""
        return self._keys.admits_header(request.headers)

    def has_token(self, request: Request) -> bool:
        """Whether it carries a valid login token."""
        words = request.headers.get(b"authorization", b"").split()
        if len(words) != 2 or words[0].lower() != b"token":
            return False
        return login_token.is_valid(self._secret, words[1], time.time())

    def guard(self, endpoint: Endpoint, *methods: str) -> Endpoint:
        """The endpoint for those who are admitted; the method, `POST` unless others are named, is checked before."""
        allowed = methods or ("POST",)

        def guarded(exchange: Exchange) -> None:
            if exchange.request.method not in allowed:
                exchange.respond(405)
            elif self.admits(exchange.request):
                endpoint(exchange)
            else:
                if not self._secret:
                    log.error("admin.secret is not set, so no token is valid")
                exchange.respond(401)

        return guarded
