"""Verifies tokens by the rules of one section of the configuration (03 §6.4)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import Raw, Struct

from .claim_paths import find_claim
from .claim_patterns import claim_patterns
from .claims import RegisteredClaims, read_audience, read_text, read_time
from .errors import TokenInvalid, TokenSettingsError
from .issuers import issuer_lookup
from .jwt import decode_json, parse_token
from .static_keys import StaticKeys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fanjet.config.tree.token import Token as TokenConfig
    from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder

    from .claim_mapping import ClaimMapping

C = TypeVar("C", bound=RegisteredClaims)

_NO_GROUPS: Final[Mapping[str, str]] = {}


class VerifiedToken(Struct, Generic[C], frozen=True):
    """The contents of a genuine token.

    Times are Unix seconds. `document`: the claims as written.
    """

    claims: C
    user: str
    audience: tuple[str, ...]
    expires: float | None
    not_before: float | None
    document: bytes
    mapping: ClaimMapping | None

    def is_expired(self, now: float) -> bool:
        """Return whether the token has expired or is not valid yet. There is no leeway."""
        return (self.expires is not None and self.expires <= now) or (
            self.not_before is not None and self.not_before >= now
        )

    @property
    def expire_at(self) -> int:
        """The time when the grants expire, 0 for never.

        It is the claim `expire_at` or, without it, `exp`.
        """
        if self.claims.expire_at is not None:
            return max(self.claims.expire_at, 0)
        return int(self.expires or 0)


class TokenRules:
    """Parses tokens and checks patterns, signature, audience and issuer.

    `skip_signature` trusts every token. `clock` returns Unix seconds. `notices`: startup notices about the keys.
    The rules cache fetched keys, so verifiers of the same section share them. Raises `TokenSettingsError`.
    """

    def __init__(
        self, config: TokenConfig, *, skip_signature: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self.clock = clock
        static = StaticKeys(config, clock)
        _check_alternatives(config)
        self._patterns = claim_patterns(config)
        self._issuers, self.notices = issuer_lookup(config, static)
        self._skip_signature = skip_signature
        self._audience = config.audience
        self._issuer = config.issuer
        self._user_id_claim = config.user_id_claim

    def open(self, text: str, decoder: DocumentDecoder[C]) -> VerifiedToken[C] | Awaitable[VerifiedToken[C]]:
        """Verify a token; return an awaitable if a key has to be fetched.

        Raises `TokenInvalid`, `KeysUnavailable`.

        Expiration is not checked: see `VerifiedToken.is_expired`.
        """
        token = parse_token(text)
        claims = decode_json(token.claims, decoder)
        audience = read_audience(claims.aud) if claims.aud else ()
        expires = read_time(claims.exp) if claims.exp else None
        not_before = read_time(claims.nbf) if claims.nbf else None
        if claims.iat:
            read_time(claims.iat)
        groups = _NO_GROUPS if self._patterns is None else self._patterns.match(claims.iss, audience)
        trusted = self._issuers.find(claims.iss, audience)
        user = self._custom_user(token.claims) if self._user_id_claim else claims.sub
        verified = VerifiedToken(claims, user, audience, expires, not_before, token.claims, trusted.mapping)
        if self._skip_signature:
            return self._check_claims(verified, True)
        is_genuine = trusted.verifier.verify(token, groups)
        if isinstance(is_genuine, bool):
            return self._check_claims(verified, is_genuine)
        return self._check_claims_later(verified, is_genuine)

    async def _check_claims_later(self, verified: VerifiedToken[C], is_genuine: Awaitable[bool]) -> VerifiedToken[C]:
        return self._check_claims(verified, await is_genuine)

    def _check_claims(self, verified: VerifiedToken[C], is_genuine: bool) -> VerifiedToken[C]:
        if not is_genuine:
            raise TokenInvalid("wrong signature or no key for it")
        if self._audience and self._audience not in verified.audience:
            raise TokenInvalid("invalid audience")
        if self._issuer and self._issuer != verified.claims.iss:
            raise TokenInvalid("invalid issuer")
        return verified

    def _custom_user(self, document: bytes) -> str:
        """Read the configured user claim.

        Its name is case-sensitive: the operator chose it, not the contract.
        """
        return read_text(Raw(find_claim(document, (self._user_id_claim,)) or b""))


def _check_alternatives(config: TokenConfig) -> None:
    """Raise `TokenSettingsError` for audience or issuer as text and as pattern.

    Each may be given only in one of the two forms.
    """
    for name in ("audience", "issuer"):
        key = f"{name}_regex"
        if getattr(config, name) and getattr(config, key):
            reason = f"can not use both token_{name} and token_{key}, configure only one of them"
            raise TokenSettingsError(key, reason)
