"""The broker (04 §5.5)."""

from fanjet.config.tree.base import Section, StringMap, option
from fanjet.config.tree.nats import NatsConnection
from fanjet.config.tree.postgres import PostgresBroker
from fanjet.config.tree.redis import BrokerRedisConnection


class BrokerRedis(BrokerRedisConnection):
    """Redis as the broker."""


class NatsRawMode(Section):
    """Raw payloads under raw NATS subjects."""

    enabled: bool = option(
        False, "exchange raw payloads under raw subjects (no Centrifugo envelope, no tags / client info / join / leave)"
    )
    channel_replacements: StringMap = option({}, "substrings replaced in a channel name to get the subject, e.g. : → .")
    prefix: str = option("", "subject prefix in raw mode")


class BrokerNats(NatsConnection):
    """NATS as the broker."""

    allow_wildcards: bool = option(
        False, "allow subscribing to NATS wildcard channels (*, >); not with presence or join/leave"
    )
    raw_mode: NatsRawMode = NatsRawMode()


class NamedBroker(Section):
    """A broker of those namespaces that name it."""

    name: str = option("", "unique, ^[-a-zA-Z0-9_.]{2,}$; the value of broker_name")
    enabled: bool = option(False, "open this broker")
    type: str = option("", "redis, nats or postgres")
    redis: BrokerRedis = BrokerRedis()
    nats: BrokerNats = BrokerNats()
    postgres: PostgresBroker = PostgresBroker()


class BrokerRedisNats(Section):
    """Accepted for compatibility: that broker is configured by `broker.redis` and `broker.nats`."""

    nats: BrokerNats = BrokerNats()
    redis: BrokerRedis = BrokerRedis()


class Broker(Section):
    """Replaces the broker part of the engine."""

    enabled: bool = option(False, "use this broker instead of the broker part of the engine")
    type: str = option(
        "memory",
        "memory, redis, nats, postgres, or redisnats (needs enable_unreleased_features); checked even when not enabled",
    )
    redis: BrokerRedis = BrokerRedis()
    nats: BrokerNats = BrokerNats()
    postgres: PostgresBroker = PostgresBroker()
    redisnats: BrokerRedisNats = BrokerRedisNats()
