"""Tokens made and looked at, in development: the console has this only in insecure mode."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import msgspec

from fanjet.auth import TokenExpired, TokenInvalid
from fanjet.auth.issue import claims, sign, subscription_settings

from ..requests import Refused

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.config import Config

    from ..requests import Parameters


class TokenDesk:
    """Makes tokens for the server's own secrets, and says what it would make of others."""

    def __init__(self, config: Config, clients: ClientContext) -> None:
        self._client = config.client
        self._clients = clients

    async def make(self, asked: Parameters) -> dict[str, Any]:
        """A connection token, or with `channel` a subscription token, for `user`, valid for `ttl` seconds. `claims`:
        JSON with more of them."""
        channel = asked.text("channel")
        settings = subscription_settings(self._client) if channel else self._client.token
        if not settings.hmac_secret_key:
            raise Refused(400, "no HMAC secret is set (client.token.hmac_secret_key)")
        made = claims(settings, asked.text("user"), asked.number("ttl", 3600)) | _more(asked.text("claims"))
        if channel:
            made["channel"] = channel
        return {"token": sign(settings.hmac_secret_key, made), "claims": made}

    async def inspect(self, asked: Parameters) -> dict[str, Any]:
        """The claims of a `token`, and whether this server takes it, as which kind."""
        token = asked.needed("token").strip()
        claimed = _claims_of(token)
        kind = "subscription" if "channel" in claimed else "connection"
        verifier = self._clients.subscription_verifier if kind == "subscription" else self._clients.connection_verifier
        try:
            await verifier.verify(token)
        except TokenExpired:
            verdict, valid = "It has expired.", False
        except TokenInvalid as error:
            verdict, valid = f"It is not valid: {error}.", False
        else:
            verdict, valid = "This server takes it.", True
        return {"kind": kind, "valid": valid, "verdict": verdict, "claims": claimed}


def _more(text: str) -> dict[str, Any]:
    try:
        more = msgspec.json.decode(text) if text.strip() else {}
    except msgspec.DecodeError as error:
        raise Refused(400, f"claims: {error}") from None
    if not isinstance(more, dict):
        raise Refused(400, "claims is no JSON object")
    return more


def _claims_of(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise Refused(400, "it has not the three parts of a token")
    try:
        claimed = msgspec.json.decode(_base64url(parts[1]))
    except (ValueError, msgspec.DecodeError):
        raise Refused(400, "its middle part is no JSON") from None
    if not isinstance(claimed, dict):
        raise Refused(400, "its claims are no JSON object")
    return claimed


def _base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
