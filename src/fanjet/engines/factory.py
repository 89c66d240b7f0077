"""Makes the engines that the configuration asks for (07 §1.4, §22.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.protocol.codes import ReplyError
from fanjet.telemetry.logging import get_logger

from .memory import MemoryBroker, MemoryPresenceManager
from .routing import RoutedBroker, RoutedPresenceManager, brokers_by_name
from .singleflight import SingleflightBroker, SingleflightPresenceManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.config import Config
    from fanjet.config.tree.broker import Broker as BrokerSettings
    from fanjet.config.tree.broker import NamedBroker
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.config.tree.controller import Controller as ControllerSettings
    from fanjet.config.tree.engine import EngineRedis
    from fanjet.config.tree.presence_manager import PresenceManagerRedis
    from fanjet.config.tree.redis import BrokerRedisConnection, RedisConnection

    from .interfaces import Broker, Controller, PresenceManager, RevocationEvents
    from .memory_server import EngineClient
    from .metrics import EngineMetrics
    from .redis import RedisBroker, RedisController, Shards

    OptionsOf = Callable[[str], ChannelOptions]

log = get_logger(__name__)


class Engines(Struct, frozen=True):
    """The engines of a node. Without a controller the node is alone."""

    broker: Broker
    presence_manager: PresenceManager
    controller: Controller | None = None

    @property
    def outages(self) -> set[str]:
        """Descriptions of the current outages of engines (`RemoteEngine`)."""
        engines = (self.broker, self.presence_manager, self.controller)
        return {outage for engine in engines if (outage := getattr(engine, "outage", ""))}

    @property
    def silences(self) -> dict[tuple[str, str], float]:
        """Seconds since the last message, by kind and name of the engine.

        Only of engines that know it (`ProbedEngine`).
        """
        brokers = {("broker", name): broker for name, broker in brokers_by_name(self.broker).items()}
        engines = brokers | {("controller", ""): self.controller}
        silences = {key: getattr(engine, "silence", None) for key, engine in engines.items()}
        return {key: silence for key, silence in silences.items() if silence is not None}


def open_engines(
    config: Config,
    events: RevocationEvents,
    uid: str,
    metrics: EngineMetrics,
    options_of: OptionsOf,
    *,
    shared: str = "",
) -> Engines:
    """Make the engines, which connect when they are started.

    Raises `ConfigError`, `TLSError`.

    The configuration is valid; `uid` is the node's id. `options_of` returns the options of a channel, and may raise
    error 102. `shared`: the Unix socket of the process that has the memory engine for several workers. Client libraries
    of remote engines are imported only when they are needed.
    """
    builder = _EngineBuilder(config, events, uid, metrics, _engine_client(shared, uid) if shared else None)
    broker, presence_manager, controller = builder.default_engines()
    if config.controller.enabled:
        controller = builder.controller(config.controller)
    brokers = {each.name: builder.named_broker(each) for each in config.brokers if each.enabled}
    managers: dict[str, PresenceManager] = {
        each.name: _redis_presence_manager(each.redis, _shards(each.redis))
        for each in config.presence_managers
        if each.enabled
    }
    if config.singleflight.enabled:
        broker, brokers = _with_singleflight(broker), {name: _with_singleflight(each) for name, each in brokers.items()}
        presence_manager = SingleflightPresenceManager(presence_manager)
        managers = {name: SingleflightPresenceManager(each) for name, each in managers.items()}
    if brokers:
        broker = RoutedBroker(broker, brokers, _engine_name(options_of, "broker_name"))
    if managers:
        presence_manager = RoutedPresenceManager(
            presence_manager, managers, _engine_name(options_of, "presence_manager_name")
        )
    return Engines(broker, presence_manager, controller)


def _with_singleflight(broker: Broker) -> Broker:
    """Share reads, unless the broker has no history to read."""
    return SingleflightBroker(broker) if broker.keeps_history else broker


def _engine_name(options_of: OptionsOf, option: str) -> Callable[[str], str]:
    """The engine name in the options of a channel.

    It is the default engine if the channel's namespace no longer exists.
    """

    def name_of(channel: str) -> str:
        try:
            return str(getattr(options_of(channel), option))
        except ReplyError:
            return ""

    return name_of


class _EngineBuilder(Struct, frozen=True):
    """Makes the engines of one node."""

    config: Config
    events: RevocationEvents
    uid: str
    metrics: EngineMetrics
    client: EngineClient | None
    """The client of the memory engine's process, if it is another one."""

    def default_engines(self) -> tuple[Broker, PresenceManager, Controller | None]:
        """The engines of channels whose options name none.

        The controller is the one that comes with the broker.
        """
        config = self.config
        has_broker, has_presence = config.broker.enabled, config.presence_manager.enabled
        shared = None
        if config.engine.type == "redis" and not (has_broker and has_presence):
            shared = _shards(config.engine.redis)
        broker, controller = self._broker(config.broker) if has_broker else self._engine_broker(shared)
        if has_presence and config.presence_manager.type == "redis":
            redis = config.presence_manager.redis
            return broker, _redis_presence_manager(redis, _shards(redis)), controller
        if shared is not None and not has_presence:
            return broker, _redis_presence_manager(config.engine.redis, shared), controller
        return broker, self._memory_presence_manager(), controller

    def controller(self, settings: ControllerSettings) -> Controller:
        """The configured controller, which replaces that of the broker."""
        if settings.type == "redis":
            return self._redis_controller(settings.redis.prefix, _shards(settings.redis))
        if settings.type == "nats":
            from .nats import NatsConnection, NatsController  # noqa: PLC0415

            return NatsController(NatsConnection(settings.nats, self.uid))
        from .postgres import PostgresController  # noqa: PLC0415

        return PostgresController(settings.postgres, self.uid)

    def named_broker(self, settings: NamedBroker) -> Broker:
        """A named broker, for namespaces."""
        return self._broker(settings, settings.name)[0]

    def _engine_broker(self, shards: Shards | None) -> tuple[Broker, Controller | None]:
        """The broker by `engine.type`. `shards`: those of the engine, if it is Redis."""
        if shards is None:
            return self._memory_broker()
        redis = self.config.engine.redis
        return self._redis_broker(redis, shards), self._redis_controller(redis.prefix, shards)

    def _broker(self, settings: BrokerSettings | NamedBroker, name: str = "") -> tuple[Broker, Controller | None]:
        """A broker by its type, with the controller that comes with it."""
        if settings.type == "memory":
            return self._memory_broker()
        if settings.type == "redis":
            shards = _shards(settings.redis)
            broker = self._redis_broker(settings.redis, shards, name)
            return broker, self._redis_controller(settings.redis.prefix, shards)
        from .nats import NatsBroker, NatsConnection, NatsController  # noqa: PLC0415

        connection = NatsConnection(settings.nats, self.uid)
        nats, controller = NatsBroker(connection, settings.nats, self.events), NatsController(connection)
        if settings.type == "nats":
            return nats, controller
        from .redisnats import RedisNatsBroker  # noqa: PLC0415

        log.warn("redisnats broker is not released, it may be changed or removed at any point")
        redis = self._redis_broker(settings.redis, _shards(settings.redis), name, delivers_messages=False)
        return RedisNatsBroker(redis, nats, self.events), controller

    def _memory_broker(self) -> tuple[Broker, Controller | None]:
        """A broker in memory, with a controller if there are other workers."""
        if self.client is None:
            return MemoryBroker(self.events, history_meta_ttl=int(self.config.channel.history_meta_ttl)), None
        from .memory_server import SharedBroker, SharedController  # noqa: PLC0415

        return SharedBroker(self.client, self.events), SharedController(self.client)

    def _memory_presence_manager(self) -> PresenceManager:
        if self.client is None:
            return MemoryPresenceManager()
        from .memory_server import SharedPresenceManager  # noqa: PLC0415

        return SharedPresenceManager(self.client)

    def _redis_broker(
        self, settings: BrokerRedisConnection, shards: Shards, name: str = "", *, delivers_messages: bool = True
    ) -> RedisBroker:
        from .redis import PubSubOptions, RedisBroker, partition_tags  # noqa: PLC0415

        pubsub = PubSubOptions(
            tags=partition_tags(
                settings.sharded_pub_sub_partitions, precomputed=settings.use_precomputed_partition_tags
            ),
            by_node=settings.group_sharded_pub_sub_by_node,
            from_replicas=settings.subscribe_on_replica,
        )
        return RedisBroker(
            shards,
            self.events,
            self.uid,
            prefix=settings.prefix,
            history_meta_ttl=int(self.config.channel.history_meta_ttl),
            use_lists=settings.history_use_lists,
            delivers_messages=delivers_messages,
            pubsub=pubsub,
            count_error=self.metrics.redis.error_counter(name),
        )

    def _redis_controller(self, prefix: str, shards: Shards) -> RedisController:
        from .redis import RedisController  # noqa: PLC0415

        count_error = self.metrics.redis.error_counter(channel_type="control")
        return RedisController(shards, prefix=prefix, uid=self.uid, count_error=count_error)


def _engine_client(path: str, uid: str) -> EngineClient:
    from .memory_server import EngineClient  # noqa: PLC0415

    return EngineClient(path, uid)


def _shards(settings: RedisConnection) -> Shards:
    from .redis import Shards  # noqa: PLC0415

    return Shards(settings)


def _redis_presence_manager(settings: EngineRedis | PresenceManagerRedis, shards: Shards) -> PresenceManager:
    from .redis import RedisPresenceManager  # noqa: PLC0415

    return RedisPresenceManager(
        shards,
        prefix=settings.prefix,
        ttl=int(settings.presence_ttl),
        field_ttl=settings.presence_hash_field_ttl,
        count_users=settings.presence_user_mapping,
        from_replicas=settings.presence_read_from_replica,
    )
