"""Issues and inspects tokens in development: only in insecure mode."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import msgspec

from fanjet.auth import TokenExpired, TokenInvalid
from fanjet.auth.token_generation import claims, sign, subscription_settings

from ..requests import RequestError

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.config import Config

    from ..requests import Parameters


class DevTokens:
    """Issues tokens signed with the server's secrets and verifies given ones."""

    def __init__(self, config: Config, clients: ClientContext) -> None:
        self._client = config.client
        self._clients = clients

    async def issue(self, params: Parameters) -> dict[str, Any]:
        """A connection token for `user`, or with `channel` a subscription token.

        It is valid for `ttl` seconds. `claims` is a JSON object of further claims.
        """
        channel = params.text("channel")
        settings = subscription_settings(self._client) if channel else self._client.token
        if not settings.hmac_secret_key:
            raise RequestError(400, "no HMAC secret is set (client.token.hmac_secret_key)")
        claims_set = claims(settings, params.text("user"), params.number("ttl", 3600)) | _extra_claims(
            params.text("claims")
        )
        if channel:
            claims_set["channel"] = channel
        return {"token": sign(settings.hmac_secret_key, claims_set), "claims": claims_set}

    async def inspect(self, params: Parameters) -> dict[str, Any]:
        """The claims of a `token`, its kind, and whether this server accepts it."""
        token = params.required("token").strip()
        claims_found = _claims_of(token)
        kind = "subscription" if "channel" in claims_found else "connection"
        verifier = self._clients.subscription_verifier if kind == "subscription" else self._clients.connection_verifier
        try:
            await verifier.verify(token)
        except TokenExpired:
            message, valid = "It has expired.", False
        except TokenInvalid as error:
            message, valid = f"It is not valid: {error}.", False
        else:
            message, valid = "This server takes it.", True
        return {"kind": kind, "valid": valid, "verdict": message, "claims": claims_found}


def _extra_claims(text: str) -> dict[str, Any]:
    try:
        extra = msgspec.json.decode(text) if text.strip() else {}
    except msgspec.DecodeError as error:
        raise RequestError(400, f"claims: {error}") from None
    if not isinstance(extra, dict):
        raise RequestError(400, "claims is no JSON object")
    return extra


def _claims_of(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise RequestError(400, "it has not the three parts of a token")
    try:
        claims_found = msgspec.json.decode(_base64url(parts[1]))
    except (ValueError, msgspec.DecodeError):
        raise RequestError(400, "its middle part is no JSON") from None
    if not isinstance(claims_found, dict):
        raise RequestError(400, "its claims are no JSON object")
    return claims_found


def _base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
