"""Who may use the admin endpoints (10 H.2)."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from fanjet.api.auth import KeyCheck
from fanjet.net.http1.expect_continue import UnreadableBody
from fanjet.telemetry.logging import get_logger

from ..long_requests import work_on
from . import login_token
from .auth_response import Verdict

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Admin
    from fanjet.net.http1 import Exchange
    from fanjet.net.http1.request import Request
    from fanjet.net.router import Endpoint

    from ..oidc.sign_in import SignIn

log = get_logger(__name__)


class Gate:
    """Admits requests with a valid token or the admin API key; in insecure mode, all. Where people log in by `sign_in`,
    that judges in place of tokens, which outlast what a provider says."""

    def __init__(self, config: Admin, sign_in: SignIn | None) -> None:
        self._secret = config.secret
        self._insecure = config.insecure
        self._keys = KeyCheck(config.api_key)
        self._sign_in = sign_in

    async def judge(self, request: Request) -> Verdict:
        """Whether the request is authenticated, and may do what it wants."""
        if self._insecure or self._keys.admits_header(request.headers):
            return Verdict.ADMITTED
        if self._sign_in is not None:
            return await self._sign_in.judge(request)
        return Verdict.ADMITTED if self._has_token(request) else Verdict.UNKNOWN

    def _has_token(self, request: Request) -> bool:
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
            else:
                work_on(exchange, self._pass(exchange, endpoint))

        return guarded

    async def _pass(self, exchange: Exchange, endpoint: Endpoint) -> None:
        if self._sign_in is not None:
            with contextlib.suppress(UnreadableBody):
                _ = exchange.request.body  # asked for now, while it still can be sent for
        verdict = await self.judge(exchange.request)
        if verdict is Verdict.ADMITTED:
            endpoint(exchange)
            return
        if verdict is Verdict.UNKNOWN and not self._secret and self._sign_in is None:
            log.error("admin.secret is not set, so no token is valid")
        exchange.respond(verdict.value)
