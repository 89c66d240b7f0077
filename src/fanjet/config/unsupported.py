"""Features that are not supported yet.

A key that uses one prevents the start; it is never ignored.

Loading, validation and the helper commands treat these keys like all others: only the start checks them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fanjet.config.errors import ConfigError
from fanjet.config.tree.channel import ChannelOptions, MapOptions, SharedPollOptions
from fanjet.config.tree.root import Config

Uses = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class UnsupportedFeature:
    """A feature, the key that uses it, and which values of the key do.

    A switch elsewhere may keep it unused.
    """

    key: str
    feature: str
    uses: Uses = bool
    switch: str = ""

    def is_used(self, config: Config) -> bool:
        """Whether the configuration uses the feature."""
        return self.uses(_at(config, self.key)) and (not self.switch or bool(_at(config, self.switch)))


def _one_of(*unsupported: object) -> Uses:
    """Unknown types are rejected elsewhere."""
    return lambda value: value in unsupported


def _other_than(*built: object) -> Uses:
    return lambda value: value not in built


UNSUPPORTED: tuple[UnsupportedFeature, ...] = (
    UnsupportedFeature("broker.type", "this broker", _one_of("postgres"), switch="broker.enabled"),
    UnsupportedFeature("fanjet.consumer_limits", "consumers"),
    UnsupportedFeature("fanjet.postgres_operation_timeout", "PostgreSQL brokers", _other_than(10.0)),
)
"""Rows leave this table when their feature arrives; `used_unsupported_features` looks into lists."""

SUPPORTED_SUBSCRIPTION_TYPES = ("", "stream")


def refuse_unsupported(config: Config) -> None:
    """Raise ConfigError when the configuration uses an unsupported feature.

    The error names the key.
    """
    for key, feature in used_unsupported_features(config):
        raise ConfigError(_text(key, feature))


def used_unsupported_features(config: Config) -> Iterator[tuple[str, str]]:
    """Yield key and feature of each unsupported feature that is used."""
    yield from ((row.key, row.feature) for row in UNSUPPORTED if row.is_used(config))
    yield from (
        (f"brokers.{each.name}.type", "this broker")
        for each in config.brokers
        if each.enabled and each.type == "postgres"
    )
    yield from ((f"consumers.{each.name}.enabled", "consumers") for each in config.consumers if each.enabled)


def unsupported_warnings(config: Config) -> Iterator[str]:
    """Yield warnings about settings without effect.

    They have none until maps and shared poll are supported. Commands and API calls on such channels return error 108.
    """
    if config.map_broker.type != "memory":
        yield _text("map_broker.type", "map subscriptions")
    if config.shared_poll.hmac_secret_key:
        yield _text("shared_poll.hmac_secret_key", "shared poll subscriptions")
    for place, options in _namespaces(config):
        if options.subscription_type not in SUPPORTED_SUBSCRIPTION_TYPES:
            yield _text(f"{place}.subscription_type", f'subscriptions of type "{options.subscription_type}"')
        elif options.map != MapOptions() or options.shared_poll != SharedPollOptions():
            yield _text(place, "map and shared poll options")
        for key in ("map_clients_presence_channel_prefix", "map_users_presence_channel_prefix"):
            if getattr(options, key):
                yield _text(f"{place}.{key}", "map subscriptions")


def _namespaces(config: Config) -> Iterator[tuple[str, ChannelOptions]]:
    yield "channel.without_namespace", config.channel.without_namespace
    for namespace in config.channel.namespaces:
        yield f"channel.namespaces.{namespace.name}", namespace


def _at(config: Config, key: str) -> object:
    value: object = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _text(key: str, feature: str) -> str:
    return f"{key}: {feature}: not available in this version of Fanjet"
