"""Two nodes on one Redis, in every form it has (07 §4-§14)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from tests.support.redis import Installations
from tests.support.server import Server, merge
from tests.support.stream_client import stream_opened
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.wire_client import WireClient

PEER = os.environ.get("FANJET_TEST_PEER", "")
"""Command of another server, with `{config}`, to be the second node."""

OPEN = {
    "allow_subscribe_for_client": True,
    "allow_publish_for_client": True,
    "allow_presence_for_client": True,
    "allow_history_for_client": True,
    "allow_subscribe_for_anonymous": True,
    "allow_publish_for_anonymous": True,
    "allow_presence_for_anonymous": True,
    "allow_history_for_anonymous": True,
    "presence": True,
}
KEPT = {"history_size": 10, "history_ttl": "60s"}
CONFIG: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True},
    "http_stream": {"enabled": True},
    "channel": {
        "without_namespace": OPEN,
        "namespaces": [
            {"name": "joins", **OPEN, "join_leave": True, "force_push_join_leave": True},
            {"name": "kept", **OPEN, **KEPT, "force_recovery": True},
            {"name": "patched", **OPEN, **KEPT, "force_recovery": True, "allowed_delta_types": ["fossil"]},
        ],
    },
}

Pair = tuple[Server, Server]


@pytest.fixture(scope="module")
def installations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installations]:
    installations = Installations(tmp_path_factory.mktemp)
    yield installations
    installations.stop()


FORMS: dict[str, dict[str, Any]] = {
    "single": {},
    "single-lists": {"history_use_lists": True},
    "shards": {},
    "cluster": {},
    "sentinel": {},
    "new cluster-partitions": {"sharded_pub_sub_partitions": 8},
}
"""Forms of Redis, with further settings."""


@pytest.fixture(scope="module", params=FORMS)
def nodes(
    request: pytest.FixtureRequest, installations: Installations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Two servers on the same Redis."""
    if PEER and "partitions" in request.param:
        pytest.skip("the other server has no sharded PUB/SUB")
    redis = installations.config(request.param.partition("-")[0]) | FORMS[request.param]
    config = merge(CONFIG, {"engine": {"type": "redis", "redis": redis}})
    first = Server(config, tmp_path_factory.mktemp("first"))
    with patch.dict(os.environ, {"FANJET_TEST_SERVER": PEER} if PEER else {}):
        second = Server(config, tmp_path_factory.mktemp("second"))
    for server in (first, second):
        server.start()
    yield first, second
    for server in (first, second):
        server.stop()


@pytest.fixture(params=["there", "back"])
def pair(request: pytest.FixtureRequest, nodes: Pair) -> Pair:
    """Both directions."""
    first, second = nodes
    return (first, second) if request.param == "there" else (second, first)


async def known(server: Server) -> list[str]:
    return sorted(node["uid"] for node in (await server.api("info"))["nodes"])


async def test_nodes_know_each_other(pair: Pair) -> None:  # 07-32
    async def agree() -> bool:
        first, second = [await known(server) for server in pair]
        return len(first) == 2 and first == second

    await until(agree)


async def test_publications_and_joins_cross(pair: Pair, name: str) -> None:
    first, second = pair
    channel = f"joins:{name}"
    async with connected(first) as here:
        await here.subscribe(channel)
        assert (await here.push())["join"]["info"]["client"] == here.client_id
        async with connected(second, token(name), is_protobuf=True) as there:
            await there.subscribe(channel)
            assert (await here.push())["join"]["info"] == {"user": name, "client": there.client_id}
            await second.api("publish", {"channel": channel, "data": {"by": "api"}, "tags": {"t": "1"}})
            assert (await here.push())["pub"] == {"data": {"by": "api"}, "tags": {"t": "1"}}
            pushes = await pushes_until_publication(there)
            assert json.loads(pushes.pop()["pub"]["data"]) == {"by": "api"}
            joined = [push["join"]["info"]["client"] for push in pushes]
            assert there.client_id in joined
            assert set(joined) <= {here.client_id, there.client_id}  # a cluster may be slow to tell of the one before
            await there.call(publish={"channel": channel, "data": b'"by client"'})
            publication = (await here.push())["pub"]
            assert publication == {"data": "by client", "info": {"user": name, "client": there.client_id}}
        assert (await here.push())["leave"]["info"]["client"] == there.client_id


async def pushes_until_publication(client: WireClient) -> list[dict[str, Any]]:
    pushes = [await client.push()]
    while "pub" not in pushes[-1]:
        pushes.append(await client.push())
    return pushes


async def test_history_is_one_for_all(pair: Pair, name: str) -> None:  # 07-8, 07-9, 07-11, 07-13
    first, second = pair
    channel = f"kept:{name}"
    positions = [await server.api("publish", {"channel": channel, "data": 1}) for server in (first, second, first)]
    assert [position["offset"] for position in positions] == [1, 2, 3]
    epoch = positions[0]["epoch"]
    assert {position["epoch"] for position in positions} == {epoch}
    for server in pair:
        history = await server.api("history", {"channel": channel, "limit": -1})
        assert [each["offset"] for each in history["publications"]] == [1, 2, 3]
        assert (history["offset"], history["epoch"]) == (3, epoch)
        since = {"offset": 1, "epoch": epoch}
        history = await server.api("history", {"channel": channel, "limit": 1, "since": since})
        assert [each["offset"] for each in history["publications"]] == [2]
    await second.api("history_remove", {"channel": channel})
    assert (await first.api("history", {"channel": channel, "limit": -1}))["publications"] == []
    assert (await first.api("publish", {"channel": channel, "data": 1})) == {"offset": 4, "epoch": epoch}


async def test_what_was_missed_on_one_node_is_recovered_on_the_other(pair: Pair, name: str) -> None:
    first, second = pair
    channel = f"kept:{name}"
    async with connected(first) as client:
        start = await client.subscribe(channel)
    for number in range(3):
        await first.api("publish", {"channel": channel, "data": number})
    async with connected(second) as client:
        result = await client.subscribe(channel, recover=True, epoch=start["epoch"], offset=start.get("offset", 0))
        assert result["recovered"]
        assert [each["data"] for each in result["publications"]] == [0, 1, 2]
        await first.api("publish", {"channel": channel, "data": 3})
        assert (await client.push())["pub"] == {"data": 3, "offset": 4}


async def test_the_first_publication_tells_the_epoch(pair: Pair, name: str) -> None:
    first, second = pair
    channel = f"kept:{name}"
    async with connected(first) as client:
        epoch = (await client.subscribe(channel))["epoch"]
        for number in (1, 2):
            await second.api("publish", {"channel": channel, "data": number})
        assert (await client.push())["pub"] == {"data": 1, "offset": 1, "epoch": epoch}
        assert (await client.push())["pub"] == {"data": 2, "offset": 2}


async def test_patches_cross(pair: Pair, name: str) -> None:
    first, second = pair
    channel = f"patched:{name}"
    rows = {str(number): "x" * 20 for number in range(20)}
    async with connected(first) as client:
        await client.subscribe(channel, delta="fossil")
        for number in range(3):
            await second.api("publish", {"channel": channel, "data": rows | {"0": number}, "delta": True})
        publications = [(await client.push())["pub"] for _ in range(3)]
    assert [publication["offset"] for publication in publications] == [1, 2, 3]
    assert [publication.get("delta", False) for publication in publications] == [False, True, True]
    assert len(json.dumps(publications[2])) < len(json.dumps(rows)) / 2


async def test_keys_of_publications_count_for_all(pair: Pair, name: str) -> None:  # 07-16
    first, second = pair
    for channel in (f"kept:{name}", name):
        request = {"channel": channel, "data": 1, "idempotency_key": "k"}
        assert await first.api("publish", request) == await second.api("publish", request)
    assert len((await first.api("history", {"channel": f"kept:{name}", "limit": -1}))["publications"]) == 1


async def test_presence_is_one_for_all(pair: Pair, name: str) -> None:  # 07-26
    first, second = pair
    async with connected(first, token("alice")) as one, connected(second, token("alice")) as two:
        await one.subscribe(name)
        await two.subscribe(name)
        for server in pair:
            presence = (await server.api("presence", {"channel": name}))["presence"]
            assert presence == {each.client_id: {"user": "alice", "client": each.client_id} for each in (one, two)}
            stats = await server.api("presence_stats", {"channel": name})
            assert stats == {"num_clients": 2, "num_users": 1}

    async def empty() -> bool:
        return not (await second.api("presence", {"channel": name}))["presence"]

    await until(empty)


async def test_operations_cross(pair: Pair, name: str) -> None:  # 07-33
    first, second = pair
    async with connected(second, token(name)) as client, connected(second, token(name)) as spared:
        await first.api("subscribe", {"user": name, "client": client.client_id, "channel": name})
        assert "subscribe" in await client.push()
        await first.api("publish", {"channel": name, "data": 1})
        assert (await client.push())["pub"]["data"] == 1
        await first.api("unsubscribe", {"user": name, "channel": name})
        assert (await client.push())["unsubscribe"] == {"code": 2000, "reason": "server unsubscribe"}
        await first.api("refresh", {"user": name, "client": client.client_id, "expire_at": 4_000_000_000})
        assert (await client.push())["refresh"]["expires"]
        order = {"user": name, "disconnect": {"code": 4001, "reason": "bye"}, "whitelist": [spared.client_id]}
        await first.api("disconnect", order)
        assert await client.closed() == (4001, "bye")
        await spared.subscribe(name)


async def test_channels_are_counted_over_all_nodes(pair: Pair, name: str) -> None:  # 07-34
    first, second = pair
    async with connected(first) as one, connected(second) as two, connected(second) as three:
        for client in (one, two, three):
            await client.subscribe(name)
        assert (await first.api("channels", {"pattern": name}))["channels"] == {name: {"num_clients": 3}}


async def test_commands_go_to_the_node_that_holds_the_session(pair: Pair, name: str) -> None:  # 07-35
    first, second = pair
    async with stream_opened(first, "http_stream") as client:
        await client.connect()
        client.url = second.url  # what comes next goes to the other node
        await client.subscribe(name)
        await second.api("publish", {"channel": name, "data": 1})
        assert (await client.push())["pub"]["data"] == 1
