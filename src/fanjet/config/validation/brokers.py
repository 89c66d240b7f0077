"""Checks the types of brokers and the engines of namespaces.

See 04 §6.1, rules 3 and 31, and 07 §22.1.
"""

from collections.abc import Iterable, Iterator

from fanjet.config.tree.broker import NamedBroker
from fanjet.config.tree.channel import ChannelOptions
from fanjet.config.tree.presence_manager import NamedPresenceManager
from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import NAME, NAME_PATTERN, Problems, repeated, within

BROKERS = ("memory", "nats", "redis", "redisnats", "postgres")
MAP_BROKERS = ("memory", "redis", "postgres")
NAMED_BROKERS = ("redis", "nats", "postgres")
NAMED_PRESENCE_MANAGERS = ("redis",)


def broker_type(config: Config) -> Problems:
    """The type is known, even when the broker is not enabled."""
    if config.broker.type not in BROKERS:
        yield f"unknown broker: {config.broker.type}"


def map_broker_type(config: Config) -> Problems:
    """The type is known."""
    if config.map_broker.type not in MAP_BROKERS:
        yield f"unknown map broker type: {config.map_broker.type}"


def named_brokers(config: Config) -> Problems:
    """Check the brokers of namespaces.

    They are well-formed, and those that namespaces name exist and are enabled.
    """
    yield from _named("broker", config.brokers, NAMED_BROKERS)
    yield from _missing("broker_name", config, config.brokers)


def named_presence_managers(config: Config) -> Problems:
    """The same of presence managers."""
    yield from _named("presence manager", config.presence_managers, NAMED_PRESENCE_MANAGERS)
    yield from _missing("presence_manager_name", config, config.presence_managers)


def unopened_engines(config: Config, started: Config) -> Problems:
    """Engines that a reload names but the start has not opened.

    They are opened only at start (07 §1.4).
    """
    why = "the server started without one"
    yield from _missing("broker_name", config, started.brokers, why)
    yield from _missing("presence_manager_name", config, started.presence_managers, why)


def _named(kind: str, engines: Iterable[NamedBroker | NamedPresenceManager], types: tuple[str, ...]) -> Problems:
    engines = tuple(engines)
    for engine, again in zip(engines, repeated(each.name for each in engines), strict=True):
        if again:
            yield f"{kind} name must be unique: {engine.name}"
        if not NAME.fullmatch(engine.name):
            yield f"invalid {kind} name: {engine.name} (must match {NAME_PATTERN} regular expression)"
        if engine.enabled and engine.type not in types:
            yield from within(f"{kind} {engine.name}", [f"unknown type: {engine.type}"])


def _missing(
    option: str,
    config: Config,
    engines: Iterable[NamedBroker | NamedPresenceManager],
    why: str = "there is none enabled",
) -> Problems:
    enabled = {engine.name for engine in engines if engine.enabled}
    for place, options in _places(config):
        name = getattr(options, option)
        if name and name not in enabled:
            yield f"{place}: {option}: {why} with the name {name}"


def _places(config: Config) -> Iterator[tuple[str, ChannelOptions]]:
    yield "in channel.without_namespace", config.channel.without_namespace
    for namespace in config.channel.namespaces:
        yield f"namespace {namespace.name}", namespace
