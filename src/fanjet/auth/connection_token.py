"""Verification of connection tokens (03 §6.5)."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fanjet.protocol.capability import Capability
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder

from .claims import (
    CapsClaim,
    ConnectionClaims,
    LabelsClaim,
    ServerSubscription,
    SubClaims,
    read_optional_claim,
    read_payload,
)
from .errors import TokenExpired, TokenInvalid
from .token_rules import TokenRules, VerifiedToken

_decoder: Final = DocumentDecoder(ConnectionClaims)
_labels_decoder: Final = DocumentDecoder(LabelsClaim)
_caps_decoder: Final = DocumentDecoder(CapsClaim)


class ConnectionToken(Struct, frozen=True):
    """The grants of a connection token.

    `expire_at`: Unix seconds, 0 for never. `info` and `meta`: JSON as written (`info` may be any bytes), empty if the
    claim is absent. `labels` and `caps`: None if the claim is absent.
    """

    user: str
    expire_at: int
    info: bytes
    meta: bytes
    subs: dict[str, ServerSubscription]
    labels: dict[str, str] | None = None
    caps: list[Capability] | None = None


class ConnectionVerifier:
    """Verifies connection tokens.

    `resolve` is called with each channel that a token names; it raises error 102 for an unknown namespace.
    """

    def __init__(self, rules: TokenRules, *, resolve: Callable[[str], object]) -> None:
        self._rules = rules
        self._resolve = resolve

    async def verify(self, text: str) -> ConnectionToken:
        """Verify a token; suspends only if a key has to be fetched.

        Raises `TokenInvalid`, `TokenExpired`, and `ReplyError`: `KeysUnavailable` or the error of `resolve`.
        """
        verified = self._rules.open(text, _decoder)
        if not isinstance(verified, VerifiedToken):
            verified = await verified
        claims = verified.claims
        if claims.channel:
            raise TokenInvalid("a subscription token is not for connecting")
        if verified.is_expired(self._rules.clock()):
            raise TokenExpired
        meta = bytes(claims.meta)
        own_labels = read_optional_claim(verified.document, claims.labels, _labels_decoder) if claims.labels else None
        labels = None if own_labels is None else own_labels.labels
        caps = read_optional_claim(verified.document, claims.caps, _caps_decoder) if claims.caps else None
        if verified.mapping is not None:
            meta = verified.mapping.meta(verified.document, meta)
            labels = verified.mapping.labels(verified.document, labels)
        return ConnectionToken(
            verified.user,
            verified.expire_at,
            read_payload(claims.info, claims.b64info),
            meta,
            self._subs(claims) if claims.subs or claims.channels else {},
            labels,
            None if caps is None else caps.caps,
        )

    def _subs(self, claims: ConnectionClaims) -> dict[str, ServerSubscription]:
        """Return the server-side subscriptions.

        `channels` is used only if `subs` is absent or empty.
        """
        for channel in claims.subs or claims.channels:
            self._resolve(channel)
        if claims.subs:
            return {channel: _server_subscription(entry) for channel, entry in claims.subs.items()}
        return {channel: ServerSubscription() for channel in claims.channels}


def _server_subscription(entry: SubClaims) -> ServerSubscription:
    return ServerSubscription(
        info=read_payload(entry.info, entry.b64info),
        data=read_payload(entry.data, entry.b64data),
        override=entry.override,
        server_tags_filter=entry.server_tags_filter,
    )
