"""Replies of handlers (06 §5 to §11).

Payloads are Python objects, sent as JSON, or bytes, sent unchanged; None is no payload. Times are Unix seconds, 0 for
never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, convert

from fanjet.events.answer import (
    ConnectAnswer,
    Grant,
    Override,
    PublishAnswer,
    RefreshAnswer,
    SubRefreshAnswer,
    SubscribeAnswer,
    Switch,
)
from fanjet.protocol.messages import FilterNode

from .payloads import payload_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanjet.protocol.capability import Capability


class SubscriptionOverride(Struct, frozen=True, kw_only=True):
    """Namespace options replaced for one subscription.

    None keeps the namespace's value.
    """

    presence: bool | None = None
    join_leave: bool | None = None
    force_recovery: bool | None = None
    force_positioning: bool | None = None
    force_push_join_leave: bool | None = None

    def answer(self) -> Override:
        """Convert to the type for sessions."""
        return Override(**{name: _switch(getattr(self, name)) for name in self.__struct_fields__})


class ChannelGrant(Struct, frozen=True, kw_only=True):
    """A server-side subscription made at connect.

    `tags_filter`: the server's filter, as in `server_tags_filter` of tokens. `cache_recover`: deliver the latest
    publication at once, in cache mode.
    """

    info: Any = None
    data: Any = None
    override: SubscriptionOverride | None = None
    tags_filter: Mapping[str, Any] | None = None
    cache_recover: bool = False

    def answer(self) -> Grant:
        """Convert to the type for sessions."""
        return Grant(
            info=payload_bytes(self.info),
            data=payload_bytes(self.data),
            override=_override(self.override),
            server_tags_filter=_filter(self.tags_filter),
            cache_recover=self.cache_recover,
        )


_PLAIN_GRANT: Final = Grant()
_NO_GRANTS: Final[Mapping[str, Grant]] = {}


class ConnectReply(Struct, frozen=True, kw_only=True):
    """Accept the client as `user`; empty is anonymous.

    `data` goes into the connect reply, `info` into presence and publications, `meta` and `labels` into later events.
    `channels` are subscribed server-side; `subs` are too, with settings for each.
    """

    user: str = ""
    expire_at: int = 0
    info: Any = None
    data: Any = None
    meta: Any = None
    channels: Sequence[str] = ()
    subs: Mapping[str, ChannelGrant] = {}
    caps: Sequence[Capability] = ()
    labels: Mapping[str, str] | None = None

    def answer(self) -> ConnectAnswer:
        """Convert to the type for sessions."""
        return ConnectAnswer(
            user=self.user,
            expire_at=self.expire_at,
            info=payload_bytes(self.info),
            data=payload_bytes(self.data),
            meta=payload_bytes(self.meta),
            subs=self._grants() if self.channels or self.subs else _NO_GRANTS,
            caps=self.caps,
            labels=self.labels,
        )

    def _grants(self) -> dict[str, Grant]:
        grants = dict.fromkeys(self.channels, _PLAIN_GRANT)
        grants.update((channel, grant.answer()) for channel, grant in self.subs.items())
        return grants


class RefreshReply(Struct, frozen=True, kw_only=True):
    """Extend the connection until `expire_at`, which must be in the future.

    None leaves a value unchanged; `caps` replaces the capabilities.
    """

    expire_at: int
    info: Any = None
    meta: Any = None
    caps: Sequence[Capability] = ()

    def answer(self) -> RefreshAnswer:
        """Convert to the type for sessions."""
        return RefreshAnswer(
            expire_at=self.expire_at, info=payload_bytes(self.info), meta=payload_bytes(self.meta), caps=self.caps
        )


class SubscribeReply(Struct, frozen=True, kw_only=True):
    """Accept the subscription.

    `data` goes into the subscribe reply, `info` into presence of the channel. `allow`: rights in the channel beyond the
    namespace's options, by the codes `pub`, `hst` and `prs`. `tags_filter` as in `ChannelGrant`.
    """

    expire_at: int = 0
    info: Any = None
    data: Any = None
    override: SubscriptionOverride | None = None
    allow: Sequence[str] = ()
    tags_filter: Mapping[str, Any] | None = None

    def answer(self) -> SubscribeAnswer:
        """Convert to the type for sessions."""
        return SubscribeAnswer(
            expire_at=self.expire_at,
            info=payload_bytes(self.info),
            data=payload_bytes(self.data),
            override=_override(self.override),
            allow=self.allow,
            server_tags_filter=_filter(self.tags_filter),
        )


class PublishReply(Struct, frozen=True, kw_only=True):
    """Accept the publication, with these options. `data` None: as sent by the client."""

    data: Any = None
    skip_history: bool = False
    tags: Mapping[str, str] | None = None
    idempotency_key: str = ""
    delta: bool = False
    version: int = 0
    version_epoch: str = ""

    def answer(self) -> PublishAnswer:
        """Convert to the type for sessions."""
        return PublishAnswer(
            data=payload_bytes(self.data) or None,
            skip_history=self.skip_history,
            tags=self.tags,
            idempotency_key=self.idempotency_key,
            delta=self.delta,
            version=self.version,
            version_epoch=self.version_epoch,
        )


class SubRefreshReply(Struct, frozen=True, kw_only=True):
    """Extend the subscription until `expire_at`. An `info` of None is unchanged."""

    expire_at: int = 0
    info: Any = None

    def answer(self) -> SubRefreshAnswer:
        """Convert to the type for sessions."""
        return SubRefreshAnswer(expire_at=self.expire_at, info=payload_bytes(self.info))


def _switch(value: bool | None) -> Switch | None:
    return None if value is None else Switch(value)


def _override(override: SubscriptionOverride | None) -> Override | None:
    return None if override is None else override.answer()


def _filter(tags_filter: Mapping[str, Any] | None) -> FilterNode | None:
    return None if tags_filter is None else convert(tags_filter, FilterNode)
