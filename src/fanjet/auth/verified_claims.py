"""The steps of verification that both kinds of tokens go through (03 §6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Raw, Struct, defstruct
from msgspec.json import Decoder

from fanjet.protocol.messages import NO_PAYLOAD

from .claims import RegisteredClaims, read_audience, read_time, read_user
from .errors import TokenInvalid
from .hmac_verifier import HMACVerifier
from .jwt import decode_json, parse_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.config.tree.token import Token as TokenConfig

    from .signatures import SignatureVerifier

C = TypeVar("C", bound=RegisteredClaims)


class Opened(Struct, Generic[C], frozen=True):
    """What stands in a token that is genuine. Times are Unix seconds."""

    claims: C
    user: str
    expires: float | None
    not_before: float | None

    def is_expired(self, now: float) -> bool:
        """Whether the token is used too late, or too early. There is no leeway."""
        return (self.expires is not None and self.expires <= now) or (
            self.not_before is not None and self.not_before >= now
        )

    @property
    def expire_at(self) -> int:
        """When what the token grants expires, 0 for never: the claim `expire_at` decides, or else `exp`."""
        if self.claims.expire_at is not None:
            return max(self.claims.expire_at, 0)
        return int(self.expires or 0)


class VerifiedClaims(Generic[C]):
    """Opens tokens: parses them, checks signature, audience and issuer.

    `skip_signature` takes anybody's word for everything else. `clock` gives Unix seconds.
    """

    def __init__(
        self, claims: type[C], config: TokenConfig, *, skip_signature: bool, clock: Callable[[], float]
    ) -> None:
        self._decoder = Decoder(claims)
        self._signatures: SignatureVerifier = HMACVerifier(config, clock)
        self._skip_signature = skip_signature
        self._audience = config.audience
        self._issuer = config.issuer
        self._user_id_claim = config.user_id_claim
        self._user_decoder = _decoder_of_one_claim(config.user_id_claim)

    def open(self, text: str) -> Opened[C]:
        """Raises `TokenInvalid`. Whether the token has expired is left to `Opened.is_expired`."""
        token = parse_token(text)
        claims = decode_json(token.claims, self._decoder)
        audience = read_audience(claims.aud)
        expires, not_before, _ = read_time(claims.exp), read_time(claims.nbf), read_time(claims.iat)
        if not self._skip_signature and not self._signatures.accepts(token):
            raise TokenInvalid("wrong signature or no key for it")
        if self._audience and self._audience not in audience:
            raise TokenInvalid("invalid audience")
        if self._issuer and self._issuer != claims.iss:
            raise TokenInvalid("invalid issuer")
        user = claims.sub
        if self._user_decoder is not None:
            user = read_user(getattr(decode_json(token.claims, self._user_decoder), self._user_id_claim))
        return Opened(claims, user, expires, not_before)


def _decoder_of_one_claim(name: str) -> Decoder[Struct] | None:
    if not name:
        return None
    return Decoder(defstruct("UserClaim", [(name, Raw, NO_PAYLOAD)], frozen=True))
