"""A Redis server for these tests, and engines connected to it."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.config.tree.engine import EngineRedis
from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.redis import PubSubOptions, RedisBroker, RedisPresenceManager, Shards
from tests.support.redis import Redis
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

    from fanjet.engines.interfaces import BrokerEvents
    from tests.engines.conftest import Recorder

KEEP = PublishOptions(history_size=100, history_ttl=100)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis(server: Redis) -> Redis:
    """An empty Redis."""
    server.call("FLUSHALL")
    return server


def settings(address: str, **more: Any) -> EngineRedis:
    return EngineRedis.model_validate({"address": [address], **more})


def opened(
    address: str, events: BrokerEvents, *, use_lists: bool = False, probe_seconds: float = 30.0, **more: Any
) -> AbstractAsyncContextManager[RedisBroker]:
    """A broker with the prefix `p` and the node id `me`."""

    @asynccontextmanager
    async def open_it() -> AsyncIterator[RedisBroker]:
        broker = RedisBroker(
            Shards(settings(address, **more)),
            events,
            "me",
            prefix="p",
            history_meta_ttl=3600,
            use_lists=use_lists,
            pubsub=PubSubOptions(probe_seconds=probe_seconds),
        )
        try:
            await broker.start()
            yield broker
        finally:
            await broker.close()

    return open_it()


@asynccontextmanager
async def opened_presence(
    address: str, *, user: str = "", password: str = "", **how: Any
) -> AsyncIterator[RedisPresenceManager]:
    manager = RedisPresenceManager(Shards(settings(address, user=user, password=password)), prefix="p", **how)
    await manager.start()
    try:
        yield manager
    finally:
        await manager.close()


async def delivered_again(broker: RedisBroker, events: Recorder, channel: str = "news", within: float = 10.0) -> None:
    """Wait until publications are delivered."""
    before = len(events.delivered)

    async def arrives() -> bool:
        try:
            await broker.publish(channel, b"again", KEEP)
        except EngineUnavailable:
            return False
        await asyncio.sleep(0.02)
        return len(events.delivered) > before

    await until(arrives, within)


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex
