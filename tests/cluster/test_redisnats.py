"""Nodes whose streams are in Redis, and whose messages go over NATS (07 §16)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import nats as nats_client
import pytest

from fanjet.engines.proto import broker_pb2 as pb
from tests.support.redis import Redis
from tests.support.relay import Relay
from tests.support.server import ApiError, Server, merge
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.support.nats import Nats

PEER = os.environ.get("FANJET_TEST_PEER", "")
"""Command of another server, with `{config}`, to be the second node."""

OPEN = {
    f"allow_{action}_for_{who}": True
    for action in ("subscribe", "publish", "history")
    for who in ("client", "anonymous")
}
KEPT = {**OPEN, "history_size": 10, "history_ttl": "60s", "force_recovery": True}
CONFIG: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True, "channel_position_max_time_lag": "5s"},
    "enable_unreleased_features": True,
    "channel": {
        "without_namespace": OPEN,
        "namespaces": [{"name": "kept", **KEPT}, {"name": "patched", **KEPT, "allowed_delta_types": ["fossil"]}],
    },
}

Pair = tuple[Server, Server]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop()


def config_for(redis: Redis, nats: Nats, **settings: Any) -> dict[str, Any]:
    broker = {
        "enabled": True,
        "type": "redisnats",
        "redis": {"address": redis.address},
        "nats": {"url": nats.nats_url, **settings},
    }
    return merge(CONFIG, {"broker": broker})


@pytest.fixture(scope="module")
def nodes(redis: Redis, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    config = config_for(redis, nats)
    first = Server(config, tmp_path_factory.mktemp("first"))
    with patch.dict(os.environ, {"FANJET_TEST_SERVER": PEER} if PEER else {}):
        second = Server(config, tmp_path_factory.mktemp("second"))
    try:
        for server in (first, second):
            server.start()
        yield first, second
    finally:
        for server in (first, second):
            server.stop()


@pytest.fixture(params=["there", "back"])
def pair(request: pytest.FixtureRequest, nodes: Pair) -> Pair:
    """Both directions."""
    first, second = nodes
    return (first, second) if request.param == "there" else (second, first)


async def test_publications_cross_at_their_positions(pair: Pair, name: str) -> None:
    first, second = pair
    channel = f"kept:{name}"
    async with connected(first) as client:
        start = await client.subscribe(channel)
        for number in (1, 2):
            published = await second.api("publish", {"channel": channel, "data": number, "tags": {"t": "1"}})
            assert published == {"offset": number, "epoch": start["epoch"]}
            epoch = {"epoch": start["epoch"]} if number == 1 else {}
            assert (await client.push())["pub"] == {"data": number, "offset": number, "tags": {"t": "1"}} | epoch
        history = await first.api("history", {"channel": channel, "limit": 10})
        assert [each["offset"] for each in history["publications"]] == [1, 2]


async def test_what_was_missed_is_recovered_on_the_other_node(pair: Pair, name: str) -> None:
    first, second = pair
    channel = f"kept:{name}"
    async with connected(first) as client:
        start = await client.subscribe(channel)
    for number in (1, 2):
        await first.api("publish", {"channel": channel, "data": number})
    async with connected(second) as client:
        result = await client.subscribe(channel, recover=True, epoch=start["epoch"], offset=start.get("offset", 0))
        assert result["recovered"]
        assert [each["data"] for each in result["publications"]] == [1, 2]
        await first.api("publish", {"channel": channel, "data": 3})
        assert (await client.push())["pub"] == {"data": 3, "offset": 3}


async def test_a_wish_for_deltas_gets_full_publications(pair: Pair, name: str) -> None:
    first, second = pair
    channel = f"patched:{name}"
    async with connected(first) as client:
        await client.subscribe(channel, delta="fossil")
        for number in (1, 2):
            await second.api("publish", {"channel": channel, "data": {"x" * 20: number}, "delta": True})
            publication = (await client.push())["pub"]
            assert publication["offset"] == number
            assert not publication.get("delta")


async def test_a_repeated_key_is_delivered_once(pair: Pair, name: str) -> None:
    channel = f"kept:{name}"
    async with connected(pair[0]) as client:
        await client.subscribe(channel)
        request = {"channel": channel, "data": 1, "idempotency_key": "k"}
        first, second = [await server.api("publish", request) for server in pair]
        assert first == second
        await pair[0].api("publish", {"channel": channel, "data": 2})
        assert [(await client.push())["pub"]["data"] for _ in range(2)] == [1, 2]


async def test_a_repeated_key_without_history_is_delivered_once(nodes: Pair, name: str) -> None:
    here, there = nodes  # the other one may be a reference, which delivers nothing
    async with connected(there) as client:
        await client.subscribe(name)
        for _ in range(2):
            assert await here.api("publish", {"channel": name, "data": 1, "idempotency_key": "k"}) == {}
        await here.api("publish", {"channel": name, "data": 2})
        assert [(await client.push())["pub"]["data"] for _ in range(2)] == [1, 2]


async def test_nodes_know_each_other(pair: Pair) -> None:
    async def both() -> bool:
        return len((await pair[0].api("info"))["nodes"]) == 2

    await until(both)


async def test_what_travels_has_the_contract_s_bytes(pair: Pair, nats: Nats, name: str) -> None:
    first, _ = pair
    client = await nats_client.connect(nats.nats_url)
    channel = f"kept:{name}"
    heard = await client.subscribe(f"centrifugo.client.{channel}")
    await client.flush()
    published = await first.api("publish", {"channel": channel, "data": {"a": 1}, "tags": {"t": "1"}, "delta": True})
    data = (await heard.next_msg(10)).data
    push = pb.Push.FromString(data)
    assert (push.channel, push.pub.data, push.pub.offset, push.pub.time) == (channel, b'{"a": 1}', 1, 0)
    assert dict(push.pub.tags) == {"t": "1", "__centrifugo_epoch": published["epoch"]}
    assert push.pub.delta
    await client.close()


async def test_patterns_are_refused(pair: Pair) -> None:
    first, _ = pair
    with pytest.raises(ApiError) as failure:
        await first.api("publish", {"channel": "kept:*", "data": 1})
    assert failure.value.code == 100
    assert not (await first.api("history", {"channel": "kept:*", "limit": 1}))["publications"]


async def test_raw_subjects_carry_only_what_is_kept_nowhere(
    private_server: StartServer, redis: Redis, nats: Nats, name: str
) -> None:
    server = private_server(config_for(redis, nats, raw_mode={"enabled": True, "prefix": "raw."}))
    client = await nats_client.connect(nats.nats_url)
    heard = await client.subscribe("raw.>")
    await client.flush()
    assert (await server.api("publish", {"channel": f"kept:{name}", "data": 1}))["offset"] == 1
    await server.api("publish", {"channel": name, "data": 2, "idempotency_key": "k"})
    await server.api("publish", {"channel": name, "data": 3})
    message = await heard.next_msg(10)
    assert (message.subject, message.data) == (f"raw.{name}", b"3")
    await client.close()


async def test_it_is_a_feature_that_has_to_be_asked_for(private_server: StartServer, redis: Redis, nats: Nats) -> None:
    config = config_for(redis, nats)
    with pytest.raises(RuntimeError, match="redisnats broker requires enable_unreleased_features on"):
        private_server(merge(config, {"enable_unreleased_features": False}))
    assert "redisnats broker is not released" in private_server(config).log


async def test_who_missed_something_while_nats_was_away_is_told_when_it_is_back(
    nodes: Pair, redis: Redis, nats: Nats, name: str, tmp_path: Path
) -> None:
    channel = f"kept:{name}"
    async with Relay(nats.port) as relay:
        server = Server(config_for(redis, nats, url=f"nats://127.0.0.1:{relay.port}"), tmp_path)
        await asyncio.to_thread(server.start)
        async with connected(server) as client:
            start = await client.subscribe(channel)
            await relay.break_off()
            await nodes[0].api("publish", {"channel": channel, "data": 1})
            await relay.mend()
            assert (await client.push())["unsubscribe"]["code"] == 2500
            result = await client.subscribe(channel, recover=True, epoch=start["epoch"], offset=0)
            assert [each["data"] for each in result["publications"]] == [1]
        await asyncio.to_thread(server.stop)
