"""All engines under one suite: a new engine adds its name and how it is opened."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from fanjet.config.tree.broker import BrokerNats
from fanjet.config.tree.engine import EngineRedis
from fanjet.engines.interfaces import Broker, BrokerEvents, PresenceManager
from fanjet.engines.memory import MemoryBroker, MemoryPresenceManager
from fanjet.engines.memory_server import EngineClient, SharedBroker, SharedPresenceManager
from fanjet.engines.nats import NatsBroker, NatsConnection
from fanjet.engines.redis import PubSubOptions, RedisBroker, RedisPresenceManager, Shards, partition_tags
from fanjet.engines.redisnats import RedisNatsBroker
from tests.support.nats import Nats
from tests.support.redis import Installations
from tests.support.shared_engine import engine_within

REDIS: dict[str, dict[str, Any]] = {
    "single": {},
    "single-resp2": {"force_resp2": True},
    "single-lists": {"history_use_lists": True},
    "cluster": {},
    "cluster-lists": {"history_use_lists": True},
    "sentinel": {},
    "shards": {},
    "new": {},
    "valkey": {},
    "valkey-lists": {"history_use_lists": True},
    "new cluster-partitions": {
        "sharded_pub_sub_partitions": 16,
        "use_precomputed_partition_tags": True,
        "connect_timeout": 10.0,  # for sixteen connections at the same time
    },
    "new cluster-partitions-by-node": {"sharded_pub_sub_partitions": 16, "group_sharded_pub_sub_by_node": True},
    "sentinel-subscribed-on-replica": {"subscribe_on_replica": True, "replica_client": {"enabled": True}},
}
"""Forms of Redis, with further settings."""

REDIS_PRESENCE: dict[str, dict[str, Any]] = {
    "single": {},
    "single-users": {"presence_user_mapping": True},
    "cluster": {},
    "cluster-users": {"presence_user_mapping": True},
    "sentinel": {},
    "shards": {},
    "valkey": {},
    "valkey-users": {"presence_user_mapping": True},
    "new-field-ttl": {"presence_hash_field_ttl": True},
    "new-field-ttl-users": {"presence_hash_field_ttl": True, "presence_user_mapping": True},
}


BROKERS = ["memory", "memory-behind-workers", *(f"redis-{form}" for form in REDIS), "redisnats"]


@pytest.fixture(params=BROKERS)
async def broker(
    request: pytest.FixtureRequest, events: BrokerEvents, redis_installations: Installations, nats: Nats
) -> AsyncIterator[Broker]:
    """A broker with history, reporting to `events`, subscribed to `news` and `other`."""
    async with _opened(request.param, events, redis_installations, nats) as broker:
        yield broker


@pytest.fixture(params=[*BROKERS, "nats"])
async def any_broker(
    request: pytest.FixtureRequest, events: BrokerEvents, redis_installations: Installations, nats: Nats
) -> AsyncIterator[Broker]:
    """A broker with or without history."""
    async with _opened(request.param, events, redis_installations, nats) as broker:
        yield broker


@asynccontextmanager
async def _opened(engine: str, events: BrokerEvents, installations: Installations, nats: Nats) -> AsyncIterator[Broker]:
    async with AsyncExitStack() as stack:
        if engine in ("nats", "redisnats"):
            broker = _nats_broker(engine, events, installations, nats)
        else:
            broker = await _broker(engine, events, installations, stack)
        await broker.start()
        stack.push_async_callback(broker.close)
        await broker.subscribe("news")
        await broker.subscribe("other")
        yield broker


@pytest.fixture
def needs_one_step(broker: Broker) -> None:
    """Skip where append and delivery are not atomic (07 §16)."""
    if isinstance(broker, RedisNatsBroker):
        pytest.skip("what goes over NATS has neither time, version nor the publication before it")


@pytest.fixture
def needs_streams(broker: Broker, request: pytest.FixtureRequest) -> None:
    """Skip with LISTs (07 §10)."""
    if "lists" in request.node.callspec.params["broker"]:
        pytest.skip("lists know no versions and no reverse order")


def _nats_broker(engine: str, events: BrokerEvents, installations: Installations, nats: Nats) -> Broker:
    prefix = uuid.uuid4().hex
    settings = BrokerNats.model_validate({"url": nats.nats_url, "prefix": prefix})
    over_nats = NatsBroker(NatsConnection(settings, str(uuid.uuid4())), settings, events)
    if engine == "nats":
        return over_nats
    redis = RedisBroker(
        Shards(_settings("single", {}, installations)),
        events,
        str(uuid.uuid4()),
        prefix=prefix,
        history_meta_ttl=3600,
        delivers_messages=False,
    )
    return RedisNatsBroker(redis, over_nats, events)


# Prefixes differ: in a cluster messages of the test before may still be on their way between the nodes.
async def _broker(engine: str, events: BrokerEvents, installations: Installations, stack: AsyncExitStack) -> Broker:
    if engine == "memory":
        return MemoryBroker(events)
    if engine == "memory-behind-workers":
        return SharedBroker(EngineClient(await stack.enter_async_context(engine_within()), "me"), events)
    form = engine.removeprefix("redis-")
    settings = _settings(form, REDIS[form], installations)
    return RedisBroker(
        Shards(settings),
        events,
        str(uuid.uuid4()),
        prefix=uuid.uuid4().hex,
        history_meta_ttl=3600,
        use_lists=settings.history_use_lists,
        pubsub=PubSubOptions(
            tags=partition_tags(
                settings.sharded_pub_sub_partitions, precomputed=settings.use_precomputed_partition_tags
            ),
            by_node=settings.group_sharded_pub_sub_by_node,
            from_replicas=settings.subscribe_on_replica,
        ),
    )


@pytest.fixture(params=["memory", "memory-behind-workers", *(f"redis-{form}" for form in REDIS_PRESENCE)])
async def presence(
    request: pytest.FixtureRequest, redis_installations: Installations
) -> AsyncIterator[PresenceManager]:
    """An empty presence manager."""
    if request.param == "memory":
        yield MemoryPresenceManager()
        return
    if request.param == "memory-behind-workers":
        async with engine_within() as path:
            shared = SharedPresenceManager(EngineClient(path, "me"))
            await shared.start()
            yield shared
            await shared.close()
        return
    form = request.param.removeprefix("redis-")
    settings = _settings(form, REDIS_PRESENCE[form], redis_installations)
    manager = RedisPresenceManager(
        Shards(settings),
        prefix=uuid.uuid4().hex,
        field_ttl=settings.presence_hash_field_ttl,
        count_users=settings.presence_user_mapping,
    )
    await manager.start()
    yield manager
    await manager.close()


def _settings(form: str, more: dict[str, Any], installations: Installations) -> EngineRedis:
    return EngineRedis.model_validate(installations.config(form.partition("-")[0]) | more)
