"""What handlers return (06 §5 to §11).

Payloads are Python objects, sent as JSON, or bytes, sent as they are; None is no payload. Times are Unix seconds, 0 for
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
    """Namespace options that hold differently for one subscription; None keeps the namespace's."""

    presence: bool | None = None
    join_leave: bool | None = None
    force_recovery: bool | None = None
    force_positioning: bool | None = None
    force_push_join_leave: bool | None = None

    def answer(self) -> Override:
        """As sessions want it."""
        return Override(**{name: _switch(getattr(self, name)) for name in self.__struct_fields__})


class ChannelGrant(Struct, frozen=True, kw_only=True):
    """A server-side subscription made when a client connects.

    `tags_filter`: what the server lets through, as in `server_tags_filter` of tokens. `cache_recover`: deliver the
    latest publication at once, in cache mode.
    """

    info: Any = None
    data: Any = None
    override: SubscriptionOverride | None = None
    tags_filter: Mapping[str, Any] | None = None
    cache_recover: bool = False

    def answer(self) -> Grant:
        """As sessions want it."""
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
    """The client may connect as `user`. Empty is anonymous.

    `data` goes into the connect reply, `info` into presence and publications, `meta` and `labels` into later events.
    `channels` are subscribed server-side, those in `subs` with more to say about each.
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
        """As sessions want it."""
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
    """The connection goes on until `expire_at`, which must be in the future. What is None stays as it was; `caps` are
    those from now on."""

    expire_at: int
    info: Any = None
    meta: Any = None
    caps: Sequence[Capability] = ()

    def answer(self) -> RefreshAnswer:
        """As sessions want it."""
        return RefreshAnswer(
            expire_at=self.expire_at, info=payload_bytes(self.info), meta=payload_bytes(self.meta), caps=self.caps
        )


class SubscribeReply(Struct, frozen=True, kw_only=True):
    """The client may subscribe.

    `data` goes into the subscribe reply, `info` into presence of the channel. `allow`: what the client may do in the
    channel beyond the namespace's options, by the codes `pub`, `hst` and `prs`. `tags_filter` as in `ChannelGrant`.
    """

    expire_at: int = 0
    info: Any = None
    data: Any = None
    override: SubscriptionOverride | None = None
    allow: Sequence[str] = ()
    tags_filter: Mapping[str, Any] | None = None

    def answer(self) -> SubscribeAnswer:
        """As sessions want it."""
        return SubscribeAnswer(
            expire_at=self.expire_at,
            info=payload_bytes(self.info),
            data=payload_bytes(self.data),
            override=_override(self.override),
            allow=self.allow,
            server_tags_filter=_filter(self.tags_filter),
        )


class PublishReply(Struct, frozen=True, kw_only=True):
    """The publication may be made, with these options. `data` None: as the client sent it."""

    data: Any = None
    skip_history: bool = False
    tags: Mapping[str, str] | None = None
    idempotency_key: str = ""
    delta: bool = False
    version: int = 0
    version_epoch: str = ""

    def answer(self) -> PublishAnswer:
        """As sessions want it."""
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
    """The subscription goes on until `expire_at`. An `info` of None stays as it was."""

    expire_at: int = 0
    info: Any = None

    def answer(self) -> SubRefreshAnswer:
        """As sessions want it."""
        return SubRefreshAnswer(expire_at=self.expire_at, info=payload_bytes(self.info))


def _switch(value: bool | None) -> Switch | None:
    return None if value is None else Switch(value)


def _override(override: SubscriptionOverride | None) -> Override | None:
    return None if override is None else override.answer()


def _filter(tags_filter: Mapping[str, Any] | None) -> FilterNode | None:
    return None if tags_filter is None else convert(tags_filter, FilterNode)
