"""Subscription options by the source of the subscription (03 §4.2)."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from fanjet.config.tree.channel import ChannelOptions
from fanjet.protocol.messages import FilterNode
from fanjet.protocol.tags_filter import TagsFilter


class Source(IntEnum):
    """The origin of a subscription (03 §4.1)."""

    UNKNOWN = 0
    CONNECTION_TOKEN = 1
    CONNECT_PROXY = 2
    SUBSCRIPTION_TOKEN = 3
    SUBSCRIBE_PROXY = 4
    USER_LIMITED = 5
    CLIENT_ALLOWED = 6
    CLIENT_INSECURE = 7
    CLIENT_AT_CONNECT = 8
    USER_PERSONAL = 9
    SERVER_API = 10
    CONNECTION_CAPABILITY = 11
    EXPRESSION = 12
    STREAM_PROXY = 13


class SubscriptionOptions(Struct, frozen=True, gc=False):
    """Options of one subscription, fixed when it starts.

    A refresh replaces `allow` and `server_tags_filter`.

    `recovery` implies positions. `auto_recover`: recover without a request, in cache mode only. `history_meta_ttl`
    in seconds. `expire_at` in Unix seconds, 0 for never. `chan_info` and `data` are payloads. `allow`: capabilities
    in the channel (03 §14.1). `server_tags_filter`: the server's filter (03 §14.5). `server_refresh`: the server
    calls the application to refresh it.
    """

    source: Source
    presence: bool = False
    join_leave: bool = False
    push_join_leave: bool = False
    positioning: bool = False
    recovery: bool = False
    cache_mode: bool = False
    auto_recover: bool = False
    allowed_delta_types: tuple[str, ...] = ()
    allow_tags_filter: bool = False
    allow_channel_compaction: bool = False
    history_meta_ttl: int = 0
    chan_info: bytes = b""
    data: bytes = b""
    expire_at: int = 0
    allow: tuple[str, ...] = ()
    server_tags_filter: TagsFilter | None = None
    server_refresh: bool = False

    @property
    def positioned(self) -> bool:
        """Whether the server tracks the stream position."""
        return self.positioning or self.recovery


class Switch(Protocol):
    """An option that is set explicitly."""

    @property
    def value(self) -> bool:
        """The option's value."""


class Override(Protocol):
    """Namespace options replaced by a token or a request (03 §6.8).

    None keeps the namespace's value.
    """

    @property
    def presence(self) -> Switch | None:
        """Option `presence`."""

    @property
    def join_leave(self) -> Switch | None:
        """Option `join_leave`."""

    @property
    def force_push_join_leave(self) -> Switch | None:
        """Option `force_push_join_leave`."""

    @property
    def force_recovery(self) -> Switch | None:
        """Option `force_recovery`."""

    @property
    def force_positioning(self) -> Switch | None:
        """Option `force_positioning`."""


class Grant(Protocol):
    """A token's or the application's settings for one channel."""

    @property
    def info(self) -> bytes:
        """Channel info of the subscriber."""

    @property
    def data(self) -> bytes:
        """Data for the subscriber."""

    @property
    def override(self) -> Override | None:
        """Replaced options."""

    @property
    def server_tags_filter(self) -> FilterNode | None:
        """The server's filter; not validated."""


class ConnectGrant(Grant, Protocol):
    """The application's settings for a channel subscribed at connect."""

    @property
    def cache_recover(self) -> bool:
        """Deliver the latest publication, in cache mode."""


def is_stream(options: ChannelOptions) -> bool:
    """Whether the namespace's channels are streams.

    This is the only subscription type supported so far.
    """
    return options.subscription_type in {"", "stream"}


def from_namespace(options: ChannelOptions, source: Source) -> SubscriptionOptions:
    """Options of a subscription that depends on the namespace alone."""
    return _build_options(options, source, None)


def from_grant(
    options: ChannelOptions, source: Source, grant: Grant, *, expire_at: int = 0, allow: Iterable[str] | None = None
) -> SubscriptionOptions:
    """Options of a subscription by token or by the application.

    The token is a subscription token, or an entry of a connection token's `subs`. `expire_at` below 0 is never.

    Raises `InvalidFilter`.
    """
    made = _build_options(
        options, source, grant.override, chan_info=grant.info, data=grant.data, expire_at=max(expire_at, 0)
    )
    if not allow and grant.server_tags_filter is None:
        return made
    server_filter = None if grant.server_tags_filter is None else TagsFilter(grant.server_tags_filter)
    return replace(made, allow=tuple(allow or ()), server_tags_filter=server_filter)


def from_connect_grant(options: ChannelOptions, grant: ConnectGrant) -> SubscriptionOptions:
    """Options of a subscription that the application grants at connect.

    Raises `InvalidFilter`.
    """
    made = from_grant(options, Source.CONNECT_PROXY, grant)
    return replace(made, auto_recover=made.cache_mode) if grant.cache_recover else made


def from_stream_grant(options: ChannelOptions, grant: Grant, *, expire_at: int) -> SubscriptionOptions:
    """Options of a subscription fed by an application's stream.

    It has no positions, and no options that need them.
    """
    made = _build_options(options, Source.STREAM_PROXY, grant.override, chan_info=grant.info, data=grant.data)
    return replace(
        made,
        expire_at=max(expire_at, 0),
        positioning=False,
        recovery=False,
        auto_recover=False,
        allowed_delta_types=(),
        allow_tags_filter=False,
        history_meta_ttl=0,
    )


def from_server_api(
    options: ChannelOptions, *, info: bytes, data: bytes, expire_at: int, override: Override | None
) -> SubscriptionOptions:
    """Options of a subscription by the server API.

    Always stream mode, no delta, no filter.
    """
    made = _build_options(options, Source.SERVER_API, override, chan_info=info, data=data, expire_at=expire_at)
    return replace(made, cache_mode=False, auto_recover=False, allowed_delta_types=(), allow_tags_filter=False)


class _NoOverride(Struct, frozen=True):
    presence: None = None
    join_leave: None = None
    force_push_join_leave: None = None
    force_recovery: None = None
    force_positioning: None = None


_NO_OVERRIDE: Final = _NoOverride()


def _build_options(
    options: ChannelOptions,
    source: Source,
    override: Override | None,
    *,
    chan_info: bytes = b"",
    data: bytes = b"",
    expire_at: int = 0,
) -> SubscriptionOptions:
    override = override or _NO_OVERRIDE
    cache_mode = options.force_recovery_mode == "cache"
    return SubscriptionOptions(
        source,
        presence=_switch_or(override.presence, options.presence),
        join_leave=_switch_or(override.join_leave, options.join_leave),
        push_join_leave=_switch_or(override.force_push_join_leave, options.force_push_join_leave),
        positioning=_switch_or(override.force_positioning, options.force_positioning),
        recovery=_switch_or(override.force_recovery, options.force_recovery),
        cache_mode=cache_mode,
        auto_recover=cache_mode and options.auto_cache_recover,
        allowed_delta_types=options.allowed_delta_types,
        allow_tags_filter=options.allow_tags_filter,
        allow_channel_compaction=options.allow_channel_compaction,
        history_meta_ttl=int(options.history_meta_ttl),
        chan_info=chan_info,
        data=data,
        expire_at=expire_at,
        server_refresh=options.sub_refresh_proxy_enabled,
    )


def _switch_or(switch: Switch | None, otherwise: bool) -> bool:
    return otherwise if switch is None else switch.value
