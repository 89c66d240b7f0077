"""The endpoints `admin/init` and `admin/auth` (10 H.2)."""

from __future__ import annotations

import asyncio
import time
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

import msgspec

from fanjet.net.http1.response import JSON, NO_SNIFFING, TEXT
from fanjet.telemetry.logging import get_logger

from ..long_requests import run_handler
from . import login_token
from .auth_response import AuthResult
from .form_fields import form_value
from .login_throttle import DELAY_SECONDS, LoginThrottle

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Admin
    from fanjet.net.http1 import Exchange

    from ..oidc.sign_in import SignIn
    from .authorization import Authorizer

log = get_logger(__name__)

EDITION = "oss"
MAX_FORM: int = 1024 * 1024
"""Maximum size of a login form in bytes."""


class Login:
    """Serves the console's login state and exchanges the password for a token."""

    def __init__(self, config: Admin, authorizer: Authorizer, sign_in: SignIn | None) -> None:
        self._config = config
        self._authorizer = authorizer
        self._sign_in = sign_in
        self._throttle = LoginThrottle()

    def init(self, exchange: Exchange) -> None:
        """Respond with the login methods and whether this request is authenticated."""
        run_handler(exchange, self._init(exchange))

    async def _init(self, exchange: Exchange) -> None:
        result = await self._authorizer.authorize(exchange.request)
        authenticated = result in (AuthResult.ALLOWED, AuthResult.FORBIDDEN)
        answer: dict[str, Any] = {
            "authenticated": authenticated,
            "edition": EDITION,
            "insecure": self._config.insecure,
        }
        headers: list[tuple[bytes, bytes]] = []
        if self._sign_in is not None:
            answer["oidc"], headers = await self._sign_in.login_info(exchange.request)
        exchange.respond(200, msgspec.json.encode(answer) + b"\n", JSON, headers)

    def auth(self, exchange: Exchange) -> None:
        """Issue a token for the right password.

        Responses to wrong passwords are delayed after too many failures. With OpenID Connect there is no password
        login.
        """
        if exchange.request.method != "POST":
            exchange.respond(405)
            return
        offered = form_value(exchange.request, "password")
        password, secret = self._config.password, self._config.secret
        if self._sign_in is not None:
            log.info("login with a password while admin.oidc is enabled")
            _refuse(exchange, 400)
        elif not password or not secret:
            log.error("admin.password and admin.secret must be set for logins")
            _refuse(exchange, 400)
        elif compare_digest(offered, password.encode()):
            token = login_token.issue(secret, time.time())
            exchange.respond(200, msgspec.json.encode({"token": token}) + b"\n", JSON)
        else:
            self._refuse_password(exchange)

    def _refuse_password(self, exchange: Exchange) -> None:
        address = exchange.request.peer.rpartition(":")[0]
        loop = asyncio.get_running_loop()
        if self._throttle.record_failure(address, loop.time()):
            log.warn("too many wrong admin passwords", address=address)
            loop.call_later(DELAY_SECONDS, _refuse, exchange, 429)
        else:
            _refuse(exchange, 400)


def _refuse(exchange: Exchange, status: int) -> None:
    text = b"Bad Request\n" if status == 400 else b"Too Many Requests\n"
    exchange.respond(status, text, TEXT, (NO_SNIFFING,))
