"""Subscribers that recover, while Redis fails between two nodes (07 §11, §20): nothing is missed, nothing repeated."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fanjet.engines.redis.sharding import jump_hash
from tests.cluster.test_redis import CONFIG
from tests.support.following import CLOSED, Follower
from tests.support.redis import Redis, RedisCluster, RedisSentinel
from tests.support.redis_binaries import new_binary
from tests.support.relay import Relay
from tests.support.server import ApiError, Server, merge
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.support.wire_client import WireClient

QUICK = {
    "client": {
        "channel_position_check_delay": "1s",
        "presence_update_interval": "1s",
        "recovery_max_publication_limit": 100_000,
    }
}

LONG = {
    "name": "long",
    "history_size": 100_000,
    "history_ttl": "300s",
    "force_recovery": True,
    "allow_subscribe_for_client": True,
    "allow_subscribe_for_anonymous": True,
}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    yield redis
    if redis.process is not None:
        redis.thaw()
    redis.stop()


LIGHT = {"channel": {"without_namespace": {"presence": False}}}
WITH_LONG = {"channel": {"namespaces": [*CONFIG["channel"]["namespaces"], LONG]}}
PATIENCE = 60.0


def config_for(address: str) -> dict[str, Any]:
    return config_on({"address": [address]})


def config_on(redis: dict[str, Any]) -> dict[str, Any]:
    """Fanjet on this Redis, which notices soon that it does not answer."""
    return merge(CONFIG, merge(QUICK, {"engine": {"type": "redis", "redis": redis | {"io_timeout": "500ms"}}}))


async def test_what_was_acknowledged_arrives_once_and_in_order(
    redis: Redis, private_server: StartServer, name: str
) -> None:  # 07-28, 07-29
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    channel = f"long:{name}"
    async with Relay(redis.port) as relay:
        publisher = private_server(merge(config_for(redis.address), WITH_LONG))
        far = merge(config_for(f"127.0.0.1:{relay.port}"), WITH_LONG)
        other = await asyncio.to_thread(private_server, far)
        async with everything_arrives(publisher, other, channel):
            for _ in range(6):
                await asyncio.sleep(chance.uniform(0.05, 0.3))
                await fault(chance, redis, relay)


async def test_a_redis_that_is_killed_comes_back_with_what_it_has_written(
    tmp_path: Path, private_server: StartServer, name: str
) -> None:
    redis = Redis(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    redis.start()
    try:
        config = merge(config_for(redis.address), WITH_LONG)
        publisher, other = private_server(config), await asyncio.to_thread(private_server, config)
        async with everything_arrives(publisher, other, f"long:{name}"):
            for _ in range(2):
                await asyncio.to_thread(redis.stop, signal.SIGKILL)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(redis.start)
                await asyncio.sleep(0.5)
    finally:
        redis.stop()


ON_REPLICA = {"replica_client": {"enabled": True}, "subscribe_on_replica": True}


@pytest.mark.parametrize("how", [pytest.param({}, id="at-primary"), pytest.param(ON_REPLICA, id="at-replica")])
async def test_a_new_primary_of_sentinel_is_followed(
    tmp_path: Path, private_server: StartServer, name: str, how: dict[str, Any]
) -> None:
    sentinel = RedisSentinel(tmp_path)
    try:
        await asyncio.to_thread(sentinel.start)
        redis = {"sentinel_address": [sentinel.sentinel.address], "sentinel_master_name": sentinel.MASTER}
        config = merge(config_on(redis | how), WITH_LONG)
        publisher, other = private_server(config), await asyncio.to_thread(private_server, config)
        async with everything_arrives(publisher, other, f"long:{name}"):
            # It stays away: an old primary that is well takes writes until a Sentinel tells it better, and forgets them
            # then. Redis prevents that by `min-replicas-to-write`, if at all.
            sentinel.one.freeze()

            async def replaced() -> bool:
                return sentinel.primary() is sentinel.two

            await until(replaced, PATIENCE)
    finally:
        sentinel.stop()


async def test_a_replica_that_is_killed_is_missed_by_nobody(
    tmp_path: Path, private_server: StartServer, name: str
) -> None:
    sentinel = RedisSentinel(tmp_path)
    try:
        await asyncio.to_thread(sentinel.start)
        redis = {"sentinel_address": [sentinel.sentinel.address], "sentinel_master_name": sentinel.MASTER}
        config = merge(config_on(redis | ON_REPLICA), WITH_LONG)
        publisher, other = private_server(config), await asyncio.to_thread(private_server, config)
        async with everything_arrives(publisher, other, f"long:{name}"):
            await asyncio.to_thread(sentinel.two.stop, signal.SIGKILL)

            async def is_heard_at_primary() -> bool:
                return len(sentinel.one.call("PUBSUB", "CHANNELS", "*.client.*")) > 0

            await until(is_heard_at_primary, PATIENCE)
    finally:
        sentinel.stop()


BY_NODE = ON_REPLICA | {"sharded_pub_sub_partitions": 8, "group_sharded_pub_sub_by_node": True}


@pytest.mark.parametrize(
    ("how", "is_killed"),
    [
        pytest.param({}, True, id="whole"),
        pytest.param({}, False, id="whole-frozen"),
        pytest.param(BY_NODE, True, id="by-node-at-replicas"),
    ],
)
async def test_a_replica_takes_over_in_a_cluster(
    tmp_path: Path, private_server: StartServer, name: str, how: dict[str, Any], is_killed: bool
) -> None:
    cluster = RedisCluster(tmp_path, new_binary() if how else "")
    try:
        await asyncio.to_thread(cluster.start)
        channel = f"long:{name}"
        primary = cluster.owner(f"{{{jump_hash(channel, 8) if how else channel}}}")
        replica = await asyncio.to_thread(cluster.add_replica, primary, tmp_path / "replica")
        config = merge(config_on({"cluster_address": [cluster.addresses], **how}), WITH_LONG)
        publisher, other = private_server(config), await asyncio.to_thread(private_server, config)
        async with everything_arrives(publisher, other, channel):
            if is_killed:
                await asyncio.to_thread(primary.stop, signal.SIGKILL)
            else:
                primary.freeze()

            async def replaced() -> bool:
                return b"role:master" in replica.call("INFO", "replication")

            await until(replaced, PATIENCE)
    finally:
        cluster.stop()


async def test_messages_go_through_any_node_of_a_cluster(
    tmp_path: Path, private_server: StartServer, name: str
) -> None:
    """Nodes are well as long as one node of the cluster is, whichever it is."""
    cluster = RedisCluster(tmp_path)
    try:
        await asyncio.to_thread(cluster.start)
        dead = cluster.owner("centrifugo.control")
        channel = next(one for one in (f"{name}{number}" for number in range(100)) if cluster.owner(one) is dead)
        config = merge(config_on({"cluster_address": [cluster.addresses]}), LIGHT)
        one, other = private_server(config), await asyncio.to_thread(private_server, config)
        async with connected(other, token("alice")) as alice, connected(other) as client:
            await client.subscribe(channel)
            await asyncio.to_thread(dead.stop, signal.SIGKILL)
            await until(lambda: arrives(one, channel, client), PATIENCE)

            async def gone() -> bool:
                await one.api("disconnect", {"user": "alice", "disconnect": {"code": 4001, "reason": "x"}})
                return alice.socket.close_code == 4001

            await until(gone, PATIENCE)
    finally:
        cluster.stop()


async def test_without_sentinels_things_are_where_they_were(
    tmp_path: Path, private_server: StartServer, name: str
) -> None:
    sentinel = RedisSentinel(tmp_path)
    try:
        await asyncio.to_thread(sentinel.start)
        redis = {"sentinel_address": [sentinel.sentinel.address], "sentinel_master_name": sentinel.MASTER}
        config = merge(config_on(redis), LIGHT)
        one, other = private_server(config), await asyncio.to_thread(private_server, config)
        async with connected(other) as client:
            await client.subscribe(name)
            await asyncio.to_thread(sentinel.sentinel.stop, signal.SIGKILL)
            for kind in ("pubsub", "normal"):
                sentinel.one.call("CLIENT", "KILL", "TYPE", kind)
            await until(lambda: arrives(one, name, client), PATIENCE)
    finally:
        sentinel.stop()


async def arrives(publisher: Server, channel: str, client: WireClient) -> bool:
    """Whether a publication of one node comes to a client of another."""
    with contextlib.suppress(ApiError):
        await publisher.api("publish", {"channel": channel, "data": 1})
        return any("pub" in push for push in await client.pushes_so_far())
    return False


@asynccontextmanager
async def everything_arrives(publisher: Server, other: Server, channel: str) -> AsyncIterator[None]:
    """Publish on one node and follow on the other, before, during and after what is done meanwhile: all that was
    acknowledged arrives, in order and once."""
    follower = Follower(other, channel, CLOSED)
    following = asyncio.create_task(follower.run())
    publishing = Publishing(publisher, channel)
    works = [following]
    try:
        await follower.subscribed.wait()
        works.append(asyncio.create_task(publishing.run()))
        await publishing.goes_on()
        yield
        await publishing.goes_on()
        publishing.stopped = True
        await works[-1]

        async def all_there() -> bool:
            return set(publishing.acknowledged) <= set(follower.got)

        await until(all_there, PATIENCE)
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
    assert not follower.unrecovered
    assert follower.got == sorted(set(follower.got))


class Publishing:
    """Publishes growing numbers; one whose publish failed is not tried again."""

    def __init__(self, server: Server, channel: str) -> None:
        self.acknowledged: list[int] = []
        self.stopped = False
        self._server = server
        self._channel = channel

    async def goes_on(self) -> None:
        """Wait until more has been acknowledged."""
        before = len(self.acknowledged)

        async def more() -> bool:
            return len(self.acknowledged) > before + 10

        await until(more, PATIENCE)

    async def run(self) -> None:
        number = 0
        while not self.stopped:
            number += 1
            try:
                await self._server.api("publish", {"channel": self._channel, "data": number})
            except ApiError:
                await asyncio.sleep(0.02)
            else:
                self.acknowledged.append(number)
                await asyncio.sleep(0.002)


async def fault(chance: random.Random, redis: Redis, relay: Relay) -> None:
    """Something that loses no data of Redis."""
    kind = chance.choice(["kill", "cut", "freeze", "outage", "stall"])
    pause = chance.uniform(0.05, 1.5)
    if kind == "kill":
        redis.call("CLIENT", "KILL", "TYPE", chance.choice(["pubsub", "normal"]))
    elif kind == "cut":
        await relay.cut()
    elif kind == "freeze":
        redis.freeze()
        await asyncio.sleep(pause)
        redis.thaw()
    elif kind == "outage":
        await relay.break_off()
        await asyncio.sleep(pause)
        await relay.mend()
    else:
        relay.stall()
        await asyncio.sleep(pause)
        relay.flow()


async def readiness(server: Server) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/health/ready") as response:
        return response.status


async def test_an_outage_is_told_and_passes(redis: Redis, private_server: StartServer, name: str) -> None:  # 07-28
    server = private_server(merge(config_for(redis.address), {"health": {"enabled": True}}))
    channel = f"kept:{name}"
    assert await readiness(server) == 200
    async with connected(server) as client, connected(server) as late:
        await client.subscribe(channel)
        await asyncio.to_thread(redis.stop)
        for method in ("publish", "history", "presence", "presence_stats"):
            with pytest.raises(ApiError) as failure:
                await server.api(method, {"channel": channel, "data": 1})
            assert failure.value.code == 100
        for command in ("publish", "history", "presence", "presence_stats"):
            request = {"channel": channel, **({"data": 1} if command == "publish" else {})}
            assert (await client.call(**{command: request}))["error"]["code"] == 100
        await late.send({"id": 7, "subscribe": {"channel": f"kept:{name}2"}})
        assert (await late.closed())[0] == 3004
        assert await readiness(server) == 503
        await asyncio.to_thread(redis.start)

        async def ready() -> bool:
            return await readiness(server) == 200

        await until(ready)

        async def published() -> bool:
            try:
                await server.api("publish", {"channel": channel, "data": 2})
            except ApiError:
                return False
            return True

        await until(published)


async def test_lost_data_are_told(redis: Redis, private_server: StartServer, name: str) -> None:  # 07-30
    server = private_server(config_for(redis.address))
    channel = f"kept:{name}"
    async with connected(server) as client:
        epoch = (await client.subscribe(channel))["epoch"]
        await server.api("publish", {"channel": channel, "data": 1})
        assert (await client.push())["pub"]["offset"] == 1
        redis.call("FLUSHALL")
        assert (await client.push())["unsubscribe"]["code"] == 2500
        result = await client.subscribe(channel, recover=True, epoch=epoch, offset=1)
        assert not result.get("recovered")
        assert result["epoch"] != epoch


async def test_a_node_that_dies_leaves_its_clients_to_time(
    redis: Redis, private_server: StartServer, name: str
) -> None:
    one = private_server(merge(config_for(redis.address), {"engine": {"redis": {"presence_ttl": "2s"}}}))  # 07-27
    two = private_server(config_for(redis.address))
    async with connected(one) as client:
        await client.subscribe(name)
        assert len((await two.api("presence", {"channel": name}))["presence"]) == 1
        assert one.process is not None
        one.process.kill()
        one.process.wait()
        one.process = None

        async def gone() -> bool:
            return not (await two.api("presence", {"channel": name}))["presence"]

        await until(gone)
