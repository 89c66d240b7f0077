"""Verification of subscription tokens (03 §6.6)."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.messages import FilterNode

from .claims import AllowClaim, OverrideClaims, SubscriptionClaims, read_optional_claim, read_payload
from .errors import TokenExpired, TokenInvalid
from .token_rules import TokenRules, VerifiedToken

_decoder: Final = DocumentDecoder(SubscriptionClaims)
_allow_decoder: Final = DocumentDecoder(AllowClaim)


class SubscriptionToken(Struct, frozen=True):
    """The grants of a subscription token.

    The caller compares channel, user and client.

    `client`: empty if the token is for any client. `expire_at`: Unix seconds, 0 for never. `info`: the channel info.
    `allow`: codes of `Capability` for this channel, None if the claim is absent. `server_tags_filter`: None if the
    claim is absent; not validated.
    """

    channel: str
    user: str
    client: str
    expire_at: int
    info: bytes
    data: bytes
    override: OverrideClaims | None
    allow: list[str] | None = None
    server_tags_filter: FilterNode | None = None


class SubscriptionVerifier:
    """Verifies subscription tokens.

    `resolve` raises error 102 for a channel of an unknown namespace.
    """

    def __init__(self, rules: TokenRules, *, resolve: Callable[[str], object]) -> None:
        self._rules = rules
        self._resolve = resolve

    async def verify(self, text: str) -> SubscriptionToken:
        """Verify a token; suspends only if a key has to be fetched.

        Raises `TokenInvalid`, `TokenExpired`, and `ReplyError`: `KeysUnavailable` or the error of `resolve`.
        """
        verified = self._rules.open(text, _decoder)
        if not isinstance(verified, VerifiedToken):
            verified = await verified
        claims = verified.claims
        if verified.is_expired(self._rules.clock()):
            raise TokenExpired(channel=claims.channel, user=verified.user, client=claims.client)
        if not claims.channel:
            raise TokenInvalid("the token names no channel")
        self._resolve(claims.channel)
        allow = read_optional_claim(verified.document, claims.allow, _allow_decoder)
        return SubscriptionToken(
            channel=claims.channel,
            user=verified.user,
            client=claims.client,
            expire_at=verified.expire_at,
            info=read_payload(claims.info, claims.b64info),
            data=read_payload(claims.data, claims.b64data),
            override=claims.override,
            allow=None if allow is None else allow.allow,
            server_tags_filter=claims.server_tags_filter,
        )
