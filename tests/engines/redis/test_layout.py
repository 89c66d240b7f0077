"""Stored data and messages in Redis, compatible with other nodes (07 §5-7, §9, §10)."""

import asyncio
import socket
import time

import hiredis
import pytest
from msgspec.structs import replace

from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.records import decode_info
from fanjet.protocol.publication import ClientInfo, StreamPosition
from tests.engines.conftest import Recorder
from tests.engines.redis.conftest import opened, opened_presence
from tests.support.redis import Redis
from tests.support.redis_binaries import new_binary

KEEP = PublishOptions(history_size=2, history_ttl=100, history_meta_ttl=1000)
ALICE = ClientInfo("alice", "c1", b"{}")


class RawSubscriber:
    """Receives raw PUB/SUB messages."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", redis.port), 5)
        self._reader = hiredis.Reader(notEnoughData=self)
        self._socket.sendall(hiredis.pack_command(("SUBSCRIBE", name)))
        self._next()

    def _next(self):
        while (reply := self._reader.gets()) is self:
            self._reader.feed(self._socket.recv(65536))
        return reply

    def message(self) -> bytes:
        return self._next()[2]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def subscriber(redis):
    subscriber = RawSubscriber(redis, "p.client.news")
    yield subscriber
    subscriber.close()


def fields_of(redis, key) -> dict[bytes, bytes]:
    flat = redis.call("HGETALL", key)
    return dict(zip(flat[::2], flat[1::2], strict=True))


async def published(broker, count: int) -> str:
    """Publish `count` times; returns the epoch."""
    for number in range(count):
        position = (await broker.publish("news", b"%d" % number, KEEP)).position
    return position.epoch


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(PublishOptions(), id="bare"),
        pytest.param(PublishOptions(info=ALICE, is_json=True), id="of-a-client"),
        pytest.param(PublishOptions(tags={"a": "1"}, version=7), id="tags-and-version"),
        pytest.param(PublishOptions(tags={}), id="no-tags"),
        pytest.param(PublishOptions(use_delta=True), id="delta"),
        pytest.param(replace(KEEP, info=ALICE), id="in-a-stream"),
    ],
)
@pytest.mark.parametrize(
    "data",
    [pytest.param(b'{"a":1}', id="short"), pytest.param(b"", id="empty"), pytest.param(b"x" * 100_000, id="long")],
)
async def test_the_publishing_node_receives_what_others_receive(redis, events, options, data):
    others = Recorder()
    async with opened(redis.address, events) as broker, opened(redis.address, others) as other:
        await asyncio.gather(broker.subscribe("news"), other.subscribe("news"))
        for _ in range(2):
            await broker.publish("news", data, options)
        received, received_there = await events.deliveries(2), await others.deliveries(2)
    for here, there in zip(received, received_there, strict=True):
        assert replace(here.publication, is_json=False) == there.publication
        assert (here.channel, here.epoch, here.use_delta) == (there.channel, there.epoch, there.use_delta)


async def test_undelivered_own_publications_are_dropped(redis, events):
    async with opened(redis.address, events) as broker:
        await broker.subscribe("news")
        for number in range(1100):  # more than are kept, all undelivered
            last = broker.publish("news", b"%d" % number, PublishOptions(is_json=True))
        await last
        received = await events.deliveries(1100)
    assert [one.publication.data for one in received] == [b"%d" % number for number in range(1100)]


async def test_a_stream(redis, events, subscriber):  # 07-19, 07-20
    async with opened(redis.address, events) as broker:
        epoch = (await published(broker, 3)).encode()
    assert redis.call("TYPE", "p.stream.news") == b"stream"
    entries = redis.call("XRANGE", "p.stream.news", "-", "+")
    assert [(number, fields[0], len(fields)) for number, fields in entries] == [(b"2-0", b"d", 2), (b"3-0", b"d", 2)]
    assert fields_of(redis, "p.stream.meta.news") == {b"e": epoch, b"s": b"3"}
    assert redis.call("TTL", "p.stream.news") == 100
    assert redis.call("TTL", "p.stream.meta.news") == 1000
    messages = [subscriber.message() for _ in range(3)]
    assert messages[2] == b"__p1:3:%b__%b" % (epoch, entries[1][1][1])
    assert sorted(redis.call("KEYS", "*")) == [b"p.stream.meta.news", b"p.stream.news"]


async def test_versions_and_results(redis, events):
    async with opened(redis.address, events) as broker:
        options = replace(KEEP, version=7, version_epoch="v", idempotency_key="k")
        epoch = (await broker.publish("news", b"1", options)).position.epoch.encode()
        await broker.publish("news", b"2", PublishOptions(idempotency_key="bare"))
    meta = {b"e": epoch, b"s": b"1", b"v": b"7", b"ve": b"v"}
    assert fields_of(redis, "p.stream.meta.news") == meta
    assert fields_of(redis, "p.result.news.k") == {b"e": epoch, b"s": b"1"}
    assert redis.call("TTL", "p.result.news.k") == 300
    assert fields_of(redis, "p.result.news.bare") == {b"e": b""}
    assert redis.call("TTL", "p.result.news.bare") == 300


async def test_without_history_the_payload_is_the_bare_publication(redis, events, subscriber):  # 07-20
    async with opened(redis.address, events) as broker:
        await broker.publish("news", b"1", PublishOptions())
        await broker.publish("news", b"2", PublishOptions(idempotency_key="k", use_delta=True))
        await broker.publish_join("news", ALICE)
        await broker.publish_leave("news", ALICE)
    assert subscriber.message().startswith(b"\x22\x011\x48")
    assert b"\x40\x01" in subscriber.message()
    assert subscriber.message().startswith(b"__j__\x0a\x05alice")
    assert subscriber.message().startswith(b"__l__\x0a\x05alice")


@pytest.mark.parametrize("use_lists", [False, True])
async def test_a_delta_contains_the_previous_publication(redis, events, subscriber, use_lists):  # 07-21
    async with opened(redis.address, events, use_lists=use_lists) as broker:
        options = replace(KEEP, use_delta=True)
        first = (await broker.publish("news", '"ü"'.encode(), options)).position.epoch.encode()
        await broker.publish("news", '"€:"'.encode(), options)
    one, two = subscriber.message(), subscriber.message()
    assert one.startswith(b"__d1:1:%b:0::13:" % first)
    assert two.startswith(b"__d1:2:%b:13:%b:15:" % (first, one[-13:]))
    assert '"€:"'.encode() in two


async def test_lists(redis, events):  # 07 §10
    async with opened(redis.address, events, use_lists=True) as broker:
        epoch = (await published(broker, 3)).encode()
    elements = redis.call("LRANGE", "p.list.news", 0, -1)
    assert [element[: element.index(b"__", 2)] for element in elements] == [b"__p1:3:" + epoch, b"__p1:2:" + epoch]
    assert fields_of(redis, "p.list.meta.news") == {b"e": epoch, b"s": b"3"}
    assert redis.call("TTL", "p.list.news") == 100
    assert redis.call("TTL", "p.list.meta.news") == 1000


@pytest.mark.parametrize("use_lists", [False, True], ids=["streams", "lists"])
async def test_any_history_size(redis, events, use_lists):
    async with opened(redis.address, events, use_lists=use_lists) as broker:
        for size in (10**17, 2**63 - 1):
            await broker.publish("news", b"1", replace(KEEP, history_size=size))
        assert [each.offset for each in (await broker.history("news")).publications] == [1, 2]
        await broker.publish("news", b"1", replace(KEEP, history_size=1))
        assert [each.offset for each in (await broker.history("news")).publications] == [3]


async def test_a_read_extends_the_meta_ttl(redis, events):  # 07-15
    async with opened(redis.address, events) as broker:
        top = (await broker.history("news", limit=0, meta_ttl=50)).top
        assert redis.call("TTL", "p.stream.meta.news") == 50
        assert (await broker.history("news")).top == top
        assert redis.call("TTL", "p.stream.meta.news") == 3600


async def test_a_stream_without_meta_gets_a_new_epoch(redis, events):  # 07-25
    async with opened(redis.address, events) as broker:
        epoch = await published(broker, 2)
        redis.call("DEL", "p.stream.meta.news")
        after = (await broker.publish("news", b"2", KEEP)).position
        assert after.offset == 1
        assert after.epoch != epoch
        [publication] = (await broker.history("news")).publications
        assert publication.data == b"2"


async def test_only_publications_are_removed(redis, events):
    async with opened(redis.address, events) as broker:
        await broker.publish("news", b"1", replace(KEEP, idempotency_key="k"))
        await broker.remove_history("news")
    assert sorted(redis.call("KEYS", "*")) == [b"p.result.news.k", b"p.stream.meta.news"]


async def test_foreign_publications_are_delivered_and_malformed_ones_dropped(redis, events):  # 07-22
    async with opened(redis.address, events) as broker:
        await broker.subscribe("news")
        for payload in (b"__x__abc", b"\xff", b"__p1:", b"\x22\x011"):
            redis.call("PUBLISH", "p.client.news", payload)
        redis.call("PUBLISH", "p.shard.0", "what later versions of others send there")
        redis.call("PUBLISH", "p.node.me.probe", "probe")
        [delivered] = await events.deliveries(1)
    assert delivered.publication.data == b"1"


async def test_a_malformed_history_entry_fails_only_the_call(redis, events):
    async with opened(redis.address, events) as broker:
        await broker.publish("news", b"1", KEEP)
        redis.call("XADD", "p.stream.news", "2-0", "d", b"\xff")
        with pytest.raises(EngineUnavailable, match="malformed publication"):
            await broker.history("news")
        assert (await broker.history("news", limit=0)).top.offset == 1


async def test_a_malformed_position_fails_the_call(redis, events):
    async with opened(redis.address, events) as broker:
        redis.call("HSET", "p.stream.meta.news", "e", "abcdefgh", "s", "many")
        redis.call("HSET", "p.result.news.key", "e", "abcdefgh", "s", "many")
        for call in (
            broker.history("news", limit=0),
            broker.publish("news", b"1", replace(KEEP, idempotency_key="key")),
        ):
            with pytest.raises(EngineUnavailable, match="malformed stream position"):
                await call


async def test_colliding_keys_fail_only_the_call(redis, events):  # 07 §5.1
    async with opened(redis.address, events) as broker:
        await broker.publish("x", b"1", KEEP)
        with pytest.raises(EngineUnavailable, match="WRONGTYPE"):
            await broker.history("meta.x")
        assert (await broker.publish("x", b"1", KEEP)).position.offset == 2


async def test_a_reverse_read_from_beyond_the_top_begins_at_the_top(redis, events):  # 07 §6.3
    async with opened(redis.address, events) as broker:
        epoch = await published(broker, 2)
        history = await broker.history("news", since=StreamPosition(9, epoch), reverse=True)
    assert [publication.offset for publication in history.publications] == [2, 1]


COMMANDS = (
    "cluster client del eval evalsha expire hdel hello hget hgetall hincrby hmget hset lindex lpush lrange ltrim ping "
    "publish subscribe unsubscribe xadd xrange xrevrange zadd zrangebyscore zrem zremrangebyscore"
)
"""Commands that Centrifugo uses, in scripts and directly, unless it counts users."""


@pytest.mark.parametrize("use_lists", [False, True], ids=["streams", "lists"])
async def test_acl_permissions_of_centrifugo_suffice(redis, events, use_lists):
    allowed = [f"+{command}" for command in COMMANDS.split()]
    redis.call("ACL", "SETUSER", "few", "reset", "on", ">secret", "~p.*", "resetchannels", "&p.*", *allowed)
    login = {"user": "few", "password": "secret"}
    once = {"idempotency_key": "key"}
    async with opened(redis.address, events, use_lists=use_lists, **login) as broker:
        await broker.subscribe("news")
        for options in (
            PublishOptions(),
            PublishOptions(**once),
            KEEP,
            replace(KEEP, use_delta=True, version=3, **once),
        ):
            await broker.publish("news", b"1", options)
        await broker.publish_join("news", ALICE)
        assert (await broker.history("news")).top.offset
        await broker.history("news", limit=1, reverse=True)
        await broker.remove_history("news")
        await broker.unsubscribe("news")
    async with opened_presence(redis.address, **login) as manager:
        await manager.add("news", "c1", ALICE)
        await manager.remove("news", "c1", "alice")
        assert await manager.presence("news") == {}
        await manager.presence_stats("news")


# ------------------------------------------------------------------------------------------------------ presence


async def test_presence_expires_by_a_sorted_set(redis):  # 07-26
    async with opened_presence(redis.address, ttl=60) as manager:
        await manager.add("news", "c1", ALICE)
        assert decode_info(fields_of(redis, "p.presence.data.news")[b"c1"]) == ALICE
        score = float(redis.call("ZSCORE", "p.presence.expire.news", "c1"))
        assert abs(score - time.time() - 60) < 3
        assert {redis.call("TTL", f"p.presence.{key}.news") for key in ("data", "expire")} == {60}
        redis.call("ZADD", "p.presence.expire.news", int(time.time()) - 1, "c1")
        assert await manager.presence("news") == {}
        assert redis.call("KEYS", "*") == []


async def test_users_are_counted(redis):
    bob = ClientInfo("bob", "c3")
    async with opened_presence(redis.address, count_users=True) as manager:
        for client in ("c1", "c2", "c1"):
            await manager.add("news", client, ALICE)
        await manager.add("news", "c3", bob)
        assert fields_of(redis, "p.presence.user.clients.news") == {b"alice": b"2", b"bob": b"1"}
        assert await manager.presence_stats("news") == (3, 2)
        await manager.remove("news", "c3", "bob")
        await manager.remove("news", "c3", "bob")
        await manager.remove("news", "c1", "alice")
        assert fields_of(redis, "p.presence.user.clients.news") == {b"alice": b"1"}
        assert redis.call("ZRANGE", "p.presence.user.expire.news", 0, -1) == [b"alice"]
        await manager.remove("news", "c2", "alice")
        assert redis.call("KEYS", "*") == []


async def test_many_entries_expire_together(redis):
    async with opened_presence(redis.address, count_users=True) as manager:
        for number in range(3000):
            redis.call("ZADD", "p.presence.expire.news", 1, number)
        await manager.add("news", "c1", ALICE)
        assert await manager.presence_stats("news") == (1, 1)
        assert redis.call("ZCARD", "p.presence.expire.news") == 1


async def test_a_malformed_presence_entry_fails_the_call(redis):
    async with opened_presence(redis.address) as manager:
        redis.call("HSET", "p.presence.data.news", "c1", b"\xff")
        with pytest.raises(EngineUnavailable, match="malformed presence entry"):
            await manager.presence("news")


async def test_hash_field_ttl(tmp_path):  # 07-26
    redis = Redis(tmp_path, binary=new_binary())
    redis.start()
    async with opened_presence(redis.address, ttl=60, field_ttl=True, count_users=True) as manager:
        await manager.add("news", "c1", ALICE)
        assert sorted(redis.call("KEYS", "*")) == [b"p.presence.data.news", b"p.presence.user.clients.news"]
        assert redis.call("HTTL", "p.presence.data.news", "FIELDS", 1, "c1") == [60]
        assert redis.call("HTTL", "p.presence.user.clients.news", "FIELDS", 1, "alice") == [60]
        await manager.remove("news", "c1", "alice")
        assert redis.call("KEYS", "*") == []
    redis.stop()
