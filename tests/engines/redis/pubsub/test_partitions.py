"""Sharded PUB/SUB and slot migration (07 §5, §22.4)."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.config.tree.engine import EngineRedis
from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.redis import PubSubOptions, RedisBroker, Shards, partition_tags
from fanjet.engines.redis.sharding import jump_hash
from fanjet.engines.redis.topology.slots import slot_of
from tests.engines.redis.conftest import delivered_again
from tests.support.redis import RedisCluster
from tests.support.redis_binaries import new_binary
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fanjet.engines.interfaces import BrokerEvents
    from tests.engines.conftest import Recorder
    from tests.support.redis import Redis

KEEP = PublishOptions(history_size=2, history_ttl=100)
COUNT = 4
PATIENCE = 40.0
TAG = str(jump_hash("news", COUNT))
GROUPED = [pytest.param(False, id="one-by-one"), pytest.param(True, id="by-node")]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"), new_binary())
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@asynccontextmanager
async def opened(events: BrokerEvents, *, by_node: bool = False, **settings: Any) -> AsyncIterator[RedisBroker]:
    shards = Shards(EngineRedis.model_validate(settings))
    pubsub = PubSubOptions(tags=partition_tags(COUNT, precomputed=False), by_node=by_node)
    broker = RedisBroker(shards, events, "me", prefix="p", history_meta_ttl=3600, pubsub=pubsub)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.close()


@pytest.mark.parametrize("by_node", GROUPED)
async def test_keys_and_connections_in_the_cluster(cluster: RedisCluster, events: Recorder, by_node: bool) -> None:
    owner = cluster.owner(f"{{{TAG}}}")
    async with opened(events, cluster_address=[cluster.addresses], by_node=by_node) as broker:
        await broker.subscribe("news")
        await broker.publish("news", b"1", KEEP)
        await broker.publish("news", b"2", PublishOptions(idempotency_key="k"))
        assert [delivered.publication.data for delivered in await events.deliveries(2)] == [b"1", b"2"]
        keys = [f"p.result.{{{TAG}}}.news.k", f"p.stream.meta.{{{TAG}}}.news", f"p.stream.{{{TAG}}}.news"]
        assert sorted(owner.call("KEYS", "*")) == sorted(key.encode() for key in keys)
        subscribed = {name for node in cluster.nodes for name in node.call("PUBSUB", "SHARDCHANNELS")}
        services = [f"p.shard.0.{{{tag}}}" for tag in range(COUNT)]
        probes = [f"p.node.me.probe.{{{tag}}}" for tag in range(COUNT)]
        assert subscribed == {name.encode() for name in (f"p.client.{{{TAG}}}.news", *services, *probes)}
        assert owner.call("PUBSUB", "SHARDNUMSUB", f"p.client.{{{TAG}}}.news")[1] == 1
        assert sum(len(subscribers_of(node)) for node in cluster.nodes) == (3 if by_node else COUNT)


@pytest.mark.parametrize("by_node", GROUPED)
async def test_subscriptions_follow_a_migrated_slot(cluster: RedisCluster, events: Recorder, by_node: bool) -> None:
    async with opened(events, cluster_address=[cluster.addresses], by_node=by_node) as broker:
        await broker.subscribe("news")
        await broker.publish("news", b"1", KEEP)
        await events.deliveries(1)
        move(cluster, TAG)

        await delivered_again(broker, events)
        await broker.subscribe("other")
        await broker.unsubscribe("news")


async def test_other_partitions_are_unaffected_when_one_moves(cluster: RedisCluster, events: Recorder) -> None:
    """Partitions of one node share a connection, which stays open."""
    by_owner: dict[int, list[str]] = {}
    for tag in map(str, range(COUNT)):
        by_owner.setdefault(cluster.owner(f"{{{tag}}}").port, []).append(tag)
    [moving, staying] = next(several for several in by_owner.values() if len(several) == 2)
    channels = {tag: next(name for name in names() if str(jump_hash(name, COUNT)) == tag) for tag in (moving, staying)}
    source = cluster.owner(f"{{{moving}}}")
    async with opened(events, cluster_address=[cluster.addresses], by_node=True) as broker:
        for channel in channels.values():
            await broker.subscribe(channel)
        before = subscribers_of(source)
        move(cluster, moving)
        await delivered_again(broker, events, channels[moving])

        await delivered_again(broker, events, channels[staying])
        assert subscribers_of(source) == before
        assert not broker.outage
        assert events.restored == 1

        move(cluster, staying)

        async def has_nobody_left() -> bool:
            return not subscribers_of(source)

        await until(has_nobody_left)
        await delivered_again(broker, events, channels[staying])
        for channel in channels.values():
            await broker.unsubscribe(channel)
        assert [node.call("PUBSUB", "SHARDCHANNELS", "p.client.*") for node in cluster.nodes] == [[], [], []]


@pytest.mark.parametrize("by_node", GROUPED)
async def test_subscriptions_are_restored_when_their_node_is_back(
    cluster: RedisCluster, events: Recorder, by_node: bool
) -> None:
    owner = cluster.owner(f"{{{TAG}}}")
    async with opened(events, cluster_address=[cluster.addresses], by_node=by_node) as broker:
        await broker.subscribe("news")
        await asyncio.to_thread(owner.stop, signal.SIGKILL)

        async def is_lost() -> bool:
            return bool(broker.outage)

        await until(is_lost)
        with pytest.raises(EngineUnavailable, match="temporary unavailable"):
            await broker.subscribe("news")
        await asyncio.to_thread(owner.start)
        await asyncio.to_thread(cluster.await_well)

        await delivered_again(broker, events)

        async def is_back() -> bool:
            return not broker.outage

        await until(is_back)


async def test_thousands_of_channels_move_with_their_partition(cluster: RedisCluster, events: Recorder) -> None:
    wanted = [name for name in map(str, range(4000)) if str(jump_hash(name, COUNT)) == TAG]
    async with opened(events, cluster_address=[cluster.addresses], by_node=True) as broker:
        await asyncio.gather(*map(broker.subscribe, wanted))
        target = move(cluster, TAG)

        async def are_there() -> bool:
            return len(target.call("PUBSUB", "SHARDCHANNELS", f"p.client.{{{TAG}}}.*")) == len(wanted)

        await until(are_there)
        await delivered_again(broker, events, wanted[-1])


@pytest.mark.parametrize("by_node", GROUPED)
async def test_messages_are_delivered_once_during_concurrent_migrations(
    cluster: RedisCluster, events: Recorder, by_node: bool
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    subscribed: set[str] = set()
    moving = True

    async def come_and_go(broker: RedisBroker, channels: list[str]) -> None:
        while moving:
            await asyncio.sleep(0.001)  # failing calls return immediately
            channel = chance.choice(channels)
            try:
                if channel not in subscribed:
                    await broker.subscribe(channel)
                    subscribed.add(channel)
                    continue
            except EngineUnavailable:
                pass  # a caller that failed to subscribe also unsubscribes
            await unsubscribed(broker, channel)
            subscribed.discard(channel)

    channels = [f"channel-{number}" for number in range(100)]
    async with opened(events, cluster_address=[cluster.addresses], by_node=by_node) as broker:
        coming_and_going = [asyncio.create_task(come_and_go(broker, channels[first::5])) for first in range(5)]
        owners = {tag: cluster.nodes.index(cluster.owner(f"{{{tag}}}")) for tag in map(str, range(COUNT))}
        for _ in range(15):
            await asyncio.sleep(chance.uniform(0, 0.2))
            tag = chance.choice(list(owners))
            await asyncio.to_thread(move, cluster, tag, owners[tag])
            owners[tag] = (owners[tag] + 1) % len(cluster.nodes)
            if chance.random() < 0.2:
                chance.choice(cluster.nodes).call("CLIENT", "KILL", "TYPE", "pubsub")
        moving = False
        await asyncio.gather(*coming_and_going)

        async def all_is_well() -> bool:
            return not broker.outage

        await until(all_is_well, PATIENCE)
        expected = sorted(f"p.client.{{{jump_hash(channel, COUNT)}}}.{channel}".encode() for channel in subscribed)
        subscribed = [name for node in cluster.nodes for name in node.call("PUBSUB", "SHARDCHANNELS", "p.client.*")]
        assert sorted(subscribed) == expected


async def unsubscribed(broker: RedisBroker, channel: str) -> None:
    while True:
        try:
            await broker.unsubscribe(channel)
        except EngineUnavailable:
            await asyncio.sleep(0.02)
        else:
            return


async def test_a_standalone_server_is_rejected(events: Recorder, redis: Redis) -> None:
    with pytest.raises(EngineUnavailable, match="sharded PUB/SUB needs a cluster"):
        async with opened(events, address=[redis.address]):
            pass


async def test_an_old_cluster_is_rejected(events: Recorder, tmp_path_factory: pytest.TempPathFactory) -> None:
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"))
    await asyncio.to_thread(cluster.start)
    try:
        if cluster.nodes[0].version() >= (7,):
            pytest.skip("the machine's redis-server is not old")
        with pytest.raises(EngineUnavailable, match="has no sharded PUB/SUB: version 7 or newer is needed"):
            async with opened(events, cluster_address=[cluster.addresses]):
                pass
    finally:
        await asyncio.to_thread(cluster.stop)


def names() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"channel-{number}"


def subscribers_of(node: Redis) -> set[bytes]:
    """PUB/SUB connections of a node."""
    lines = node.call("CLIENT", "LIST", "TYPE", "pubsub").splitlines()
    return {line.partition(b" ")[0] for line in lines}


def move(cluster: RedisCluster, tag: str, source: int = -1) -> Redis:
    """Migrate a slot, with its keys, to the next node. `source`: the number of the node that has it, which is
    the first owner unless it says so."""
    slot = slot_of(tag)
    ids = [node.call("CLUSTER", "MYID").decode() for node in cluster.nodes]
    if source < 0:
        source = cluster.nodes.index(cluster.owner(f"{{{tag}}}"))
    target = (source + 1) % len(cluster.nodes)
    cluster.nodes[target].call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    cluster.nodes[source].call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    keys = cluster.nodes[source].call("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    if keys:
        cluster.nodes[source].call("MIGRATE", "127.0.0.1", cluster.nodes[target].port, "", 0, 5000, "KEYS", *keys)
    for node in (cluster.nodes[target], *cluster.nodes):
        node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    return cluster.nodes[target]
