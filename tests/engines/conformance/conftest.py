"""Every engine under one suite: an engine that joins adds its name and how it is opened."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from fanjet.config.tree.engine import EngineRedis
from fanjet.engines.interfaces import Broker, BrokerEvents, PresenceManager
from fanjet.engines.memory import MemoryBroker, MemoryPresenceManager
from fanjet.engines.redis import RedisBroker, RedisPresenceManager, Shards, tags
from fanjet.engines.shared import EngineLink, SharedBroker, SharedPresenceManager
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
    "new cluster-partitions": {"sharded_pub_sub_partitions": 16, "use_precomputed_partition_tags": True},
}
"""Forms of Redis, with further settings."""

REDIS_PRESENCE: dict[str, dict[str, Any]] = {
    "single": {},
    "single-users": {"presence_user_mapping": True},
    "cluster": {},
    "cluster-users": {"presence_user_mapping": True},
    "sentinel": {},
    "shards": {},
    "new-field-ttl": {"presence_hash_field_ttl": True},
    "new-field-ttl-users": {"presence_hash_field_ttl": True, "presence_user_mapping": True},
}


@pytest.fixture(params=["memory", "memory-behind-workers", *(f"redis-{form}" for form in REDIS)])
async def broker(
    request: pytest.FixtureRequest, events: BrokerEvents, redis_installations: Installations
) -> AsyncIterator[Broker]:
    """A broker with history, reporting to `events`, subscribed to `news` and `other`."""
    async with AsyncExitStack() as stack:
        broker = await _broker(request.param, events, redis_installations, stack)
        await broker.start()
        stack.push_async_callback(broker.close)
        await broker.subscribe("news")
        await broker.subscribe("other")
        yield broker


@pytest.fixture
def needs_streams(broker: Broker, request: pytest.FixtureRequest) -> None:
    """For what lists cannot do (07 §10)."""
    if "lists" in request.node.callspec.params["broker"]:
        pytest.skip("lists know no versions and no reverse order")


# Prefixes differ: in a cluster messages of the test before may still be on their way between the nodes.
async def _broker(engine: str, events: BrokerEvents, installations: Installations, stack: AsyncExitStack) -> Broker:
    if engine == "memory":
        return MemoryBroker(events)
    if engine == "memory-behind-workers":
        return SharedBroker(EngineLink(await stack.enter_async_context(engine_within()), "me"), events)
    form = engine.removeprefix("redis-")
    settings = _settings(form, REDIS[form], installations)
    return RedisBroker(
        Shards(settings),
        events,
        str(uuid.uuid4()),
        prefix=uuid.uuid4().hex,
        history_meta_ttl=3600,
        use_lists=settings.history_use_lists,
        tags=tags(settings.sharded_pub_sub_partitions, precomputed=settings.use_precomputed_partition_tags),
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
            shared = SharedPresenceManager(EngineLink(path, "me"))
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
