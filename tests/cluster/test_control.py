"""Two nodes that tell and ask each other, over every controller there is (07 §14, §18, §22.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.redis import Redis
from tests.support.server import Server
from tests.support.stream_client import stream_opened
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.nats import Nats
    from tests.support.postgres import Postgres

OPEN = {"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}
CONFIG: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True},
    "http_stream": {"enabled": True},
    "channel": {"without_namespace": OPEN},
}


def engines_for(
    controller: str, nats: Nats, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The sections of the configuration."""
    if controller == "nats broker":
        yield {"broker": {"enabled": True, "type": "nats", "nats": {"url": nats.nats_url}}}
    elif controller == "nats":
        yield {"controller": {"enabled": True, "type": "nats", "nats": {"url": nats.nats_url, "prefix": "apart"}}}
    elif controller == "redis":
        redis = Redis(tmp_path_factory.mktemp("redis"))
        redis.start()
        yield {"controller": {"enabled": True, "type": "redis", "redis": {"address": redis.address}}}
        redis.stop()
    else:
        notify = controller == "postgres with notifications"
        settings = {"poll_interval": "60s", "use_notify": True, "num_shards": 2} if notify else {}
        settings |= {"dsn": postgres.dsn, "table_prefix": f"{'notified' if notify else 'polled'}"}
        yield {"controller": {"enabled": True, "type": "postgres", "postgres": settings}}


@pytest.fixture(scope="module", params=["nats broker", "nats", "redis", "postgres", "postgres with notifications"])
def pair(
    request: pytest.FixtureRequest, nats: Nats, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    for engines in engines_for(request.param, nats, postgres, tmp_path_factory):
        servers = tuple(Server(CONFIG | engines, tmp_path_factory.mktemp(name)) for name in ("a", "b"))
        for server in servers:
            server.start()
        yield servers
        for server in servers:
            server.stop()


async def both_known(server: Server) -> bool:
    return len((await server.api("info"))["nodes"]) >= 2


async def alone(server: Server) -> bool:
    return len((await server.api("info"))["nodes"]) == 1


@pytest.fixture(autouse=True)
async def _both_are_known(pair: tuple[Server, Server]) -> None:
    for server in pair:
        await until(lambda server=server: both_known(server))


async def test_nodes_know_each_other(pair: tuple[Server, Server]) -> None:
    uids = [sorted(node["uid"] for node in (await one.api("info"))["nodes"]) for one in pair]
    assert uids[0] == uids[1]


async def test_operations_cross(pair: tuple[Server, Server], name: str) -> None:
    first, second = pair
    async with connected(second, token(name)) as client:
        await first.api("subscribe", {"user": name, "channel": "made", "data": {"d": 1}})
        assert (await client.push())["subscribe"] == {"data": {"d": 1}}
        await second.api("publish", {"channel": "made", "data": 1})
        assert (await client.push())["pub"]["data"] == 1
        await first.api("unsubscribe", {"user": name, "channel": "made"})
        assert (await client.push())["unsubscribe"] == {"code": 2000, "reason": "server unsubscribe"}
        await first.api("refresh", {"user": name, "expire_at": 4_000_000_000})
        assert (await client.push())["refresh"]["expires"]
        await first.api("disconnect", {"user": name, "disconnect": {"code": 4001, "reason": "bye"}})
        assert await client.closed() == (4001, "bye")


async def test_whoever_is_on_the_whitelist_stays(pair: tuple[Server, Server], name: str) -> None:
    first, second = pair
    async with connected(second, token(name)) as stays, connected(second, token(name)) as goes:
        await first.api("disconnect", {"user": name, "whitelist": [stays.client_id]})
        assert (await goes.closed())[0] == 3503
        await stays.subscribe(name)


async def test_channels_are_counted_over_all_nodes(pair: tuple[Server, Server], name: str) -> None:
    first, second = pair
    async with connected(first) as one, connected(second) as two, connected(second) as three:
        for client in (one, two, three):
            await client.subscribe(name)
        assert (await first.api("channels", {"pattern": name}))["channels"] == {name: {"num_clients": 3}}


async def test_commands_go_to_the_node_that_holds_the_session(pair: tuple[Server, Server], name: str) -> None:  # 02-28
    first, second = pair
    async with stream_opened(first, "http_stream") as client:
        await client.connect()
        client.url = second.url  # what comes next goes to the other node
        await client.subscribe(name)
        await first.api("publish", {"channel": name, "data": 1})
        assert (await client.push())["pub"]["data"] == 1


async def test_a_node_that_stops_takes_its_leave_and_is_back_when_it_starts(pair: tuple[Server, Server]) -> None:
    first, second = pair
    second.stop()
    await until(lambda: alone(first))  # sooner than a node would be forgotten that says nothing
    second.start()
    await until(lambda: both_known(first))
