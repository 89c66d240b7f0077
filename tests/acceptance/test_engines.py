"""Streams, presence and what is in Redis, as backends and operators see them (07 §25). What needs two nodes is in
`tests/cluster`, what an engine promises the node in `tests/engines`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import hiredis
import pytest

from tests.support.metrics import scrape
from tests.support.nats import Nats
from tests.support.redis import Redis, RedisCluster
from tests.support.server import ApiError, free_port, merge
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.support.server import Config, Server

OPEN = {
    f"allow_{what}_for_{whom}": True
    for what in ("subscribe", "publish", "history", "presence")
    for whom in ("client", "anonymous")
}
KEPT = {**OPEN, "history_size": 2, "history_ttl": "60s", "history_meta_ttl": "1000s"}
CONFIG: dict[str, Any] = {
    "client": {
        "allow_anonymous_connect_without_token": True,
        "presence_update_interval": "0.4s",
        "channel_position_check_delay": "0.5s",
    },
    "prometheus": {"enabled": True},
    "channel": {
        "without_namespace": {**OPEN, "presence": True},
        "namespaces": [
            {"name": "kept", **KEPT},
            {"name": "brief", **KEPT, "history_ttl": "1s"},
            {"name": "fleeting", **KEPT, "history_ttl": "1s", "history_meta_ttl": "1s"},
            {"name": "recovered", **KEPT, "force_recovery": True},
            {"name": "joins", **OPEN, "join_leave": True},
        ],
    },
}
ENGINES = ("memory", "workers", "redis")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop()


def on(redis: Redis, **more: Any) -> Config:
    return merge(CONFIG, {"engine": {"type": "redis", "redis": {"address": redis.address, **more}}})


@pytest.fixture
def on_redis(shared_server: StartServer, redis: Redis) -> Server:
    return shared_server(on(redis))


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, shared_server: StartServer) -> Server:
    """A server with each engine."""
    if request.param == "redis":
        on_redis: Server = request.getfixturevalue("on_redis")
        return on_redis
    return shared_server(CONFIG if request.param == "memory" else merge(CONFIG, {"fanjet": {"workers": 2}}))


async def published(server: Server, channel: str, count: int) -> str:
    """Publish 1, 2, 3 and so on; returns the epoch."""
    positions = [await server.api("publish", {"channel": channel, "data": number + 1}) for number in range(count)]
    assert [position["offset"] for position in positions] == list(range(1, count + 1))
    [epoch] = {position["epoch"] for position in positions}
    return str(epoch)


async def offsets(server: Server, channel: str, **request: Any) -> list[int]:
    history = await server.api("history", {"channel": channel, "limit": -1, **request})
    return [publication["offset"] for publication in history["publications"]]


# ------------------------------------------------------------------------------------------------------ streams


async def test_the_newest_are_kept_and_all_are_numbered(server: Server, name: str) -> None:  # 07-8, 07-9
    channel = f"kept:{name}"
    epoch = await published(server, channel, 3)
    assert len(epoch) == 8
    assert epoch.isalpha()
    assert await offsets(server, channel) == [2, 3]
    position = {"publications": [], "offset": 3, "epoch": epoch}
    assert await server.api("history", {"channel": channel, "limit": 0}) == position


async def test_a_channel_never_used_has_a_position(server: Server, name: str) -> None:  # 07-10
    request = {"channel": f"kept:{name}", "limit": -1}
    first, second = await server.api("history", request), await server.api("history", request)
    assert first == second
    assert (first["publications"], first["offset"], len(first["epoch"])) == ([], 0, 8)


async def test_reads_begin_where_they_are_asked_to(server: Server, name: str) -> None:  # 07-11, 07-12
    channel = f"kept:{name}"
    epoch = await published(server, channel, 3)
    for since, expected in (({"offset": 3, "epoch": epoch}, []), ({"offset": 0, "epoch": epoch}, [2, 3])):
        assert await offsets(server, channel, since=since) == expected
    assert await offsets(server, channel, since={"offset": 2, "epoch": ""}) == [3]
    with pytest.raises(ApiError, match="112"):
        await offsets(server, channel, since={"offset": 2, "epoch": "otherone"})
    assert await offsets(server, channel, reverse=True, limit=1) == [3]
    assert await offsets(server, channel, reverse=True, since={"offset": 1, "epoch": epoch}) == []
    with pytest.raises(ApiError, match="100"):
        await offsets(server, channel, reverse=True, since={"offset": 0, "epoch": epoch})
    async with connected(server) as client:
        backwards = {"channel": channel, "limit": 1, "reverse": True, "since": {"offset": 0, "epoch": epoch}}
        assert await client.error(history=backwards) == 107


async def test_a_position_that_cannot_grow_any_more_is_no_failure(server: Server, name: str) -> None:  # 07 §3.3, §6.3
    channel = f"kept:{name}"
    epoch = await published(server, channel, 2)
    for offset in (2**63, 2**64 - 2):
        assert await offsets(server, channel, since={"offset": offset, "epoch": epoch}) == []
    await offsets(server, channel, since={"offset": 2**64 - 1, "epoch": epoch})


async def test_removal_keeps_the_position(server: Server, name: str) -> None:  # 07-13
    channel = f"kept:{name}"
    epoch = await published(server, channel, 3)
    await server.api("history_remove", {"channel": channel})
    position = {"publications": [], "offset": 3, "epoch": epoch}
    assert await server.api("history", {"channel": channel, "limit": -1}) == position
    assert await server.api("publish", {"channel": channel, "data": 4}) == {"offset": 4, "epoch": epoch}


async def test_publications_expire_and_their_numbers_go_on(server: Server, name: str) -> None:  # 07-14
    channel = f"brief:{name}"
    epoch = await published(server, channel, 2)

    async def gone() -> bool:
        return not await offsets(server, channel)

    await until(gone)
    assert await server.api("publish", {"channel": channel, "data": 3}) == {"offset": 3, "epoch": epoch}


async def test_a_stream_that_nobody_uses_begins_anew(on_redis: Server, redis: Redis, name: str) -> None:  # 07-15
    channel = f"fleeting:{name}"
    epoch = await published(on_redis, channel, 1)

    async def gone() -> bool:
        return not redis.call("EXISTS", f"centrifugo.stream.meta.{channel}")

    await until(gone)
    again = await on_redis.api("publish", {"channel": channel, "data": 1})
    assert again["offset"] == 1
    assert again["epoch"] != epoch


async def test_a_key_counts_once_and_in_its_channel(server: Server, name: str) -> None:  # 07-16
    channel = f"kept:{name}"
    async with connected(server) as client:
        await client.subscribe(channel)
        for number in range(2):
            request = {"channel": channel, "data": number, "idempotency_key": "k"}
            assert (await server.api("publish", request))["offset"] == 1
        await server.api("publish", {"channel": channel, "data": 2})
        assert [(await client.publication())["data"] for _ in range(2)] == [0, 2]
    assert (await server.api("publish", {"channel": f"{channel}-", "data": 1, "idempotency_key": "k"}))["offset"] == 1


async def test_a_repeat_that_redis_keeps_no_position_of_is_not_counted(on_redis: Server, name: str) -> None:  # 07 §6.1
    async def count() -> float:
        return (await scrape(on_redis)).value("broker_publish_suppressed_count", reason="idempotency") or 0

    before = await count()
    for channel, counted in ((name, 0), (f"kept:{name}", 1)):
        for _ in range(2):
            await on_redis.api("publish", {"channel": channel, "data": 1, "idempotency_key": "k"})
        assert await count() == before + counted


async def test_versions_that_are_past_are_not_published(server: Server, name: str) -> None:  # 07-17
    channel = f"kept:{name}"
    async with connected(server) as client:
        await client.subscribe(channel)
        for version, epoch, offset in ((5, "", 1), (5, "", 1), (4, "", 1), (4, "a", 2), (4, "b", 3), (4, "b", 3)):
            request = {"channel": channel, "data": offset, "version": version, "version_epoch": epoch}
            assert (await server.api("publish", request))["offset"] == offset
        got = [await client.publication() for _ in range(3)]
        assert [(each["data"], each["version"]) for each in got] == [(1, 5), (2, 4), (3, 4)]
        assert client.nothing_waits()


async def test_what_skips_history_is_delivered_alone(server: Server, name: str) -> None:  # 07-18
    channel = f"kept:{name}"
    await published(server, channel, 1)
    async with connected(server) as client:
        await client.subscribe(channel)
        assert await server.api("publish", {"channel": channel, "data": 2, "skip_history": True}) == {}
        assert await client.publication() == {"data": 2}
    assert await offsets(server, channel) == [1]


# ------------------------------------------------------------------------------------------------------ in Redis


def hash_at(redis: Redis, key: str) -> dict[bytes, bytes]:
    flat = redis.call("HGETALL", key)
    return dict(zip(flat[::2], flat[1::2], strict=True))


async def test_a_stream_is_where_others_look_for_it(on_redis: Server, redis: Redis, name: str) -> None:  # 07-19, 07-25
    channel = f"kept:{name}"
    epoch = await published(on_redis, channel, 1)
    key, meta = f"centrifugo.stream.{channel}", f"centrifugo.stream.meta.{channel}"
    [(number, fields)] = redis.call("XRANGE", key, "-", "+")
    assert (number, fields[0], len(fields)) == (b"1-0", b"d", 2)
    assert hash_at(redis, meta) == {b"e": epoch.encode(), b"s": b"1"}
    assert (redis.call("TTL", key), redis.call("TTL", meta)) == (60, 1000)
    redis.call("DEL", meta)
    await published(on_redis, channel, 1)
    assert await offsets(on_redis, channel) == [1]


async def test_what_others_publish_arrives_and_garbage_is_counted(
    on_redis: Server, redis: Redis, name: str
) -> None:  # 07-22
    async def count() -> float:
        return (await scrape(on_redis)).value("broker_redis_pub_sub_errors", error="handle_client_message") or 0

    before = await count()
    async with connected(on_redis) as client:
        await client.subscribe(name)
        for payload in (b"__x__abc", b"\x22\x011"):
            assert redis.call("PUBLISH", f"centrifugo.client.{name}", payload) == 1
        assert await client.publication() == {"data": 1}
    assert await count() == before + 1


async def test_queues_of_messages_from_redis_are_told_of(on_redis: Server) -> None:  # 07 §8.2
    page = await scrape(on_redis)
    for channel_type in ("client", "control"):
        labels = {"broker_name": "", "channel_type": channel_type}
        assert page.value("broker_redis_pub_sub_buffered_messages", pub_sub_processor="0", **labels) == 0
        assert page.value("broker_redis_pub_sub_dropped_messages", **labels) == 0


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Redis]]:
    """Two installations."""
    both = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        both.append(Redis(tmp_path / name))
        both[-1].start()
    yield both
    for redis in both:
        redis.stop()


async def test_shards_share_the_channels(private_server: StartServer, two: list[Redis]) -> None:  # 07-23
    places = {"news": 1, "user#42": 1, "chat:index": 0, "personal:user-17": 0}
    namespaces = [{"name": name, **KEPT} for name in ("chat", "personal")]
    channels = {"channel": {"without_namespace": KEPT, "namespaces": namespaces}}
    engine = {"engine": {"type": "redis", "redis": {"address": [redis.address for redis in two]}}}
    server = private_server(merge(CONFIG, channels | engine))
    for channel in places:
        await published(server, channel, 1)
    found = {channel: [redis.call("EXISTS", f"centrifugo.stream.{channel}") for redis in two] for channel in places}
    assert {channel: each.index(1) for channel, each in found.items()} == places
    assert {sum(each) for each in found.values()} == {1}


async def test_in_a_cluster_all_that_belongs_to_a_channel_is_in_its_slot(
    private_server: StartServer, tmp_path: Path
) -> None:  # 07-24
    (tmp_path / "cluster").mkdir()
    cluster = RedisCluster(tmp_path / "cluster")
    try:
        cluster.start()
        redis = {"cluster_address": cluster.addresses}
        server = private_server(merge(CONFIG, {"engine": {"type": "redis", "redis": redis}}))
        async with connected(server) as client:
            for channel in ("recovered:a", "b"):
                await client.subscribe(channel)
                request = {"channel": channel, "data": 1, "idempotency_key": "k"}
                await server.api("publish", request)
            assert found(cluster, "KEYS", "*") == [
                "centrifugo.presence.data.{b}",
                "centrifugo.presence.expire.{b}",
                "centrifugo.result.{b}.k",
                "centrifugo.result.{recovered:a}.k",
                "centrifugo.stream.meta.{recovered:a}",
                "centrifugo.stream.{recovered:a}",
            ]
            heard = found(cluster, "PUBSUB", "CHANNELS", "centrifugo.client.*")
            assert heard == ["centrifugo.client.{b}", "centrifugo.client.{recovered:a}"]
    finally:
        cluster.stop()


def found(cluster: RedisCluster, *words: str) -> list[str]:
    """What all nodes answer, in order."""
    return sorted(name.decode() for node in cluster.nodes for name in node.call(*words))


async def test_presence_is_where_others_look_for_it(on_redis: Server, redis: Redis, name: str) -> None:  # 07-26
    data, expiry = (f"centrifugo.presence.{what}.{name}" for what in ("data", "expire"))
    async with connected(on_redis, token("u1")) as client:
        await client.subscribe(name)
        assert list(hash_at(redis, data)) == [client.client_id.encode()]
        assert abs(float(redis.call("ZSCORE", expiry, client.client_id)) - time.time() - 60) < 30
        await client.call(unsubscribe={"channel": name})
        assert redis.call("EXISTS", data, expiry) == 0


async def test_a_channel_that_is_left_stays_subscribed_for_a_second(
    on_redis: Server, redis: Redis, name: str
) -> None:  # 07-39
    def subscribers() -> int:
        return int(redis.call("PUBSUB", "NUMSUB", f"centrifugo.client.{name}")[1])

    async def let_go() -> bool:
        return subscribers() == 0

    async with connected(on_redis) as client:
        await client.subscribe(name)
        started = time.monotonic()
        await client.call(unsubscribe={"channel": name})
        await client.subscribe(name)
        assert subscribers() == 1
        await client.call(unsubscribe={"channel": name})
        await until(let_go)
        assert time.monotonic() - started >= 1.0


# ------------------------------------------------------------------------------------------------------ losses


@pytest.mark.parametrize("is_server_side", [False, True])
async def test_a_stream_that_is_lost_ends_what_stood_in_it(
    private_server: StartServer, tmp_path: Path, name: str, is_server_side: bool
) -> None:  # 07-30, 07-31
    redis = Redis(tmp_path)
    redis.start()
    server = private_server(on(redis))
    channel = f"recovered:{name}"
    async with connected(server, token(name)) as client:
        if is_server_side:
            await server.api("subscribe", {"user": name, "channel": channel})
            assert "subscribe" in await client.push()
        else:
            await client.subscribe(channel)
        redis.call("FLUSHALL")
        if is_server_side:
            assert await client.closed() == (3010, "insufficient state")
        else:
            assert (await client.push())["unsubscribe"] == {"code": 2500, "reason": "insufficient state"}
    server.stop()
    redis.stop()


async def test_orders_of_others_are_heard(on_redis: Server, redis: Redis, name: str) -> None:  # 07-38
    async def others() -> list[str]:
        return [node["name"] for node in (await on_redis.api("info"))["nodes"] if node["version"] == "6.9.0 OSS"]

    async def is_there() -> bool:
        return bool(await others())

    async def is_gone() -> bool:
        return not await others()

    node = "0a024e3122220a024e311209686f73745f383030301a09362e392e30204f5353200228013003380c"
    redis.call("PUBLISH", "centrifugo.control", bytes.fromhex(node))
    await until(is_there)
    assert await others() == ["host_8000"]
    for garbage in (b"", b"\xff\xff", b"__j__x"):
        redis.call("PUBLISH", "centrifugo.control", garbage)
    [own] = [each["uid"] for each in (await on_redis.api("info"))["nodes"] if each["name"] != "host_8000"]
    redis.call("PUBLISH", "centrifugo.control", b"\x0a%c%b\x3a\x00" % (len(own), own.encode()))
    redis.call("PUBLISH", "centrifugo.control", bytes.fromhex("0a024e313a00"))
    await until(is_gone)
    assert [each["uid"] for each in (await on_redis.api("info"))["nodes"]] == [own]


async def test_without_anything_between_them_nodes_are_alone(private_server: StartServer, name: str) -> None:  # 07-36
    one, two = private_server(CONFIG), private_server(CONFIG)
    async with connected(two, token(name)) as client:
        assert len((await one.api("info"))["nodes"]) == len((await two.api("info"))["nodes"]) == 1
        await one.api("disconnect", {"user": name})
        await one.api("publish", {"channel": name, "data": 1})
        await client.subscribe(name)
        await two.api("publish", {"channel": name, "data": 2})
        assert await client.publication() == {"data": 2}


EVERYTHING = {
    name: {"value": True}
    for name in ("presence", "join_leave", "force_recovery", "force_positioning", "force_push_join_leave")
}


@pytest.mark.parametrize(
    ("method", "request_", "content"),
    [
        pytest.param(
            "disconnect",
            {"client": "c", "session": "s", "whitelist": ["b", "a"], "disconnect": {"code": 3000, "reason": "x"}},
            "32150a017512016212016118b8172201783201633a0173",
            id="disconnect",
        ),
        pytest.param(
            "disconnect", {}, "32180a017518af1b2210666f72636520646973636f6e6e656374", id="disconnect-by-default"
        ),
        pytest.param(
            "unsubscribe",
            {"channel": "a", "client": "c", "session": "s"},
            "2a230a01611201751a016322017328d00f321273657276657220756e737562736372696265",
            id="unsubscribe",
        ),
        pytest.param(
            "refresh",
            {"client": "c", "session": "s", "expired": True, "expire_at": 5},
            "620d0a017512016318012005320173",
            id="refresh",
        ),
        pytest.param(
            "subscribe",
            {
                "channel": "a",
                "b64info": "AQI=",
                "b64data": "AQI=",
                "recover_since": {"offset": 0, "epoch": ""},
                "override": EVERYTHING,
            },
            "521c0a0175120161180120013001380142020102520201025a006801700a",
            id="subscribe",
        ),
    ],
)
async def test_orders_have_the_bytes_that_others_expect(
    on_redis: Server, redis: Redis, method: str, request_: dict[str, Any], content: str
) -> None:  # 07 §14.1
    [uid] = [each["uid"] for each in (await on_redis.api("info"))["nodes"]]
    async with heard(redis, "centrifugo.control") as messages:
        await on_redis.api(method, {"user": "u", **request_})
        order = b"\x0a\x24" + uid.encode() + bytes.fromhex(content)
        async with asyncio.timeout(10):
            while await messages.get() != order:  # announcements come, too
                pass


@asynccontextmanager
async def heard(redis: Redis, name: str) -> AsyncIterator[asyncio.Queue[bytes]]:
    """What is published there."""
    messages: asyncio.Queue[bytes] = asyncio.Queue()
    reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
    replies = hiredis.Reader(notEnoughData=messages)
    subscribed = asyncio.Event()

    async def listen() -> None:
        while data := await reader.read(65536):
            replies.feed(data)
            while (reply := replies.gets()) is not messages:
                if reply[0] == b"message":
                    messages.put_nowait(reply[2])
                subscribed.set()

    listening = asyncio.create_task(listen())
    writer.write(hiredis.pack_command(("SUBSCRIBE", name)))
    try:
        await subscribed.wait()
        yield messages
    finally:
        listening.cancel()
        writer.close()


# ------------------------------------------------------------------------------------------------------ start


@pytest.mark.parametrize(
    ("config", "text"),
    [
        pytest.param({"engine": {"type": "mem"}}, "unknown engine type: mem", id="07-1"),
        pytest.param({"broker": {"type": "kafka"}}, "unknown broker: kafka", id="07-2"),
        pytest.param(
            {"broker": {"enabled": True, "type": "redisnats"}},
            "redisnats broker requires enable_unreleased_features on",
            id="07-4",
        ),
        pytest.param(
            {"channel": {"namespaces": [{"name": "x1", "history_size": 10}]}},
            "both history size and history ttl required",
            id="07-6-half-of-it",
        ),
        pytest.param(
            {"channel": {"namespaces": [{"name": "x1", "history_size": 10, "history_ttl": "1500ms"}]}},
            "history_ttl",
            id="07-6-no-whole-seconds",
        ),
    ],
)
def test_what_is_no_engine_ends_the_start(private_server: StartServer, config: Config, text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        private_server(config)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        pytest.param("127.0.0.1:{free}", "onnection refused", id="07-3"),
        pytest.param("redis://127.0.0.1:6379/", "DB number", id="07-7-no-number"),
        pytest.param("http://127.0.0.1:6379", "malformed connection address", id="07-7-scheme"),
        pytest.param("redis+sentinel://127.0.0.1:26379", "master name", id="07-7-no-master"),
    ],
)
def test_a_redis_that_cannot_be_reached_ends_the_start(private_server: StartServer, address: str, text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        private_server({"engine": {"type": "redis", "redis": {"address": address.format(free=free_port())}}})


async def test_an_engine_that_nothing_is_left_to_is_not_looked_at(private_server: StartServer) -> None:  # 07-1
    parts = {"broker": {"enabled": True, "type": "memory"}, "presence_manager": {"enabled": True, "type": "memory"}}
    server = private_server(merge(CONFIG, {"engine": {"type": "mem"}, **parts}))
    assert await server.api("publish", {"channel": "news", "data": 1}) == {}


async def test_a_node_hears_what_is_for_all_and_for_itself(on_redis: Server, redis: Redis) -> None:  # 07-3
    [own] = [each["uid"] for each in (await on_redis.api("info"))["nodes"]]
    heard = {name.decode() for name in redis.call("PUBSUB", "CHANNELS")}
    assert heard >= {"centrifugo.control", f"centrifugo.node.{own}", "centrifugo.shard.0"}


async def test_presence_may_be_in_redis_and_messages_go_over_nats(
    private_server: StartServer, redis: Redis, tmp_path: Path, name: str
) -> None:  # 07-5
    nats = Nats(tmp_path)
    nats.start()
    config = merge(on(redis), {"broker": {"enabled": True, "type": "nats", "nats": {"url": nats.nats_url}}})
    server = private_server(config)
    async with connected(server) as client:
        await client.subscribe(name)
        assert redis.call("EXISTS", f"centrifugo.presence.data.{name}") == 1
        assert redis.call("PUBSUB", "NUMSUB", f"centrifugo.client.{name}")[1] == 0
        await server.api("publish", {"channel": name, "data": 1})
        assert await client.publication() == {"data": 1}
    server.stop()
    nats.stop()
