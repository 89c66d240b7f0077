"""Verification of ID tokens and of access to the console (10 I.1)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw, Struct

from fanjet.auth import TokenInvalid
from fanjet.auth.claims import read_audience, read_time
from fanjet.auth.jwt import decode_json, parse_token
from fanjet.config.cel import compile_expression
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.messages import NO_PAYLOAD
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.auth.jwt import Token
    from fanjet.config.tree.operations import Oidc

    from .provider import Provider

log = get_logger(__name__)

CLOCK_SKEW_SECONDS: Final = 60.0
"""How far the provider's clock may be ahead."""


class _Claims(Document, frozen=True):
    iss: str = ""
    sub: str = ""
    nonce: str = ""
    aud: Raw = NO_PAYLOAD
    exp: Raw = NO_PAYLOAD
    nbf: Raw = NO_PAYLOAD


_decoder: Final = DocumentDecoder(_Claims)


class Identity(Struct, frozen=True):
    """The verified subject of an ID token. `expires_at` in Unix seconds."""

    subject: str
    nonce: str
    expires_at: float
    has_access: bool


class IdentityVerifier:
    """Verifies ID tokens of one provider."""

    def __init__(self, settings: Oidc, provider: Provider) -> None:
        """Raises `ExpressionError`."""
        self._issuer = settings.issuer
        self._audience = settings.audience or settings.client_id
        self._provider = provider
        self._access = compile_expression(settings.access_cel, about_claims=True)

    async def verify(self, text: str) -> Identity:
        """Verify a token; waits only to fetch metadata or keys of the provider.

        Raises `TokenInvalid`, and `KeysUnavailable` or `ProviderFailed` if the provider cannot be reached.
        """
        token = parse_token(text)
        claims = decode_json(token.claims, _decoder)
        expires_at = self._check_claims(claims)
        await self._check_signature(token)
        return Identity(claims.sub, claims.nonce, expires_at, self._has_access(token.claims))

    def _check_claims(self, claims: _Claims) -> float:
        now = time.time()
        expires_at, begins_at = read_time(claims.exp), read_time(claims.nbf)
        if claims.iss != self._issuer:
            raise TokenInvalid("it is of another issuer")
        if self._audience not in read_audience(claims.aud):
            raise TokenInvalid("it is for another audience")
        if expires_at is None or expires_at <= now:
            raise TokenInvalid("it has expired")
        if begins_at is not None and begins_at > now + CLOCK_SKEW_SECONDS:
            raise TokenInvalid("it is not valid yet")
        return expires_at

    async def _check_signature(self, token: Token) -> None:
        if not token.key_id:
            raise TokenInvalid("it does not name its key")
        check = (await self._provider.key(token.key_id)).get(token.algorithm)
        if check is None or not check(token.signed, token.signature):
            raise TokenInvalid("its signature is wrong")

    def _has_access(self, document: bytes) -> bool:
        """Evaluate the access expression. An error in it denies access."""
        try:
            claims: dict[str, Any] = json.loads(document, parse_int=float)
            outcome = self._access.eval(data={"claims": claims}).value()
        except (ValueError, RuntimeError) as error:
            outcome = error
        if isinstance(outcome, bool):
            return outcome
        log.info("admin.oidc.access_cel gives no access", error=str(outcome))
        return False
