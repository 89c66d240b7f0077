"""OpenID Connect logins for the admin endpoints (10 I.1).

They work the same whether the server or the browser obtains the tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fanjet.admin.auth.auth_response import AuthResult
from fanjet.admin.long_requests import run_handler
from fanjet.auth import KeysUnavailable, TokenInvalid
from fanjet.telemetry.logging import get_logger

from .code_flow import CodeFlow, LoginFailed, scope
from .identity import IdentityVerifier
from .provider import Provider, ProviderFailed

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Admin
    from fanjet.net.http1 import Exchange
    from fanjet.net.http1.request import Request
    from fanjet.net.router import Endpoint

log = get_logger(__name__)

CONSOLE_URL: Final = "../../"
"""The console, relative to the callback."""
NO_STORE: Final = (b"Cache-Control", b"no-store")


class SignIn:
    """Authorizes admin requests and provides the login endpoints."""

    def __init__(self, config: Admin) -> None:
        """Raises `ExpressionError`."""
        self._settings = config.oidc
        self._provider = Provider(config.oidc)
        self._identity_verifier = IdentityVerifier(config.oidc, self._provider)
        self._flow: CodeFlow | None = None
        if config.oidc.client_secret:
            self._flow = CodeFlow(config.oidc, config.secret, self._provider, self._identity_verifier)

    async def authorize(self, request: Request) -> AuthResult:
        """Verify the request's token and access; lost access takes effect at once."""
        token = _bearer_token(request) if self._flow is None else self._flow.session_token(request)
        if token is None:
            return AuthResult.UNAUTHENTICATED
        try:
            identity = await self._identity_verifier.verify(token)
        except TokenInvalid as error:
            log.info("token of an admin login is not valid", error=str(error))
            return AuthResult.UNAUTHENTICATED
        except (ProviderFailed, KeysUnavailable):
            return AuthResult.UNAVAILABLE
        return AuthResult.ALLOWED if identity.has_access else AuthResult.FORBIDDEN

    async def login_info(self, request: Request) -> tuple[dict[str, Any], list[tuple[bytes, bytes]]]:
        """Return the console's login parameters and response headers.

        An empty `auth_url` means that the provider cannot be reached.
        """
        settings = self._settings
        if self._flow is None:
            info = {
                "pkce": True,
                "display_name": settings.display_name,
                "authority": settings.issuer,
                "client_id": settings.client_id,
                "redirect_uri": settings.redirect_uri,
                "scope": scope(settings),
            }
            return info, []
        try:
            authorization_url, cookie = await self._flow.authorization_url(request)
        except ProviderFailed:
            return {"pkce": False, "display_name": settings.display_name, "auth_url": ""}, []
        return {"pkce": False, "display_name": settings.display_name, "auth_url": authorization_url}, [cookie]

    def routes(self) -> dict[str, Endpoint]:
        """Endpoints of logins by the server, by path below `admin/`."""
        if self._flow is None:
            return {}
        return {"oidc/callback": self._callback, "logout": self._log_out}

    def _callback(self, exchange: Exchange) -> None:
        if exchange.request.method != "GET":
            exchange.respond(405)
        elif self._flow is not None:
            run_handler(exchange, _complete_login(exchange, self._flow))

    def _log_out(self, exchange: Exchange) -> None:
        if exchange.request.method != "POST":
            exchange.respond(405)
        elif self._flow is not None:
            exchange.respond(200, headers=(self._flow.drop_session_cookie(), NO_STORE))


async def _complete_login(exchange: Exchange, flow: CodeFlow) -> None:
    location, cookies = CONSOLE_URL, [flow.drop_login_cookie()]
    try:
        cookies.append(await flow.complete_login(exchange.request))
    except LoginFailed as failure:
        location = f"{CONSOLE_URL}#/login?problem={failure.problem}"
    except Exception:  # the browser must land on a page that shows the problem
        log.exception("error logging in by OpenID Connect")
        location = f"{CONSOLE_URL}#/login?problem=provider"
    exchange.respond(302, headers=((b"Location", location.encode()), *cookies, NO_STORE))


def _bearer_token(request: Request) -> str | None:
    words = request.headers.get(b"authorization", b"").split()
    return words[1].decode("latin-1") if len(words) == 2 and words[0].lower() == b"bearer" else None
