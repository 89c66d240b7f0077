"""Use of replicas for PUB/SUB and presence reads (07 §22.3)."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from fanjet.config import ConfigError
from fanjet.config.tree.engine import EngineRedis
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.redis import PubSubOptions, RedisBroker, RedisPresenceManager, Shards, partition_tags
from fanjet.engines.redis.connections.address import Address, parse_targets
from fanjet.engines.redis.pubsub.connectors import ReplicaConnector, open_at_replica
from fanjet.engines.redis.pubsub.group import SubscriptionGroup
from fanjet.engines.redis.pubsub.supervisor import ConnectionSupervisor
from fanjet.engines.redis.sharding import jump_hash
from fanjet.engines.redis.topology import cluster, sentinel
from fanjet.engines.redis.topology.endpoints import Endpoints
from fanjet.engines.redis.topology.shard import open_shard
from fanjet.protocol.publication import ClientInfo
from tests.engines.redis.conftest import KEEP, delivered_again
from tests.support.redis import Redis, RedisCluster, RedisSentinel
from tests.support.redis_binaries import new_binary
from tests.support.server import free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from fanjet.engines.redis.topology.shard import Shard
    from tests.engines.conftest import Recorder

PATIENCE = 40.0
COUNT = 4
TAG = str(jump_hash("news", COUNT))
ALICE = ClientInfo("alice", "c1")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[RedisSentinel]:
    """A primary `one` and a replica `two`, of a version with hash field TTLs."""
    watched = RedisSentinel(tmp_path, new_binary())
    try:
        watched.start()
        yield watched
    finally:
        watched.stop()


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[RedisCluster]:
    """A cluster."""
    whole = RedisCluster(tmp_path, new_binary())
    try:
        whole.start()
        yield whole
    finally:
        whole.stop()


@pytest.fixture
def replica(whole: RedisCluster, tmp_path: Path) -> Redis:
    """A replica, in the cluster, of the primary that has the partition of `news`."""
    return whole.add_replica(whole.owner(f"{{{TAG}}}"), tmp_path / "replica")


@pytest.fixture
def frequent_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discover primaries and replicas often."""
    monkeypatch.setattr(sentinel, "QUERY_SECONDS", 0.2)
    monkeypatch.setattr(cluster, "POLL_SECONDS", 0.2)


def config_of(installation: RedisSentinel | RedisCluster, **more: Any) -> EngineRedis:
    if isinstance(installation, RedisCluster):
        where = {"cluster_address": [installation.addresses]}
    else:
        address = installation.sentinel.address
        where = {"sentinel_address": [address], "sentinel_master_name": installation.MASTER}
    return EngineRedis.model_validate({"replica_client": {"enabled": True}, "io_timeout": 0.4, **where, **more})


@asynccontextmanager
async def subscribed(
    installation: RedisSentinel | RedisCluster,
    events: Recorder,
    *,
    partitions: int = 0,
    by_node: bool = False,
    **more: Any,
) -> AsyncIterator[RedisBroker]:
    """A broker that receives `news` from a replica."""
    options = PubSubOptions(tags=partition_tags(partitions, precomputed=False), by_node=by_node, from_replicas=True)
    shards = Shards(config_of(installation, **more))
    broker = RedisBroker(shards, events, "me", prefix="p", history_meta_ttl=3600, pubsub=options)
    try:
        await broker.start()
        await broker.subscribe("news")
        yield broker
    finally:
        await broker.close()


def has_subscriber(server: Redis, *, sharded: bool = False) -> bool:
    """Whether this server has a subscriber of `news`."""
    return bool(server.call("PUBSUB", "SHARDCHANNELS" if sharded else "CHANNELS", "p.client.*news*"))


async def holds(condition: Callable[[], bool]) -> None:
    async def held() -> bool:
        return await asyncio.to_thread(condition)

    await until(held, PATIENCE)


# ------------------------------------------------------------------------------------------------------ PUB/SUB


@pytest.mark.parametrize("force_resp2", [False, True])
async def test_subscribes_on_the_replica_known_to_sentinels(
    watched: RedisSentinel, events: Recorder, force_resp2: bool
) -> None:
    async with subscribed(watched, events, force_resp2=force_resp2) as broker:
        assert has_subscriber(watched.two)
        assert not has_subscriber(watched.one)
        await broker.publish("news", b"1", KEEP)
        await events.deliveries(1)


@pytest.mark.usefixtures("frequent_discovery")
async def test_falls_back_to_the_primary_until_the_replica_is_back(watched: RedisSentinel, events: Recorder) -> None:
    async with subscribed(watched, events) as broker:
        await asyncio.to_thread(watched.two.stop, signal.SIGKILL)
        await delivered_again(broker, events)
        assert has_subscriber(watched.one)
        assert not broker.outage
        await asyncio.to_thread(watched.two.start)
        await holds(lambda: has_subscriber(watched.two) and not has_subscriber(watched.one))
        await delivered_again(broker, events)


@pytest.mark.usefixtures("frequent_discovery")
async def test_moves_to_the_new_replica_after_a_failover(watched: RedisSentinel, events: Recorder) -> None:
    async with subscribed(watched, events) as broker:
        await until(watched.fail_over)
        await delivered_again(broker, events)
        await holds(
            lambda: watched.primary() is watched.two and has_subscriber(watched.one) and not has_subscriber(watched.two)
        )
        await delivered_again(broker, events)


async def test_a_promoted_replica_stays_subscribed(watched: RedisSentinel, events: Recorder) -> None:
    async with subscribed(watched, events) as broker:
        watched.one.freeze()
        await delivered_again(broker, events, within=PATIENCE)
        assert has_subscriber(watched.two)
        watched.one.thaw()


async def test_only_replicas_connected_to_their_primary_are_used(redis: Redis, tmp_path: Path) -> None:
    """The topology known to Sentinels and clusters may be some seconds old."""
    stray = Redis(tmp_path, "--replicaof", "127.0.0.1", str(free_port()))
    stray.start()
    [target] = parse_targets(EngineRedis.model_validate({}))
    endpoints = [Address("127.0.0.1", port) for port in (redis.port, stray.port, free_port())]
    assert await open_at_replica(endpoints, target.login) is None
    stray.call("REPLICAOF", "127.0.0.1", redis.port)
    await holds(lambda: b"master_link_status:up" in stray.call("INFO", "replication"))
    stray.call("ACL", "SETUSER", "silent", "on", "nopass", "+@all", "-role")
    for user in ("", "silent"):  # without permission for ROLE the check is skipped
        connection = await open_at_replica(endpoints[1:], replace(target.login, user=user))
        assert connection is not None
        assert connection.address == endpoints[1]
        await connection.wait_closed()
    stray.stop()


class MisroutedShard:
    """An endpoint provider whose replica belongs to another primary."""

    def __init__(self, shard: Shard, replica: Redis) -> None:
        self.target, self.replica_login, self.execute, self.watch_primary = (
            shard.target,
            shard.replica_login,
            shard.execute,
            shard.watch_primary,
        )
        self.endpoints = Endpoints(shard.endpoints.primaries, (Address("127.0.0.1", replica.port),))

    async def find_endpoints(self) -> Endpoints:
        return self.endpoints

    def watch_endpoints(self, on_updated: Callable[[], None]) -> None:
        pass


async def test_a_replica_that_delivers_nothing_is_left(redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "stray").mkdir()
    other = Redis(tmp_path / "other")
    other.start()
    stray = Redis(tmp_path / "stray", "--replicaof", "127.0.0.1", str(other.port))
    stray.start()
    await holds(lambda: b"master_link_status:up" in stray.call("INFO", "replication"))
    [target] = parse_targets(EngineRedis.model_validate({"address": [redis.address]}))
    shard = await open_shard(target)
    group = SubscriptionGroup([], "p.probe")
    errors: list[str] = []
    received = asyncio.Event()
    source = ReplicaConnector(MisroutedShard(shard, stray))
    supervisor = ConnectionSupervisor(
        source, "test", [group], lambda *_: received.set(), count_error=errors.append, probe_seconds=0.1
    )
    await supervisor.start()
    assert stray.call("PUBSUB", "CHANNELS") == [b"p.probe"]
    await asyncio.wait_for(received.wait(), PATIENCE)
    assert redis.call("PUBSUB", "CHANNELS") == [b"p.probe"]
    assert errors == ["probe_timeout"]
    await supervisor.close()
    await shard.close()
    for server in (stray, other):
        server.stop()


PARTITIONS = [
    pytest.param({}, id="whole"),
    pytest.param({"partitions": COUNT}, id="partitions"),
    pytest.param({"partitions": COUNT, "by_node": True}, id="partitions-by-node"),
]


@pytest.mark.usefixtures("frequent_discovery")
@pytest.mark.parametrize("how", PARTITIONS)
async def test_cluster_replicas_come_and_go(
    whole: RedisCluster, replica: Redis, events: Recorder, how: dict[str, Any]
) -> None:
    sharded = bool(how)
    async with subscribed(whole, events, **how) as broker:
        assert has_subscriber(replica, sharded=sharded)
        await delivered_again(broker, events)
        await asyncio.to_thread(replica.stop, signal.SIGKILL)
        await delivered_again(broker, events)
        await asyncio.to_thread(replica.start)
        await holds(lambda: has_subscriber(replica, sharded=sharded))
        await delivered_again(broker, events)
        assert [node for node in whole.nodes if has_subscriber(node, sharded=sharded)] == [replica]
        assert not broker.outage
        await broker.unsubscribe("news")
        assert not any(has_subscriber(node, sharded=sharded) for node in whole.nodes)


@pytest.mark.usefixtures("frequent_discovery")
@pytest.mark.parametrize("how", PARTITIONS[:2])
async def test_a_promoted_cluster_replica_stays_subscribed(
    whole: RedisCluster, replica: Redis, events: Recorder, how: dict[str, Any]
) -> None:
    primary = whole.owner(f"{{{TAG}}}")
    async with subscribed(whole, events, **how) as broker:
        await asyncio.to_thread(primary.stop, signal.SIGKILL)
        await holds(lambda: b"role:master" in replica.call("INFO", "replication"))
        await delivered_again(broker, events, within=PATIENCE)
        await asyncio.to_thread(primary.start)  # now as a replica
        await holds(lambda: has_subscriber(primary, sharded=bool(how)))
        await delivered_again(broker, events)


async def test_subscribes_on_primaries_without_replicas(whole: RedisCluster, events: Recorder) -> None:
    for count, how in enumerate(({}, {"partitions": COUNT}, {"partitions": COUNT, "by_node": True})):
        async with subscribed(whole, events, **how) as broker:
            await broker.publish("news", b"1", KEEP)
            await events.deliveries(count + 1)


# ------------------------------------------------------------------------------------------------------ presence


@asynccontextmanager
async def opened_manager(
    installation: RedisSentinel | RedisCluster, *, count_users: bool = False
) -> AsyncIterator[RedisPresenceManager]:
    shards = Shards(config_of(installation))
    manager = RedisPresenceManager(shards, prefix="p", field_ttl=True, count_users=count_users, from_replicas=True)
    try:
        await manager.start()
        yield manager
    finally:
        await manager.close()


def scripts_run(server: Redis) -> int:
    lines = server.call("INFO", "commandstats").decode().splitlines()
    stats = [line for line in lines if line.startswith(("cmdstat_eval:", "cmdstat_evalsha:"))]
    return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in stats)


async def seen(manager: RedisPresenceManager, expected: tuple[int, int]) -> None:
    """Wait until the replica has the written entries, and check that both kinds of reads agree."""

    async def is_there() -> bool:
        return await manager.presence_stats("news") == expected

    await until(is_there)
    assert len(await manager.presence("news")) == expected[0]


async def assert_read_from(replica: Redis, others: list[Redis], manager: RedisPresenceManager) -> None:
    before, before_elsewhere = scripts_run(replica), [scripts_run(server) for server in others]
    assert await manager.presence("news") == {"c1": ALICE}
    assert await manager.presence_stats("news") == (1, 1)
    assert scripts_run(replica) >= before + 2
    assert [scripts_run(server) for server in others] == before_elsewhere


@pytest.mark.parametrize("count_users", [False, True])
async def test_presence_is_read_from_the_replica_known_to_sentinels(watched: RedisSentinel, count_users: bool) -> None:
    async with opened_manager(watched, count_users=count_users) as manager:
        await manager.add("news", "c1", ALICE)
        await seen(manager, (1, 1))
        await assert_read_from(watched.two, [watched.one], manager)
        await manager.remove("news", "c1", "alice")
        await seen(manager, (0, 0))


async def test_presence_is_read_from_a_replica_in_a_cluster(whole: RedisCluster, tmp_path: Path) -> None:
    owner = whole.owner("p.presence.data.{news}")
    replica = await asyncio.to_thread(whole.add_replica, owner, tmp_path / "replica")
    others = [node for node in whole.nodes if node is not replica]
    async with opened_manager(whole, count_users=True) as manager:
        await manager.add("news", "c1", ALICE)
        await seen(manager, (1, 1))
        await assert_read_from(replica, others, manager)


@pytest.mark.usefixtures("frequent_discovery")
async def test_presence_is_read_from_the_primary_until_the_replica_is_back(watched: RedisSentinel) -> None:
    async with opened_manager(watched) as manager:
        await manager.add("news", "c1", ALICE)
        await seen(manager, (1, 1))
        await asyncio.to_thread(watched.two.stop, signal.SIGKILL)
        for _ in range(3):
            assert await manager.presence("news") == {"c1": ALICE}
        await asyncio.to_thread(watched.two.start)

        async def is_read_again() -> bool:
            before = scripts_run(watched.two)
            assert await manager.presence("news") == {"c1": ALICE}
            return scripts_run(watched.two) > before

        await until(is_read_again, PATIENCE)


async def test_presence_is_read_when_the_replica_does_not_answer(watched: RedisSentinel) -> None:
    async with opened_manager(watched) as manager:
        await manager.add("news", "c1", ALICE)
        await seen(manager, (1, 1))
        watched.two.freeze()
        assert await manager.presence("news") == {"c1": ALICE}
        watched.two.thaw()


# ------------------------------------------------------------------------------------------------------ settings


async def test_a_standalone_server_has_no_known_replicas(redis: Redis, events: Recorder) -> None:
    config = EngineRedis.model_validate({"address": [redis.address], "replica_client": {"enabled": True}})
    for from_replicas in (False, True):
        pubsub = PubSubOptions(from_replicas=from_replicas)
        broker = RedisBroker(Shards(config), events, "me", prefix="p", history_meta_ttl=0, pubsub=pubsub)
        if from_replicas:
            with pytest.raises(
                ConfigError, match=r"^subscribe_on_replica: Redis at .* is neither a cluster nor watched"
            ):
                await broker.start()
        else:
            await broker.start()
        await broker.close()


async def test_replica_options_need_replica_client(events: Recorder) -> None:
    """Configuration alone decides."""
    shards = Shards(EngineRedis.model_validate({"cluster_address": ["127.0.0.1:1"]}))
    broker = RedisBroker(shards, events, "me", prefix="p", history_meta_ttl=0, pubsub=PubSubOptions(from_replicas=True))
    manager = RedisPresenceManager(shards, prefix="p", field_ttl=True, from_replicas=True)
    for engine, option in ((broker, "subscribe_on_replica"), (manager, "presence_read_from_replica")):
        with pytest.raises(ConfigError, match=f"{option} needs replica_client.enabled, which is off for Redis at"):
            await engine.start()
        await engine.close()


async def test_allowed_replicas_may_be_absent(whole: RedisCluster) -> None:
    async with opened_manager(whole) as manager:
        await manager.add("news", "c1", ALICE)
        assert await manager.presence("news") == {"c1": ALICE}
        for node in whole.nodes:
            await asyncio.to_thread(node.stop, signal.SIGKILL)
        with pytest.raises(EngineUnavailable):
            await manager.presence("news")
