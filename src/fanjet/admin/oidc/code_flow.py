"""Authorization code flow with PKCE (10 I.1).

The server exchanges the code, so that scripts in the browser never see the tokens.
"""

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

from .cookies import MAX_COOKIE_LENGTH, cookie_of, set_cookie
from .provider import ProviderFailed
from .seal import Seal

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Oidc
    from fanjet.net.http1.request import Request

    from .identity import IdentityVerifier
    from .provider import Provider

log = get_logger(__name__)

LOGIN_COOKIE: Final = "fanjet_admin_login"
SESSION_COOKIE: Final = "fanjet_admin"
LOGIN_SECONDS: Final = 900.0
"""How long a login may take."""
LOGIN_REUSE_SECONDS: Final = 300.0
"""How long a pending login is reused, so that tabs of one browser do not invalidate each other's."""
SAME_ORIGIN: Final = (b"", b"same-origin", b"none")
"""Values of `Sec-Fetch-Site` in requests not caused by another site."""

Header = tuple[bytes, bytes]


class LoginFailed(Exception):  # noqa: N818 (says what happened)
    """A login failed. `problem` selects the text that the console shows."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class _Login(msgspec.Struct, frozen=True):
    """A pending login, kept in an encrypted cookie. `started_at` in Unix seconds."""

    state: str
    nonce: str
    verifier: str
    started_at: float


_decode_login = msgspec.json.Decoder(_Login).decode


class CodeFlow:
    """Sends browsers to the provider and logs them in by a cookie on their return."""

    def __init__(self, settings: Oidc, secret: str, provider: Provider, identity_verifier: IdentityVerifier) -> None:
        self._settings = settings
        self._provider = provider
        self._identity_verifier = identity_verifier
        self._logins = Seal(secret, "login")
        self._sessions = Seal(secret, "session")
        self._path = urlsplit(settings.redirect_uri).path.removesuffix("oidc/callback")

    async def authorization_url(self, request: Request) -> tuple[str, Header]:
        """Return the URL to log in at and the cookie of the login.

        Raises `ProviderFailed`.
        """
        metadata = await self._provider.metadata()
        login = self._pending_login(request, LOGIN_REUSE_SECONDS) or _new_login()
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
        endpoint = metadata.authorization_endpoint
        separator = "&" if "?" in endpoint else "?"
        sealed = self._logins.encrypt(msgspec.json.encode(login))
        cookie = set_cookie(LOGIN_COOKIE, sealed, self._path, seconds=int(LOGIN_SECONDS), same_site="Lax")
        return endpoint + separator + urlencode(query), cookie

    async def complete_login(self, request: Request) -> Header:
        """Exchange the code of a callback; return the session cookie.

        Raises `LoginFailed`.
        """
        parameters = {
            name: query_value(request.query, name.encode()).decode("utf-8", "replace") for name in _CALLBACK_PARAMETERS
        }
        login = self._pending_login(request, LOGIN_SECONDS)
        if login is None or not compare_digest(login.state.encode(), parameters["state"].encode()):
            raise LoginFailed("stale")
        if parameters["error"] or not parameters["code"]:
            log.warn("OpenID Connect provider refused a login", error=parameters["error"][:100])
            raise LoginFailed("refused")
        try:
            token = await self._provider.id_token(parameters["code"], login.verifier)
            identity = await self._identity_verifier.verify(token)
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
        sealed = self._sessions.encrypt(token.encode())
        left = max(int(expires_at - time.time()), 1)
        cookie = set_cookie(SESSION_COOKIE, sealed, self._path, seconds=left, same_site="Strict")
        if len(cookie[1]) > MAX_COOKIE_LENGTH:
            log.error("ID token is too long for a cookie: have the provider put less into it", length=len(token))
            raise LoginFailed("token")
        return cookie

    def session_token(self, request: Request) -> str | None:
        """Return the ID token in the session cookie; None for cross-site requests."""
        if request.headers.get(b"sec-fetch-site", b"") not in SAME_ORIGIN:
            return None
        token = self._sessions.decrypt(cookie_of(request, SESSION_COOKIE))
        return None if token is None else token.decode()

    def drop_login_cookie(self) -> Header:
        """Return the header that deletes the login cookie."""
        return set_cookie(LOGIN_COOKIE, "", self._path, seconds=0, same_site="Lax")

    def drop_session_cookie(self) -> Header:
        """Return the header that deletes the session cookie."""
        return set_cookie(SESSION_COOKIE, "", self._path, seconds=0, same_site="Strict")

    def _pending_login(self, request: Request, within: float) -> _Login | None:
        sealed = self._logins.decrypt(cookie_of(request, LOGIN_COOKIE))
        if sealed is None:
            return None
        try:
            login = _decode_login(sealed)
        except msgspec.DecodeError:  # sealed by another version of this server
            return None
        return login if 0 <= time.time() - login.started_at < within else None


_CALLBACK_PARAMETERS: Final = ("code", "state", "error")


def _new_login() -> _Login:
    return _Login(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), time.time())


def scope(settings: Oidc) -> str:
    """Return the requested scopes."""
    return " ".join(("openid", *(one for one in settings.extra_scopes if one != "openid")))
