"""Authorization of requests to the admin endpoints (10 H.2)."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from fanjet.api.api_key import KeyCheck
from fanjet.net.http1.expect_continue import UnreadableBody
from fanjet.telemetry.logging import get_logger

from ..long_requests import run_handler
from . import login_token
from .auth_response import AuthResult

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Admin
    from fanjet.net.http1 import Exchange
    from fanjet.net.http1.request import Request
    from fanjet.net.router import Endpoint

    from ..oidc.sign_in import SignIn

log = get_logger(__name__)


class Authorizer:
    """Allows requests with a valid token or the admin API key; in insecure mode, all.

    `sign_in` (OpenID Connect) replaces login tokens, because these stay valid after the provider has revoked access.
    """

    def __init__(self, config: Admin, sign_in: SignIn | None) -> None:
        self._secret = config.secret
        self._insecure = config.insecure
        self._keys = KeyCheck(config.api_key)
        self._sign_in = sign_in

    async def authorize(self, request: Request) -> AuthResult:
        """Authenticate the request and check its permission."""
        if self._insecure or self._keys.admits_header(request.headers):
            return AuthResult.ALLOWED
        if self._sign_in is not None:
            return await self._sign_in.authorize(request)
        return AuthResult.ALLOWED if self._has_token(request) else AuthResult.UNAUTHENTICATED

    def _has_token(self, request: Request) -> bool:
        words = request.headers.get(b"authorization", b"").split()
        if len(words) != 2 or words[0].lower() != b"token":
            return False
        return login_token.is_valid(self._secret, words[1], time.time())

    def require_auth(self, endpoint: Endpoint, *methods: str) -> Endpoint:
        """Wrap the endpoint so that it serves authorized requests only.

        The method is checked first; `POST` is the default.
        """
        allowed = methods or ("POST",)

        def protected(exchange: Exchange) -> None:
            if exchange.request.method not in allowed:
                exchange.respond(405)
            else:
                run_handler(exchange, self._authorize_then_call(exchange, endpoint))

        return protected

    async def _authorize_then_call(self, exchange: Exchange, endpoint: Endpoint) -> None:
        if self._sign_in is not None:
            with contextlib.suppress(UnreadableBody):
                _ = exchange.request.body  # must be requested before the first wait
        result = await self.authorize(exchange.request)
        if result is AuthResult.ALLOWED:
            endpoint(exchange)
            return
        if result is AuthResult.UNAUTHENTICATED and not self._secret and self._sign_in is None:
            log.error("admin.secret is not set, so no token is valid")
        exchange.respond(result.value)
