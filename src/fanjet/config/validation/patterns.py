"""Channel patterns (03 §14.2)."""

from fanjet.config.channel_pattern import PatternError, parse_pattern
from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import Problems


def channel_patterns(config: Config) -> Problems:
    """Check the patterns of namespaces.

    Patterns can be read, and no channel matches two that are equally specific. They are not checked while patterns are
    off.
    """
    channel = config.channel
    if not channel.patterns:
        return
    if channel.without_namespace.pattern:
        yield f'in channel.without_namespace: pattern: "{channel.without_namespace.pattern}" must be in a namespace'
    known: dict[str, str] = {}
    for namespace in channel.namespaces:
        if not namespace.pattern:
            continue
        place = f'namespace {namespace.name}: pattern: "{namespace.pattern}"'
        try:
            order = parse_pattern(namespace.pattern).order
        except PatternError as error:
            yield f"{place} {error}"
            continue
        other = known.setdefault(order, namespace.name)
        if other != namespace.name:
            yield f"{place} matches the same channels as that of namespace {other}"


def personal_namespace(config: Config) -> Problems:
    """Check that the namespace of personal channels has no pattern.

    Channels of a namespace with a pattern do not begin with its name, as personal channels do.
    """
    personal = config.client.subscribe_to_user_personal_channel
    if not (config.channel.patterns and personal.enabled):
        return
    for namespace in config.channel.namespaces:
        if namespace.pattern and namespace.name == personal.personal_channel_namespace:
            yield f"namespace for user personal channel has a pattern: {namespace.name}"
