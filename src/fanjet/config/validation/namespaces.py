"""Channels in general and each namespace (04 §6.1, rules 8, 9, 14, 17-20, 22)."""

from fanjet.config.tree.channel import ChannelNamespace
from fanjet.config.tree.root import Config
from fanjet.config.validation.channel_options import DATA_FORMATS, option_problems, whole_seconds
from fanjet.config.validation.problem import NAME, NAME_PATTERN, Problems, repeated, within


def common_channel_settings(config: Config) -> Problems:
    """The stream meta TTL is whole seconds, the data format is known."""
    yield from within("in channel.history_meta_ttl", whole_seconds(config.channel.history_meta_ttl))
    if config.channel.publication_data_format not in DATA_FORMATS:
        yield f'unknown channel.publication_data_format: "{config.channel.publication_data_format}"'


def without_namespace(config: Config) -> Problems:
    """Options of channels without namespace."""
    yield from within("in channel.without_namespace", option_problems(config.channel.without_namespace, config))


def each_namespace(config: Config) -> Problems:
    """Check the namespaces.

    Names are unique and well-formed, options fit, the personal namespace has presence where it needs it.
    """
    namespaces = config.channel.namespaces
    for namespace, again in zip(namespaces, repeated(each.name for each in namespaces), strict=True):
        name = namespace.name
        if again:
            yield f"namespace name must be unique: {name}"
        if not NAME.fullmatch(name):
            reason = f"invalid namespace name – {name} (must match {NAME_PATTERN} regular expression)"
            yield f"namespace {name}: {reason}"
        yield from within(f"namespace {name}", option_problems(namespace, config))
        yield from _personal_presence(namespace, config)


def presence_prefixes(config: Config) -> Problems:
    """Channels with client presence are in a namespace that exists."""
    names = {namespace.name for namespace in config.channel.namespaces}
    for namespace in config.channel.namespaces:
        for key in ("map_clients_presence_channel_prefix", "map_users_presence_channel_prefix"):
            prefix = getattr(namespace, key)
            target = f"{prefix}x".split(config.channel.namespace_boundary or ":", 1)[0]
            if prefix and target not in names:
                place = f'namespace {namespace.name}: {key} "{prefix}"'
                yield f'{place} resolves to namespace "{target}" which does not exist'


def _personal_presence(namespace: ChannelNamespace, config: Config) -> Problems:
    personal = config.client.subscribe_to_user_personal_channel
    if namespace.name != personal.personal_channel_namespace or namespace.presence:
        return
    if personal.single_connection:
        yield f"presence must be enabled for namespace {namespace.name} to maintain single connection"
