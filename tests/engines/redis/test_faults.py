"""Failures of Redis and of its network (07 §4.4, §8, §11)."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time

import pytest
from msgspec.structs import replace

from fanjet.config.tree.engine import EngineRedis
from fanjet.engines.interfaces import EngineUnavailable, Published, PublishOptions
from fanjet.engines.redis import RedisBroker, Shards, history, presence
from fanjet.engines.redis.connections import connection
from fanjet.engines.redis.connections.address import Address, parse_targets
from fanjet.engines.redis.connections.errors import ConnectionLost
from fanjet.engines.redis.keys import NodeChannels
from fanjet.engines.redis.pubsub.connectors import PrimaryConnector
from fanjet.engines.redis.pubsub.group import SubscriptionGroup
from fanjet.engines.redis.pubsub.supervisor import ConnectionSupervisor
from fanjet.engines.redis.topology import sentinel as sentinel_module
from fanjet.engines.redis.topology.endpoints import Endpoints
from fanjet.engines.redis.topology.shard import open_shard
from fanjet.protocol.publication import ClientInfo
from tests.engines.redis.conftest import delivered_again, opened, opened_presence, settings
from tests.support.redis import Redis, RedisCluster, RedisSentinel
from tests.support.relay import Relay
from tests.support.server import free_port
from tests.support.waiting import until

KEEP = PublishOptions(history_size=100, history_ttl=100)
QUICK = {"io_timeout": 0.4}


@pytest.fixture
def own(tmp_path):
    """A Redis for one test, which may break it."""
    redis = Redis(tmp_path)
    redis.start()
    yield redis
    if redis.process is not None:
        redis.thaw()
    redis.stop()


@pytest.fixture
def sentinel(tmp_path):
    """A primary and a replica for one test, which may break them."""
    sentinel = RedisSentinel(tmp_path)
    try:
        sentinel.start()
        yield sentinel
    finally:
        sentinel.stop()


async def test_a_server_that_never_answers_times_out(own):
    own.freeze()
    [target] = parse_targets(settings(own.address, connect_timeout=0.2, io_timeout=60))
    async with asyncio.timeout(30):
        with pytest.raises(EngineUnavailable, match=r"error connecting to Redis at .*: timeout"):
            await open_shard(target)


async def test_subscriptions_are_restored_when_redis_is_back(own, events):  # 07-28
    async with opened(own.address, events) as broker:
        await broker.subscribe("news")
        await asyncio.to_thread(own.stop)
        for call in (broker.publish("news", b"1", KEEP), broker.history("news"), broker.publish_join("news", None)):
            with pytest.raises((EngineUnavailable, AttributeError)):
                await call
        with pytest.raises(EngineUnavailable, match="temporary unavailable"):
            await broker.subscribe("other")
        await broker.unsubscribe("other")
        assert broker.outage == f"Redis at {own.address}"
        await asyncio.to_thread(own.start)

        async def found_again() -> bool:
            return not broker.outage

        await until(found_again)  # without a call
        await delivered_again(broker, events)


async def test_calls_time_out_when_redis_stalls(own, events):
    async with opened(own.address, events, **QUICK) as broker:
        await broker.subscribe("news")
        own.freeze()
        began = time.monotonic()
        outcomes = await asyncio.gather(
            *(broker.publish("news", b"1", KEEP) for _ in range(10)), broker.subscribe("x"), return_exceptions=True
        )
        assert all(isinstance(outcome, EngineUnavailable) for outcome in outcomes)
        assert time.monotonic() - began < 0.4 + 2 * 0.4 + 1.5
        own.thaw()
        await delivered_again(broker, events)


async def test_a_busy_process_does_not_time_out_redis(redis, events):
    async with opened(redis.address, events, **QUICK) as broker:
        for _ in range(3):
            time.sleep(0.9)  # noqa: ASYNC251 (that is what is tested)
            await broker.publish("news", b"1", KEEP)
            await asyncio.sleep(0.05)


async def test_a_network_partition_is_detected_and_repaired(redis, events):
    async with Relay(redis.port) as relay, opened(f"127.0.0.1:{relay.port}", events, **QUICK) as broker:
        await broker.subscribe("news")
        await relay.break_off()
        with pytest.raises(EngineUnavailable):
            await broker.publish("news", b"1", KEEP)
        await relay.mend()
        await delivered_again(broker, events)
        relay.stall()
        with pytest.raises(EngineUnavailable, match="does not answer"):
            await broker.publish("news", b"1", KEEP)
        relay.flow()
        await delivered_again(broker, events)


async def test_ten_thousand_subscriptions_are_restored(redis, events):  # 07-40
    names = [f"c{number}" for number in range(10_000)]
    async with opened(redis.address, events) as broker:
        await asyncio.gather(*map(broker.subscribe, names))
        redis.call("CONFIG", "RESETSTAT")
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")

        async def all_back() -> bool:
            return len(redis.call("PUBSUB", "CHANNELS", "p.client.*")) == len(names)

        await until(all_back)
        calls = redis.call("INFO", "commandstats").decode()
        [subscribes] = [line for line in calls.splitlines() if line.startswith("cmdstat_subscribe:")]
        assert 20 <= int(subscribes.partition("calls=")[2].partition(",")[0]) <= 22
        await delivered_again(broker, events, names[-1])


async def test_ten_thousand_subscriptions_share_commands(redis, events):
    names = [f"c{number}" for number in range(10_000)]
    async with opened(redis.address, events) as broker:
        redis.call("CONFIG", "RESETSTAT")
        await asyncio.gather(*map(broker.subscribe, names))
        assert len(redis.call("PUBSUB", "CHANNELS", "p.client.*")) == len(names)
        await asyncio.gather(*map(broker.unsubscribe, names))
        assert redis.call("PUBSUB", "CHANNELS", "p.client.*") == []
        calls = redis.call("INFO", "commandstats").decode()
        counts = [line for line in calls.splitlines() if "subscribe:calls=20," in line]
        assert len(counts) == 2, calls


async def test_cancelling_one_caller_does_not_affect_others(redis, events):
    async with opened(redis.address, events) as broker:
        await broker.publish("news", b"1", KEEP)
        given_up = [asyncio.ensure_future(broker.publish("news", b"1", KEEP)) for _ in range(3)]
        given_up.append(asyncio.ensure_future(broker.subscribe("other")))
        others = [asyncio.ensure_future(broker.publish("news", b"1", KEEP)) for _ in range(3)]
        others.append(asyncio.ensure_future(broker.subscribe("news")))
        await asyncio.sleep(0)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*others)
        await asyncio.gather(*given_up, return_exceptions=True)
        assert (await broker.publish("news", b"1", KEEP)).position.offset == 8


async def test_cancelling_one_subscriber_does_not_affect_others(redis, events):
    async with opened(redis.address, events) as broker:

        async def subscribe(channel: str) -> None:
            await broker.subscribe(channel)

        given_up, *others = [asyncio.create_task(subscribe(channel)) for channel in ("other", "news", "more")]
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(*others)
        assert (await asyncio.gather(given_up, return_exceptions=True))[0].__class__ is asyncio.CancelledError
        await delivered_again(broker, events)


async def test_a_denied_channel_does_not_prevent_restoring_others(redis, events):
    names = NodeChannels("p", "me")
    received = (f"&{name}" for name in ("p.client.news", names.service, names.probe))
    redis.call("ACL", "SETUSER", "some", "on", ">x", "+@all", "~*", "resetchannels", *received)
    async with opened(f"redis://some:x@127.0.0.1:{redis.port}", events) as broker:
        await broker.subscribe("news")
        with pytest.raises(EngineUnavailable, match="NOPERM"):
            await broker.subscribe("other")
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")
        await delivered_again(broker, events)


async def test_a_denied_channel_does_not_fail_others_repeatedly(redis, events):
    names = NodeChannels("p", "me")
    received = (f"&{name}" for name in ("p.client.news", names.service, names.probe))
    redis.call("ACL", "SETUSER", "few", "on", ">x", "+@all", "~*", "resetchannels", *received)

    async def subscribe(broker: RedisBroker) -> list[bool]:
        asked = [broker.subscribe(channel) for channel in ("other", "news", "another")]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        return [outcome is None for outcome in outcomes]

    async with opened(f"redis://few:x@127.0.0.1:{redis.port}", events) as broker:
        assert await subscribe(broker) == [False, False, False]
        assert await subscribe(broker) == [False, True, False]
        await delivered_again(broker, events)


async def test_flushed_scripts_are_sent_again(redis, events):
    async with opened(redis.address, events) as broker:
        await broker.publish("news", b"1", KEEP)
        redis.call("SCRIPT", "FLUSH")
        assert (await broker.publish("news", b"2", KEEP)).position.offset == 2


async def test_commands_wait_while_redis_does_not_read(own, events, monkeypatch):
    monkeypatch.setattr(connection, "WRITE_BUFFER_LIMIT", 1_000_000)

    async def publish(broker: RedisBroker) -> list[asyncio.Future[Published]]:
        calls = []
        for data in (b"x" * 12_000_000, b"1", b"and whoever gave up", b"2"):
            calls.append(asyncio.ensure_future(broker.publish("news", data, KEEP)))
            await asyncio.sleep(0.05)
        calls.pop(2).cancel()
        return calls

    async with opened(own.address, events, io_timeout=3.0) as broker:
        await broker.publish("news", b"1", KEEP)
        own.freeze()
        calls = await publish(broker)
        own.thaw()
        assert [each.offset for each in await asyncio.gather(*calls)] == [2, 3, 5]
    async with opened(own.address, events, **QUICK) as broker:
        await broker.publish("news", b"1", KEEP)
        own.freeze()
        failures = await asyncio.gather(*await publish(broker), return_exceptions=True)
        assert [type(each) for each in failures] == [ConnectionLost] * 3
        own.thaw()


async def test_message_processing_yields_to_the_event_loop(redis, events):
    async with opened(redis.address, events) as broker:
        await broker.subscribe("news")

        def deliver_slowly(*_: object, **__: object) -> None:
            time.sleep(0.001)
            events.delivered.append(None)

        events.on_publication = deliver_slowly
        publishing = asyncio.gather(*(broker.publish("news", b"1", PublishOptions()) for _ in range(300)))
        most, before = 0, 0
        while len(events.delivered) < 300:
            await asyncio.sleep(0)
            most, before = max(most, len(events.delivered) - before), len(events.delivered)
        await publishing
        assert most < 100


@pytest.mark.parametrize("use_lists", [False, True])
async def test_decoding_long_replies_yields_to_the_event_loop(redis, events, monkeypatch, use_lists):
    monkeypatch.setattr("fanjet.net.time_slicing.SLICE", 0.0)
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def turns_of(module, name):
        """Event loop turns of other tasks at each decoded item."""
        original, at = getattr(module, name), []
        monkeypatch.setattr(module, name, lambda *how: (at.append(turns), original(*how))[1])
        return at

    others = asyncio.create_task(take_turns())
    async with opened(redis.address, events, use_lists=use_lists) as broker:
        options = PublishOptions(history_size=1000, history_ttl=60)
        await asyncio.gather(*(broker.publish("news", b"1", options) for _ in range(1000)))
        at = turns_of(history, "decode_publication")
        assert len((await broker.history("news")).publications) == 1000
        assert len(set(at)) > 5
    async with opened_presence(redis.address) as manager:
        await asyncio.gather(*(manager.add("news", f"c{n}", ClientInfo(f"u{n}", f"c{n}")) for n in range(1000)))
        at = turns_of(presence, "decode_info")
        assert len(await manager.presence("news")) == 1000
        assert len(set(at)) > 5
        at.clear()
        assert await manager.presence_stats("news") == (1000, 1000)
        assert len(set(at)) > 5
    others.cancel()


# ------------------------------------------------------------------------------------------------------ start


@pytest.mark.parametrize("mode", ["address", "sentinel_address", "cluster_address"])
async def test_redis_unreachable_at_start(events, mode):  # 07-3
    config = EngineRedis.model_validate({mode: [f"127.0.0.1:{free_port()}"], "sentinel_master_name": "m"})
    broker = RedisBroker(Shards(config), events, "me", prefix="p", history_meta_ttl=0)
    with pytest.raises(EngineUnavailable, match="error connecting to Redis at"):
        await broker.start()
    await broker.close()


@pytest.mark.parametrize("host", ["a..b", "a" * 70])
async def test_an_invalid_host_is_reported(events, host):
    with pytest.raises(EngineUnavailable, match=f"error connecting to Redis at {host}"):
        async with opened(f"redis://{host}:6379", events):
            pass


async def test_authentication(own, events):
    own.call("ACL", "SETUSER", "ann", "on", ">secret", "~*", "&*", "+@all")
    own.call("ACL", "SETUSER", "bare", "on", ">secret", "~*", "&*", "+@all", "-hello")
    own.call("ACL", "SETUSER", "blind", "on", ">secret", "~*", "&*", "+@all", "-xrange")
    for user, force_resp2 in (("ann", False), ("ann", True), ("bare", False)):
        more = {"user": user, "password": "secret", "client_name": "fan", "force_resp2": force_resp2, "db": 3}
        async with opened(own.address, events, **more) as broker:
            await broker.publish("news", b"1", KEEP)
            clients = own.call("CLIENT", "LIST").decode().splitlines()
            assert len([each for each in clients if f"user={user}" in each and "name=fan" in each]) == 2
            assert own.call("DBSIZE") == 0
    for user, password, text in (("ann", "wrong", "WRONGPASS"), ("blind", "secret", "NOPERM")):
        with pytest.raises(EngineUnavailable, match=text):
            async with opened(own.address, events, user=user, password=password):
                pass


async def test_a_unix_socket(tmp_path, events):
    redis = Redis(tmp_path, "--unixsocket", str(tmp_path / "redis.sock"))
    redis.start()
    async with opened(f"unix://{tmp_path}/redis.sock", events) as broker:
        await broker.subscribe("news")
        await broker.publish("news", b"1", KEEP)
        await events.deliveries(1)
    redis.stop()


async def test_a_server_of_another_protocol_is_rejected(events):
    async def log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(log_in, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(EngineUnavailable, match="not the Redis protocol"):
            async with opened(f"127.0.0.1:{port}", events):
                pass


# ------------------------------------------------------------------------------------------------------ probes


class MisroutedShard:
    """A shard whose PUB/SUB connections may lead to another server."""

    def __init__(self, shard, elsewhere: Redis) -> None:
        self._shard = shard
        self.target = shard.target
        self.elsewhere = Endpoints((Address("127.0.0.1", elsewhere.port),))
        self.is_misrouted = True
        self.looked = 0

    async def find_endpoints(self) -> Endpoints:
        self.looked += 1
        return self.elsewhere if self.is_misrouted else await self._shard.find_endpoints()

    def execute(self, words, key):
        return self._shard.execute(words, key)

    def watch_primary(self, leave) -> None:
        pass


async def test_a_connection_that_receives_nothing_is_replaced(redis, own):  # 07 §8.3
    [target] = parse_targets(settings(redis.address))
    shard = MisroutedShard(await open_shard(target), own)
    received = []
    errors: list[str] = []
    group = SubscriptionGroup(["p.shard.0"], "p.probe")
    supervisor = ConnectionSupervisor(
        PrimaryConnector(shard),
        "test",
        [group],
        lambda *message: received.append(message),
        count_error=errors.append,
        probe_seconds=0.1,
    )
    await supervisor.start()
    await group.subscribe(b"p.client.news")

    async def looked_thrice() -> bool:
        return shard.looked >= 3

    await until(looked_thrice)
    silence_while_misrouted = supervisor.silence
    assert silence_while_misrouted > 0.2
    assert set(errors) == {"probe_timeout"}
    assert supervisor.outage == f"PUB/SUB (test) of Redis at {redis.address}"
    shard.is_misrouted = False

    async def heard_something() -> bool:
        return bool(received)

    await until(heard_something)
    assert received[0] == (b"p.probe", b"probe")
    assert supervisor.silence < silence_while_misrouted
    assert not supervisor.outage
    redis.call("PUBLISH", "p.client.news", "m")

    async def heard_message() -> bool:
        return (b"p.client.news", b"m") in received

    await until(heard_message)
    await supervisor.close()
    await shard._shard.close()


async def test_probes_bound_the_silence(redis, events):
    async with opened(redis.address, events, probe_seconds=0.05) as broker:
        await asyncio.sleep(1)
        assert broker.silence < 0.9


# ------------------------------------------------------------------------------------------------------ other forms


async def test_redirections_are_followed(tmp_path, events):
    cluster = RedisCluster(tmp_path)
    await asyncio.to_thread(cluster.start)
    config = EngineRedis.model_validate({"cluster_address": [cluster.nodes[1].address]})
    broker = RedisBroker(Shards(config), events, "me", prefix="p", history_meta_ttl=0)
    await broker.start()
    try:
        await broker.subscribe("news")
        key = "p.stream.{news}"
        source = cluster.owner(key)
        target = next(node for node in cluster.nodes if node is not source)
        slot = source.call("CLUSTER", "KEYSLOT", key)
        first = (await broker.publish("news", b"1", KEEP)).position
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.call("CLUSTER", "MYID").decode())
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.call("CLUSTER", "MYID").decode())
        source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *source.call("KEYS", "p.stream*{news}"))
        assert (await broker.publish("news", b"2", KEEP)).position == replace(first, offset=2)  # ASK
        unmoved = replace(KEEP, idempotency_key="k")  # its result key is on another node
        late = asyncio.ensure_future(broker.publish("news", b"3", unmoved))  # TRYAGAIN
        await asyncio.wait([late], timeout=0.2)
        for node in (target, source):
            node.call("CLUSTER", "SETSLOT", slot, "NODE", target.call("CLUSTER", "MYID").decode())
        assert (await late).position == replace(first, offset=3)
        assert (await broker.publish("news", b"4", KEEP)).position == replace(first, offset=4)  # MOVED
        assert [each.offset for each in (await broker.history("news")).publications] == [1, 2, 3, 4]
        await events.deliveries(4)
        await asyncio.to_thread(source.stop)
        await delivered_again(broker, events)
    finally:
        await broker.close()
        cluster.stop()


async def test_a_node_lost_during_a_slot_import_fails_only_the_call():
    async def be_cluster(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            if b"ASKING" in data:
                break
            known = {b"CLUSTER": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:%d\r\n", b"GET": b"-ASK 1 :%d\r\n"}
            writer.write(next((answer % port for word, answer in known.items() if word in data), b"+OK\r\n"))
        writer.close()

    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: reported.append(what["message"]))
    async with await asyncio.start_server(be_cluster, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        [target] = parse_targets(settings(f"redis+cluster://127.0.0.1:{port}"))
        shard = await open_shard(target)
        with pytest.raises(EngineUnavailable, match="connection lost"):
            await shard.execute(("GET", "news"), "news")
        await shard.close()
    gc.collect()
    assert reported == []


async def test_reconnects_to_another_primary_of_the_cluster(tmp_path):
    """The former one may be stuck, with its connections open."""
    cluster = RedisCluster(tmp_path)
    await asyncio.to_thread(cluster.start)
    [target] = parse_targets(EngineRedis.model_validate({"cluster_address": [cluster.addresses]}))
    shard = await open_shard(target)
    try:
        source = PrimaryConnector(shard)
        addresses = []
        for _ in range(8):
            connection = await source.open()
            addresses.append(connection.address)
            await connection.wait_closed()
        assert all(one != other for one, other in itertools.pairwise(addresses))
    finally:
        await shard.close()
        cluster.stop()


async def test_follows_a_failover(sentinel, events):
    address = f"redis+sentinel://{sentinel.sentinel.address}?sentinel_master_name={sentinel.MASTER}"
    async with opened(address, events, **QUICK) as broker:
        await broker.subscribe("news")
        await broker.publish("news", b"1", KEEP)
        await events.deliveries(1)
        await until(sentinel.fail_over)  # the old primary becomes a replica
        await delivered_again(broker, events)

        async def switched() -> bool:
            channels = sentinel.two.call("PUBSUB", "CHANNELS", "p.client.*")
            return sentinel.primary() is sentinel.two and channels == [b"p.client.news"]

        await until(switched)
        await delivered_again(broker, events)


async def test_a_dead_primary_is_replaced(sentinel, events):
    address = f"redis+sentinel://{sentinel.sentinel.address}?sentinel_master_name={sentinel.MASTER}"
    async with opened(address, events, **QUICK) as broker:
        await broker.subscribe("news")
        sentinel.one.freeze()
        await delivered_again(broker, events)
        sentinel.one.thaw()


async def test_leaves_a_primary_that_has_become_read_only(own, redis, events, monkeypatch):
    """The Sentinel announces nothing, and the next query is far off."""
    monkeypatch.setattr(sentinel_module, "QUERY_SECONDS", 1000.0)
    primary = own

    async def be_sentinel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            if b"GET-MASTER-ADDR" in data:
                writer.write(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(primary.port)), primary.port))
            elif b"SUBSCRIBE" in data:
                writer.write(b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")
            else:
                writer.write(b"+PONG\r\n")
        writer.close()

    async with await asyncio.start_server(be_sentinel, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with opened(f"redis+sentinel://127.0.0.1:{port}?sentinel_master_name=m", events) as broker:
            await broker.subscribe("news")
            await broker.publish("news", b"1", KEEP)
            primary = redis
            own.call("REPLICAOF", "127.0.0.1", redis.port)
            with pytest.raises(EngineUnavailable, match=r"READONLY|MASTERDOWN"):
                await broker.publish("news", b"2", KEEP)
            await delivered_again(broker, events)


async def test_a_repaired_loss_is_reported(redis, events):
    async with opened(redis.address, events) as broker:
        await broker.subscribe("news")
        assert not events.restored
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")

        async def reported() -> bool:
            return events.restored > 0

        await until(reported)
        assert redis.call("PUBSUB", "CHANNELS", "p.client.*") == [b"p.client.news"]
