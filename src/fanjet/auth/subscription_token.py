"""Tokens to subscribe with (03 §6.6)."""

import time
from collections.abc import Callable

from msgspec import Struct

from fanjet.config.tree.token import Token as TokenConfig
from fanjet.protocol.messages import FilterNode

from .claims import OverrideClaims, SubscriptionClaims, read_payload
from .errors import TokenExpired, TokenInvalid
from .verified_claims import VerifiedClaims


class SubscriptionToken(Struct, frozen=True):
    """What a subscription token grants. Whether channel, user and client are the right ones is the caller's to compare.

    `client` is empty when the token is for any. `expire_at` in Unix seconds, 0 for never. `info` is the channel info.
    `allow` has the codes of `Capability`, for this channel; it is None, like the filter, which is not validated, without
    such a claim.
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
    """Verifies subscription tokens. `resolve` raises error 102 for a channel of an unknown namespace."""

    def __init__(
        self,
        config: TokenConfig,
        *,
        resolve: Callable[[str], object],
        skip_signature: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._claims = VerifiedClaims(SubscriptionClaims, config, skip_signature=skip_signature, clock=clock)
        self._resolve = resolve
        self._clock = clock

    def verify(self, text: str) -> SubscriptionToken:
        """Raises `TokenInvalid`, `TokenExpired`, and what `resolve` raises."""
        opened = self._claims.open(text)
        claims = opened.claims
        if opened.is_expired(self._clock()):
            raise TokenExpired(channel=claims.channel, user=opened.user, client=claims.client)
        if not claims.channel:
            raise TokenInvalid("the token names no channel")
        self._resolve(claims.channel)
        return SubscriptionToken(
            channel=claims.channel,
            user=opened.user,
            client=claims.client,
            expire_at=opened.expire_at,
            info=read_payload(claims.info, claims.b64info),
            data=read_payload(claims.data, claims.b64data),
            override=claims.override,
            allow=claims.allow,
            server_tags_filter=claims.server_tags_filter,
        )
