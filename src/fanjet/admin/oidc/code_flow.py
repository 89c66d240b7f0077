"""Logins of which the server, not the browser, sees the tokens (10 I.1): the authorization code flow with PKCE."""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from fanjet.auth import KeysUnavailable, TokenInvalid
from fanjet.net.query import query_value
from fanjet.telemetry.logging import get_logger

from .cookies import LONGEST, cookie_of, set_cookie
from .provider import ProviderFailed
from .seal import Seal

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Oidc
    from fanjet.net.http1.request import Request

    from .identity import Identities
    from .provider import Provider

log = get_logger(__name__)

LOGIN: Final = "fanjet_admin_login"
SESSION: Final = "fanjet_admin"
LOGIN_SECONDS: Final = 900.0
"""How long somebody may take to log in."""
REUSED_SECONDS: Final = 300.0
"""How long a browser that asks again is given the same login, so that its tabs do not spoil each other's."""
SAME_ORIGIN: Final = (b"", b"same-origin", b"none")
"""What `Sec-Fetch-Site` says of requests that no other site has made."""

Header = tuple[bytes, bytes]


class LoginFailed(Exception):  # noqa: N818 (says what happened)
    """Somebody is not let in. `problem` tells the console which of its texts to show."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class _Login(msgspec.Struct, frozen=True):
    """A login that has begun; its browser keeps it, sealed. `begun` in Unix seconds."""

    state: str
    nonce: str
    verifier: str
    begun: float


_decode_login = msgspec.json.Decoder(_Login).decode


class CodeFlow:
    """Sends browsers to the provider, and keeps those who come back with a code logged in by a cookie."""

    def __init__(self, settings: Oidc, secret: str, provider: Provider, identities: Identities) -> None:
        self._settings = settings
        self._provider = provider
        self._identities = identities
        self._logins = Seal(secret, "login")
        self._sessions = Seal(secret, "session")
        self._path = urlsplit(settings.redirect_uri).path.removesuffix("oidc/callback")

    async def address(self, request: Request) -> tuple[str, Header]:
        """Where the browser is to go to log in, and the cookie that it has to bring back. Raises `ProviderFailed`."""
        description = await self._provider.description()
        login = self._begun(request, REUSED_SECONDS) or _new_login()
        challenge = urlsafe_b64encode(sha256(login.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_uri,
            "scope": scope(self._settings),
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = description.authorization_endpoint
        joint = "&" if "?" in address else "?"
        sealed = self._logins.close(msgspec.json.encode(login))
        cookie = set_cookie(LOGIN, sealed, self._path, seconds=int(LOGIN_SECONDS), same_site="Lax")
        return address + joint + urlencode(query), cookie

    async def come_back(self, request: Request) -> Header:
        """The cookie of somebody whom the provider has sent back. Raises `LoginFailed`."""
        given = {name: query_value(request.query, name.encode()).decode("utf-8", "replace") for name in _BROUGHT}
        login = self._begun(request, LOGIN_SECONDS)
        if login is None or not compare_digest(login.state.encode(), given["state"].encode()):
            raise LoginFailed("stale")
        if given["error"] or not given["code"]:
            log.warn("OpenID Connect provider refused a login", error=given["error"][:100])
            raise LoginFailed("refused")
        try:
            token = await self._provider.id_token(given["code"], login.verifier)
            identity = await self._identities.identify(token)
        except (ProviderFailed, KeysUnavailable) as error:
            log.error("error logging in by OpenID Connect", error=str(error) or "the provider's keys cannot be had")
            raise LoginFailed("provider") from None
        except TokenInvalid as error:
            log.error("ID token is not valid", error=str(error))
            raise LoginFailed("token") from None
        if not compare_digest(identity.nonce.encode(), login.nonce.encode()):
            log.error("ID token is not valid", error="it is of another login")
            raise LoginFailed("token")
        if not identity.has_access:
            log.warn("no access to the console", subject=identity.subject)
            raise LoginFailed("access")
        return self._session_cookie(token, identity.expires_at)

    def _session_cookie(self, token: str, expires_at: float) -> Header:
        sealed = self._sessions.close(token.encode())
        left = max(int(expires_at - time.time()), 1)
        cookie = set_cookie(SESSION, sealed, self._path, seconds=left, same_site="Strict")
        if len(cookie[1]) > LONGEST:
            log.error("ID token is too long for a cookie: have the provider put less into it", length=len(token))
            raise LoginFailed("token")
        return cookie

    def token_of(self, request: Request) -> str | None:
        """The ID token of the browser's login, unless another site has made it ask."""
        if request.headers.get(b"sec-fetch-site", b"") not in SAME_ORIGIN:
            return None
        token = self._sessions.open(cookie_of(request, SESSION))
        return None if token is None else token.decode()

    def forget_login(self) -> Header:
        """The header that drops the cookie of a login that is over."""
        return set_cookie(LOGIN, "", self._path, seconds=0, same_site="Lax")

    def forget_session(self) -> Header:
        """The header that logs out."""
        return set_cookie(SESSION, "", self._path, seconds=0, same_site="Strict")

    def _begun(self, request: Request, within: float) -> _Login | None:
        sealed = self._logins.open(cookie_of(request, LOGIN))
        if sealed is None:
            return None
        try:
            login = _decode_login(sealed)
        except msgspec.DecodeError:  # of another version of this server
            return None
        return login if 0 <= time.time() - login.begun < within else None


_BROUGHT: Final = ("code", "state", "error")


def _new_login() -> _Login:
    return _Login(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), time.time())


def scope(settings: Oidc) -> str:
    """What is asked for."""
    return " ".join(("openid", *(one for one in settings.extra_scopes if one != "openid")))
