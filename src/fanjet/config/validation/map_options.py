"""Options of map channels (04 §6.3, rules 17, 18, 24-35).

Those about modes hold for every namespace with a mode.
"""

from collections.abc import Iterator

from fanjet.config.duration import format_duration
from fanjet.config.tree.channel import ChannelOptions, MapOptions
from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import Problems

CLIENT_KEYS = ("", "client_id", "user_id")
MODES = ("", "ephemeral", "recoverable", "persistent")
PRESENCE_TYPES = ("map_clients", "map_users")
MAP_TYPES = ("map", *PRESENCE_TYPES)
DEFAULT_STREAM_TTL = 60.0
"""Seconds that a change stream lives when nothing else is set."""


def is_map(options: ChannelOptions) -> bool:
    """Whether the namespace's channels are maps."""
    return options.subscription_type in MAP_TYPES


def keeps_stream(options: MapOptions) -> bool:
    """Whether the mode keeps a stream of changes."""
    return options.mode in ("recoverable", "persistent")


def client_key(options: ChannelOptions) -> Problems:
    """Who forces the key of client writes: the option or the proxy, not both."""
    key = options.map.client_key
    if key not in CLIENT_KEYS:
        yield f'unknown map.client_key: "{key}" (valid: "client_id", "user_id")'
    for name in ("publish_proxy_enabled", "remove_proxy_enabled"):
        if key and getattr(options.map, name):
            yield f"map.client_key is not compatible with map.{name}: the proxy is responsible for keying when enabled"


def mode(options: ChannelOptions) -> Problems:
    """The mode is known, and set for map types."""
    if options.map.mode not in MODES:
        yield f'unknown map.mode: "{options.map.mode}" (valid: "ephemeral", "recoverable", "persistent")'
    if is_map(options) and not options.map.mode:
        yield "map.mode is required when subscription_type is a map type"


def lifetimes(options: ChannelOptions) -> Problems:
    """TTLs and sizes fit the mode."""
    if options.map.mode in ("ephemeral", "recoverable"):
        yield from _expiring(options.map)
    if options.map.mode == "persistent":
        yield from _persistent(options)
    if options.map.mode == "ephemeral":
        yield from _without_stream(options.map)
    if keeps_stream(options.map):
        yield from _with_stream(options.map)


def removal(options: ChannelOptions) -> Problems:
    """Only keys of maps can be removed."""
    if options.map.remove_client_on_unsubscribe and not is_map(options):
        yield "map.remove_client_on_unsubscribe requires subscription_type to be a map type"


def presence_targets(options: ChannelOptions, config: Config) -> Problems:
    """Channels with presence resolve to a namespace of the matching type."""
    for kind, prefix in (
        ("map_clients", options.map_clients_presence_channel_prefix),
        ("map_users", options.map_users_presence_channel_prefix),
    ):
        if not prefix:
            continue
        place = f'{kind}_presence_channel_prefix "{prefix}"'
        name, target = _target(prefix, config)
        if target is None:
            yield f'{place}: namespace "{name}" does not exist'
        elif target.subscription_type != kind:
            expected = f'subscription_type="{kind}" (got "{target.subscription_type}")'
            yield f'{place}: target namespace "{name}" must have {expected}'


def page_sizes(options: ChannelOptions) -> Problems:
    """Not negative, and in order as far as they are set."""
    low, high, default = options.map.min_page_size, options.map.max_page_size, options.map.default_page_size
    for name, size in (("min", low), ("max", high), ("default", default)):
        if size < 0:
            yield f"map.{name}_page_size must not be negative"
    if 0 < high < low:
        yield f"map.min_page_size ({low}) must not exceed map.max_page_size ({high})"
    if 0 < high < default:
        yield f"map.default_page_size ({default}) must not exceed map.max_page_size ({high})"
    if 0 < default < low:
        yield f"map.default_page_size ({default}) must not be below map.min_page_size ({low})"


def _expiring(options: MapOptions) -> Problems:
    if options.key_ttl == 0:
        yield f'map.key_ttl is required when map.mode is "{options.mode}"'
    if options.key_ttl < 0:
        yield "map.key_ttl must be positive"


def _persistent(options: ChannelOptions) -> Problems:
    if options.map.key_ttl:
        yield 'map.key_ttl must not be set when map.mode is "persistent" (entries don\'t expire)'
    if options.subscription_type in PRESENCE_TYPES:
        yield (
            f'map.mode "persistent" is not allowed with subscription_type "{options.subscription_type}" '
            '(presence entries require TTL-based cleanup; use "ephemeral" or "recoverable")'
        )


def _without_stream(options: MapOptions) -> Problems:
    for name, value in _stream_settings(options):
        if value > 0 or (value and name != "stream_size"):
            yield f'map.{name} must be 0 for map.mode "ephemeral"'


def _with_stream(options: MapOptions) -> Problems:
    for name, value in _stream_settings(options):
        if value < 0:
            yield f"map.{name} must be non-negative"
    stream_ttl = options.stream_ttl or DEFAULT_STREAM_TTL
    if options.meta_ttl and options.meta_ttl < stream_ttl:
        meta, stream = format_duration(options.meta_ttl), format_duration(stream_ttl)
        yield f"map.meta_ttl ({meta}) must be >= map.stream_ttl ({stream}) (metadata must outlive stream)"


def _stream_settings(options: MapOptions) -> Iterator[tuple[str, float]]:
    yield "stream_size", options.stream_size
    yield "stream_ttl", options.stream_ttl
    yield "meta_ttl", options.meta_ttl


def _target(prefix: str, config: Config) -> tuple[str, ChannelOptions | None]:
    """Return name and options of the namespace of channels with this prefix."""
    boundary = config.channel.namespace_boundary
    name = prefix.split(boundary, 1)[0] if boundary and boundary in prefix else ""
    if not name:
        return "", config.channel.without_namespace
    return name, next((each for each in config.channel.namespaces if each.name == name), None)
