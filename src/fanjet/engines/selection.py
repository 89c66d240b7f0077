"""Which engines the configuration asks for (07 §1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from .memory import MemoryBroker, MemoryPresenceManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.config import Config
    from fanjet.config.tree.broker import BrokerRedis
    from fanjet.config.tree.controller import Controller as ControllerSettings
    from fanjet.config.tree.engine import EngineRedis
    from fanjet.config.tree.presence_manager import PresenceManagerRedis
    from fanjet.config.tree.redis import RedisConnection

    from .interfaces import Broker, BrokerEvents, Controller, PresenceManager
    from .metrics import EngineMetrics
    from .redis import Shards

    CountError = Callable[[str], None]


class Engines(Struct, frozen=True):
    """What a node works with. Without a controller it is alone."""

    broker: Broker
    presence_manager: PresenceManager
    controller: Controller | None = None


def open_engines(config: Config, events: BrokerEvents, uid: str, metrics: EngineMetrics) -> Engines:
    """Make the engines, which connect when they are started. The configuration is valid; `uid` is the node's id, by
    which others address it. Libraries of remote ones are loaded only here. Raises `ConfigError`, `TLSError`."""
    shards = _shards(config.engine.redis) if _is_redis_wanted(config) else None
    broker, controller = _open_broker(config, events, uid, shards, metrics.redis.count_error)
    presence_manager = _open_presence_manager(config, shards)
    if config.controller.enabled:
        controller = _open_controller(config.controller, uid, metrics.redis.count_error)
    return Engines(broker, presence_manager, controller)


def _is_redis_wanted(config: Config) -> bool:
    """Whether the engine, for what is not enabled separately, is Redis."""
    return config.engine.type == "redis" and not (config.broker.enabled and config.presence_manager.enabled)


def _shards(settings: RedisConnection) -> Shards:
    from .redis import Shards  # noqa: PLC0415

    return Shards(settings)


def _open_broker(
    config: Config, events: BrokerEvents, uid: str, shards: Shards | None, count_error: CountError
) -> tuple[Broker, Controller | None]:
    """The broker, with the controller that comes with it. `shards`: those of the engine."""
    if config.broker.enabled and config.broker.type == "nats":
        from .nats import NatsBroker, NatsConnection, NatsController  # noqa: PLC0415

        nats = config.broker.nats
        connection = NatsConnection(nats)
        return NatsBroker(connection, nats, events), NatsController(connection, nats.prefix, uid)
    meta_ttl = int(config.channel.history_meta_ttl)
    settings: EngineRedis | BrokerRedis = config.engine.redis
    if config.broker.enabled and config.broker.type == "redis":
        settings = config.broker.redis
        shards = _shards(settings)
    elif config.broker.enabled or shards is None:
        return MemoryBroker(events, history_meta_ttl=meta_ttl), None
    from .redis import RedisBroker, RedisController, tags  # noqa: PLC0415

    broker = RedisBroker(
        shards,
        events,
        uid,
        prefix=settings.prefix,
        history_meta_ttl=meta_ttl,
        use_lists=settings.history_use_lists,
        tags=tags(settings.sharded_pub_sub_partitions, precomputed=settings.use_precomputed_partition_tags),
        count_error=count_error,
    )
    return broker, RedisController(shards, prefix=settings.prefix, uid=uid, count_error=count_error)


def _open_presence_manager(config: Config, shards: Shards | None) -> PresenceManager:
    """`shards`: those of the engine."""
    if config.presence_manager.enabled and config.presence_manager.type == "redis":
        redis = config.presence_manager.redis
        return _open_redis_presence_manager(redis, _shards(redis))
    if shards is not None and not config.presence_manager.enabled:
        return _open_redis_presence_manager(config.engine.redis, shards)
    return MemoryPresenceManager()


def _open_redis_presence_manager(settings: EngineRedis | PresenceManagerRedis, shards: Shards) -> PresenceManager:
    from .redis import RedisPresenceManager  # noqa: PLC0415

    return RedisPresenceManager(
        shards,
        prefix=settings.prefix,
        ttl=int(settings.presence_ttl),
        field_ttl=settings.presence_hash_field_ttl,
        count_users=settings.presence_user_mapping,
    )


def _open_controller(settings: ControllerSettings, uid: str, count_error: CountError) -> Controller:
    """The controller that takes the place of the broker's."""
    if settings.type == "redis":
        from .redis import RedisController  # noqa: PLC0415

        shards = _shards(settings.redis)
        return RedisController(shards, prefix=settings.redis.prefix, uid=uid, count_error=count_error)
    if settings.type == "nats":
        from .nats import NatsConnection, NatsController  # noqa: PLC0415

        return NatsController(NatsConnection(settings.nats), settings.nats.prefix, uid)
    from .postgres import PostgresController  # noqa: PLC0415

    return PostgresController(settings.postgres, uid)
