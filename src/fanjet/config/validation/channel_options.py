"""Options of one namespace (04 §6.3, 03 §3.9), in the contract's order."""

import re
from collections.abc import Iterator

import re2

from fanjet.config import cel
from fanjet.config.duration import format_duration
from fanjet.config.tree.channel import ChannelOptions
from fanjet.config.tree.proxy import Proxy
from fanjet.config.tree.root import Config
from fanjet.config.validation import map_options
from fanjet.config.validation.problem import Problems, within
from fanjet.config.validation.proxies import DEFAULT, known_proxy_names, proxy_problems

DATA_FORMATS = ("", "json", "json_object", "binary")
RECOVERY_MODES = ("", "stream", "cache")
DELTA_TYPES = ("fossil",)
SUBSCRIPTION_TYPES = ("", "stream", "map", "map_clients", "map_users", "shared_poll")
SHARED_POLL_MODES = ("", "versionless", "versioned")


ANY_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")
"""A single byte, which may be part of a character: our engine knows it, the contract's does not."""


def option_problems(options: ChannelOptions, config: Config) -> Problems:
    """All problems with the options of one namespace.

    Also those of channels without a namespace.
    """
    yield from history(options, config)
    yield from recovery(options)
    yield from channel_regex(options)
    yield from stream_proxy_alone(options)
    yield from known_values(options)
    yield from channel_proxies(options, config)
    yield from map_options.client_key(options)
    yield from subscription_type(options, config)
    yield from map_options.mode(options)
    yield from map_options.lifetimes(options)
    yield from map_options.removal(options)
    yield from map_options.presence_targets(options, config)
    yield from map_options.page_sizes(options)
    yield from expressions(options)


def whole_seconds(duration: float) -> Problems:
    """Fractions of a second are not supported for some keys."""
    if duration > 0 and not duration.is_integer():
        yield f"malformed duration {format_duration(duration)}, sub-second precision is not supported for this key"


def history(options: ChannelOptions, config: Config) -> Problems:
    """Size and TTL go together, and the meta data outlives the history."""
    yield from within("in history_ttl", whole_seconds(options.history_ttl))
    yield from within("in history_meta_ttl", whole_seconds(options.history_meta_ttl))
    if (options.history_size != 0) != (options.history_ttl != 0):
        yield "both history size and history ttl required for history"
    meta_ttl = options.history_meta_ttl or config.channel.history_meta_ttl
    if meta_ttl < options.history_ttl:
        ttl = format_duration(options.history_ttl)
        yield f"history ttl ({ttl}) can not be greater than history meta ttl ({format_duration(meta_ttl)})"


def recovery(options: ChannelOptions) -> Problems:
    """Check that recovery has history.

    Automatic cache recovery needs forced recovery in cache mode.
    """
    if options.force_recovery and not (options.history_size and options.history_ttl):
        yield "both history size and history ttl required for recovery"
    cached = options.force_recovery and options.force_recovery_mode == "cache"
    if options.auto_cache_recover and not cached:
        yield "auto_cache_recover requires force_recovery and force_recovery_mode set to cache"


def channel_regex(options: ChannelOptions) -> Problems:
    """The expression compiles as RE2."""
    if not options.channel_regex:
        return
    if ANY_BYTE.search(options.channel_regex):
        yield f"invalid channel regex {options.channel_regex}: invalid escape sequence: \\C"
        return
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        re2.compile(options.channel_regex, quiet)
    except re2.error as error:
        detail = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        yield f"invalid channel regex {options.channel_regex}: {detail}"


def stream_proxy_alone(options: ChannelOptions) -> Problems:
    """Subscription streams replace the other proxies of a subscription."""
    others = options.subscribe_proxy_enabled or options.publish_proxy_enabled or options.sub_refresh_proxy_enabled
    if options.subscribe_stream_proxy_enabled and others:
        yield "can't use subscribe stream proxy together with subscribe, publish or sub refresh proxies"


def known_values(options: ChannelOptions) -> Problems:
    """Delta types, recovery mode and data format are known."""
    for delta_type in options.allowed_delta_types:
        if delta_type not in DELTA_TYPES:
            yield f'unknown allowed delta type: "{delta_type}"'
    if options.force_recovery_mode not in RECOVERY_MODES:
        yield f'unknown recovery mode: "{options.force_recovery_mode}"'
    if options.publication_data_format not in DATA_FORMATS:
        yield f'unknown publication_data_format: "{options.publication_data_format}"'


def channel_proxies(options: ChannelOptions, config: Config) -> Problems:
    """Check the proxies of channel events.

    Names are known even when not enabled; the proxy behind `default` is complete when it is used.
    """
    names = known_proxy_names(config)
    for kind, key, name, enabled, default in _proxy_uses(options, config):
        if name and name not in names:
            yield f'{kind} proxy with name "{name}" not found'
        if enabled and name == DEFAULT:
            yield from within(f"in channel.proxy.{key}", proxy_problems(default))


def subscription_type(options: ChannelOptions, config: Config) -> Problems:
    """Check the subscription type.

    The type is known; shared poll has its secret, its proxy and a mode that allows the requested features.
    """
    if options.subscription_type not in SUBSCRIPTION_TYPES:
        yield f'unknown subscription_type: "{options.subscription_type}"'
    if options.subscription_type != "shared_poll":
        return
    poll = options.shared_poll
    if not config.shared_poll.hmac_secret_key:
        yield 'shared_poll.hmac_secret_key is required when subscription_type is "shared_poll"'
    if poll.proxy_name and poll.proxy_name not in known_proxy_names(config):
        yield f'shared poll proxy with name "{poll.proxy_name}" not found'
    if (poll.proxy_name or DEFAULT) == DEFAULT:
        yield from within(
            "in channel.proxy.shared_poll_refresh", proxy_problems(config.channel.proxy.shared_poll_refresh)
        )
    if poll.mode not in SHARED_POLL_MODES:
        yield f'invalid shared_poll mode: "{poll.mode}"'
    if poll.publish_enabled and poll.mode != "versioned":
        yield "shared_poll publish_enabled is incompatible with versionless mode (requires explicit versions)"


def expressions(options: ChannelOptions) -> Problems:
    """Expressions compile."""
    for key in cel.KEYS:
        text = getattr(options, key)
        try:
            if text:
                cel.compile_expression(text)
        except cel.ExpressionError as error:
            yield f'{key}: invalid expression "{text}": {error}'


def _proxy_uses(options: ChannelOptions, config: Config) -> Iterator[tuple[str, str, str, bool, Proxy]]:
    """Yield the proxies that an option may use.

    Each is its kind, key under `channel.proxy`, name, switch and default object.
    """
    default, channel_map = config.channel.proxy, options.map
    yield "subscribe", "subscribe", options.subscribe_proxy_name, options.subscribe_proxy_enabled, default.subscribe
    yield "publish", "publish", options.publish_proxy_name, options.publish_proxy_enabled, default.publish
    yield (
        "sub refresh",
        "sub_refresh",
        options.sub_refresh_proxy_name,
        options.sub_refresh_proxy_enabled,
        default.sub_refresh,
    )
    yield (
        "subscribe stream",
        "subscribe_stream",
        options.subscribe_stream_proxy_name,
        options.subscribe_stream_proxy_enabled,
        default.subscribe_stream,
    )
    yield (
        "map publish",
        "map_publish",
        channel_map.publish_proxy_name,
        channel_map.publish_proxy_enabled,
        default.map_publish,
    )
    yield (
        "map remove",
        "map_remove",
        channel_map.remove_proxy_name,
        channel_map.remove_proxy_enabled,
        default.map_remove,
    )
