"""Channels, namespaces and their options (04 §5.11, §5.13)."""

from fanjet.config.tree.base import Duration, Section, option
from fanjet.config.tree.proxy import Proxy


class MapOptions(Section):
    """Options of map channels."""

    mode: str = option("", "ephemeral, recoverable, persistent; required for map types")
    key_ttl: Duration = option(0.0, "entry lifetime; required for ephemeral/recoverable, forbidden for persistent")
    stream_size: int = option(0, "change stream length; 0 → 100; must be 0 for ephemeral")
    stream_ttl: Duration = option(0.0, "change stream lifetime; 0 → 1m; must be 0 for ephemeral")
    meta_ttl: Duration = option(
        0.0, "meta lifetime; 0 → max(10 × stream TTL, key_ttl) (recoverable) or no expiry (persistent); 0 if ephemeral"
    )
    remove_client_on_unsubscribe: bool = option(False, "delete own key on unsubscribe; map types only")
    client_key: str = option(
        "", "client_id or user_id: key forced for client publishes and removes; excludes the map proxies"
    )
    allow_publish_for_client: bool = option(False, "authenticated may set keys")
    allow_publish_for_subscriber: bool = option(False, "subscribers may set keys")
    allow_publish_for_anonymous: bool = option(False, "anonymous may set keys")
    allow_remove_for_client: bool = option(False, "authenticated may remove keys")
    allow_remove_for_subscriber: bool = option(False, "subscribers may remove keys")
    allow_remove_for_anonymous: bool = option(False, "anonymous may remove keys")
    publish_proxy_enabled: bool = option(False, "proxy map publish")
    publish_proxy_name: str = option("default", "default = channel.proxy.map_publish")
    remove_proxy_enabled: bool = option(False, "proxy map remove")
    remove_proxy_name: str = option("default", "default = channel.proxy.map_remove")
    default_page_size: int = option(0, "page size when the request names none; 0 → 100")
    min_page_size: int = option(0, "smallest page size used; 0 → 100")
    max_page_size: int = option(0, "largest page size used; 0 → 1000; min ≤ default ≤ max among non-zero values")
    live_transition_max_publication_limit: int = option(
        0, "most stream publications sent in the change to live; 0 → max page size"
    )
    subscribe_catch_up_timeout: Duration = option(
        0.0, "time a client has to get from the first page to live; 0 → 5s; negative = none"
    )


class SharedPollOptions(Section):
    """Options of shared poll channels."""

    proxy_name: str = option("", "empty → default = channel.proxy.shared_poll_refresh")
    refresh_interval: Duration = option(0.0, "time between backend refreshes; 0 → 10s")
    refresh_batch_size: int = option(0, "keys per backend call, 0 → 1000")
    max_keys_per_connection: int = option(0, "tracked keys per connection; 0 → 5000")
    mode: str = option("", "versionless (also empty) or versioned")
    channel_shutdown_delay: Duration = option(
        0.0, "how long a channel without subscribers keeps being polled; 0 → 1s; negative = immediate end"
    )
    track_expired_extra_delay: Duration = option(0.0, "grace for an expired track signature; 0 → 25s")
    publish_enabled: bool = option(False, "allow shared_poll_publish; versioned mode only")


class ChannelOptions(Section):
    """What holds for the channels of one namespace."""

    presence: bool = option(False, "maintain presence")
    join_leave: bool = option(False, "emit join/leave")
    force_push_join_leave: bool = option(False, "push join/leave without the client asking")
    map_clients_presence_channel_prefix: str = option(
        "", "prefix + channel = map channel with client presence; target namespace type map_clients"
    )
    map_users_presence_channel_prefix: str = option(
        "", "prefix + channel = map channel with user presence; target namespace type map_users"
    )
    history_size: int = option(0, "stream length; 0 = no history; together with history_ttl")
    history_ttl: Duration = option(0.0, "stream lifetime; whole seconds")
    history_meta_ttl: Duration = option(0.0, "overrides channel.history_meta_ttl; 0 = inherit; whole seconds")
    force_positioning: bool = option(False, "positioning for every subscriber")
    allow_positioning: bool = option(False, "positioning on client request")
    force_recovery: bool = option(False, "recovery for every subscriber; needs history")
    allow_recovery: bool = option(False, "recovery on client request")
    force_recovery_mode: str = option("", "empty or stream, cache")
    auto_cache_recover: bool = option(False, "recover without client request; needs force_recovery and mode cache")
    allowed_delta_types: tuple[str, ...] = option((), "negotiable delta types; only fossil")
    allow_tags_filter: bool = option(False, "allow tag filters on subscribe")
    delta_publish: bool = option(False, "treat every publish as delta publish")
    keep_latest_publication: bool = option(
        False, "each node remembers the latest publication: patches for subscribers without positions are based on it"
    )
    shared_position_sync: bool = option(
        False, "look twice before subscribers of a channel are told that they have missed something"
    )
    allow_channel_compaction: bool = option(False, "numbers for channel names in pushes to clients that ask for them")
    allow_subscribe_for_anonymous: bool = option(False, "anonymous may subscribe")
    allow_subscribe_for_client: bool = option(False, "authenticated may subscribe")
    allow_publish_for_anonymous: bool = option(False, "anonymous may publish")
    allow_publish_for_subscriber: bool = option(False, "subscribers may publish")
    allow_publish_for_client: bool = option(False, "authenticated may publish")
    allow_presence_for_anonymous: bool = option(False, "anonymous may call presence")
    allow_presence_for_subscriber: bool = option(False, "subscribers may call presence")
    allow_presence_for_client: bool = option(False, "authenticated may call presence")
    allow_history_for_anonymous: bool = option(False, "anonymous may call history")
    allow_history_for_subscriber: bool = option(False, "subscribers may call history")
    allow_history_for_client: bool = option(False, "authenticated may call history")
    allow_user_limited_channels: bool = option(False, "honour the #user part")
    channel_regex: str = option("", "regular expression for the name after the namespace")
    pattern: str = option(
        "", "channels of this form, such as /room/:id, belong to this namespace; needs channel.patterns"
    )
    subscribe_cel: str = option("", "CEL expression; where it is true, clients may subscribe")
    publish_cel: str = option("", "CEL expression; where it is true, clients may publish")
    history_cel: str = option("", "CEL expression; where it is true, clients may call history")
    presence_cel: str = option("", "CEL expression; where it is true, clients may call presence")
    publication_data_format: str = option(
        "", "data format of publications: json, json_object, binary; empty = channel.publication_data_format"
    )
    subscribe_proxy_enabled: bool = option(False, "proxy subscribe")
    subscribe_proxy_name: str = option("default", "default = channel.proxy.subscribe, or a name from proxies")
    publish_proxy_enabled: bool = option(False, "proxy client publish")
    publish_proxy_name: str = option("default", "default = channel.proxy.publish")
    sub_refresh_proxy_enabled: bool = option(False, "proxy subscription refresh")
    sub_refresh_proxy_name: str = option("default", "default = channel.proxy.sub_refresh")
    subscribe_stream_proxy_enabled: bool = option(
        False, "subscription streams; excludes the three proxies above; gRPC endpoint only"
    )
    subscribe_stream_proxy_name: str = option("default", "default = channel.proxy.subscribe_stream")
    subscribe_stream_proxy_bidirectional: bool = option(False, "client may also send into the stream")
    broker_name: str = option("", "the broker of these channels, a name from brokers; empty = the one of all")
    presence_manager_name: str = option(
        "", "the presence manager of these channels, a name from presence_managers; empty = the one of all"
    )
    subscription_type: str = option("", "empty/stream, map, map_clients, map_users, shared_poll")
    map: MapOptions = MapOptions()
    shared_poll: SharedPollOptions = SharedPollOptions()


class ChannelNamespace(ChannelOptions):
    """A named set of channel options."""

    name: str = option("", "unique, ^[-a-zA-Z0-9_.]{2,}$")


class ChannelProxies(Section):
    """The proxies behind the name `default`, by event."""

    subscribe: Proxy = Proxy()
    publish: Proxy = Proxy()
    sub_refresh: Proxy = Proxy()
    subscribe_stream: Proxy = Proxy()
    map_publish: Proxy = Proxy()
    map_remove: Proxy = Proxy()
    shared_poll_refresh: Proxy = Proxy()


class Channel(Section):
    """Channel names, namespaces and what is common to all channels."""

    proxy: ChannelProxies = ChannelProxies()
    without_namespace: ChannelOptions = ChannelOptions()
    namespaces: tuple[ChannelNamespace, ...] = option((), "namespaces: a name and channel options")
    history_meta_ttl: Duration = option(
        2592000.0, "default lifetime of stream meta (offset, epoch); whole seconds; ≥ every history_ttl"
    )
    publication_data_format: str = option("", "data format of publications: empty, json, json_object, binary")
    max_length: int = option(255, "maximum channel name length")
    patterns: bool = option(False, "channels starting with / belong to the namespace whose pattern they match")
    private_prefix: str = option("$", "channels with this prefix always need a subscription token")
    namespace_boundary: str = option(":", "separator of namespace and rest")
    user_boundary: str = option("#", "starts the list of allowed users")
    user_separator: str = option(",", "separates users in that list")
