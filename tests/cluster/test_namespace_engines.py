"""Namespaces with a broker and a presence manager of their own (07 §22.1)."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.metrics import scrape
from tests.support.redis import Redis
from tests.support.server import ApiError, Server, merge
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartServer
    from tests.support.nats import Nats

OPEN = {
    f"allow_{action}_for_{who}": True
    for action in ("subscribe", "publish", "history", "presence")
    for who in ("client", "anonymous")
}
KEPT = {**OPEN, "history_size": 10, "history_ttl": "60s", "force_recovery": True, "presence": True}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop()


def config_for(redis: Redis, nats: Nats) -> dict[str, Any]:
    return {
        "client": {"allow_anonymous_connect_without_token": True},
        "prometheus": {"enabled": True},
        "health": {"enabled": True},
        "brokers": [
            {"name": "streams", "enabled": True, "type": "redis", "redis": {"address": redis.address, "prefix": "s"}},
            {"name": "light", "enabled": True, "type": "nats", "nats": {"url": nats.nats_url, "prefix": "n"}},
        ],
        "presence_managers": [
            {"name": "people", "enabled": True, "type": "redis", "redis": {"address": redis.address, "prefix": "p"}}
        ],
        "channel": {
            "without_namespace": KEPT,
            "namespaces": [
                {"name": "streams", **KEPT, "broker_name": "streams", "presence_manager_name": "people"},
                {"name": "light", **OPEN, "broker_name": "light", "presence": True},
            ],
        },
    }


@pytest.fixture(scope="module")
def pair(redis: Redis, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    servers = tuple(Server(config_for(redis, nats), tmp_path_factory.mktemp(name)) for name in ("a", "b"))
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()


async def test_publications_go_through_the_broker_that_is_named(pair: tuple[Server, Server], name: str) -> None:
    first, second = pair
    async with connected(first) as here:
        for namespace in ("streams", "light"):
            channel = f"{namespace}:{name}"
            await here.subscribe(channel)
            await second.api("publish", {"channel": channel, "data": namespace})
            assert (await here.push())["pub"]["data"] == namespace
        await here.subscribe(name)
        await second.api("publish", {"channel": name, "data": "in the memory of the other node"})
        await first.api("publish", {"channel": name, "data": "here"})
        assert (await here.push())["pub"]["data"] == "here"


async def test_what_is_kept_is_where_the_namespace_says(pair: tuple[Server, Server], redis: Redis, name: str) -> None:
    first, second = pair
    for channel in (f"streams:{name}", name):
        await first.api("publish", {"channel": channel, "data": 1})
    assert sorted(redis.call("KEYS", f"*{name}")) == [
        f"s.stream.meta.streams:{name}".encode(),
        f"s.stream.streams:{name}".encode(),
    ]
    histories = [
        (await server.api("history", {"channel": channel, "limit": 10}))["publications"]
        for channel in (f"streams:{name}", name)
        for server in (first, second)
    ]
    assert [len(history) for history in histories] == [1, 1, 1, 0]
    with pytest.raises(ApiError):
        await first.api("history", {"channel": f"light:{name}", "limit": 1})


async def test_presence_is_where_the_namespace_says(pair: tuple[Server, Server], redis: Redis, name: str) -> None:
    first, second = pair
    async with connected(first) as client:
        for channel in (f"streams:{name}", f"light:{name}", name):
            await client.subscribe(channel)
        assert sorted(redis.call("KEYS", f"p.presence.*{name}")) == [
            f"p.presence.{kind}.streams:{name}".encode() for kind in ("data", "expire")
        ]
        seen = [
            (await second.api("presence_stats", {"channel": channel}))["num_clients"]
            for channel in (f"streams:{name}", f"light:{name}", name)
        ]
        assert seen == [1, 0, 0]

    async def gone() -> bool:
        return not redis.call("KEYS", f"p.presence.*{name}")

    await until(gone)


async def test_control_messages_stay_with_the_default(pair: tuple[Server, Server]) -> None:
    for server in pair:
        assert len((await server.api("info"))["nodes"]) == 1


async def test_metrics_tell_brokers_apart(pair: tuple[Server, Server]) -> None:
    page = await scrape(pair[0])
    silent = {dict(labels)["broker_name"] for name, labels in page.numbers if name == "fanjet_engine_silence_seconds"}
    assert silent == {"streams", "light"}


async def test_a_reload_moves_a_namespace_to_another_broker(
    private_server: StartServer, redis: Redis, nats: Nats, name: str
) -> None:
    server = private_server(config_for(redis, nats))
    channel = f"streams:{name}"
    async with connected(server) as client:
        epoch = (await client.subscribe(channel))["epoch"]
        path = server.folder / "config.json"
        config = json.loads(path.read_text())
        del config["channel"]["namespaces"][0]["broker_name"]
        path.write_text(json.dumps(config))
        os.kill(server.pid, signal.SIGHUP)

        async def moved() -> bool:
            return (await server.api("publish", {"channel": channel, "data": 1}))["epoch"] != epoch

        await until(moved)
        await client.call(unsubscribe={"channel": channel})

        async def let_go() -> bool:
            return redis.call("PUBSUB", "NUMSUB", f"s.client.{channel}")[1] == 0

        await until(let_go)


async def test_who_subscribes_after_a_move_hears_what_is_published_then(
    private_server: StartServer, redis: Redis, nats: Nats, name: str
) -> None:
    """Beside subscribers from before, who are told to subscribe anew."""
    config = config_for(redis, nats)
    moved = config["channel"]["namespaces"][0]
    broker = moved.pop("broker_name")
    server = private_server(config)
    channel = f"streams:{name}"
    async with connected(server) as early, connected(server) as late:
        epoch = (await early.subscribe(channel))["epoch"]
        moved["broker_name"] = broker
        (server.folder / "config.json").write_text(json.dumps(merge(server.config, config)))
        os.kill(server.pid, signal.SIGHUP)
        assert (await early.push())["unsubscribe"]["code"] == 2500
        for client in (late, early):
            assert (await client.subscribe(channel))["epoch"] != epoch
        await server.api("publish", {"channel": channel, "data": 1})
        for client in (late, early):
            assert (await client.publication())["data"] == 1


async def test_a_reload_to_a_broker_that_is_not_open_is_refused(
    private_server: StartServer, redis: Redis, nats: Nats, name: str
) -> None:
    server = private_server(config_for(redis, nats))
    path = server.folder / "config.json"
    config = json.loads(path.read_text())
    config["brokers"].append(config["brokers"][0] | {"name": "late"})
    config["channel"]["namespaces"][0]["broker_name"] = "late"
    path.write_text(json.dumps(config))
    os.kill(server.pid, signal.SIGHUP)

    async def refused() -> bool:
        return "broker_name: the server started without one with the name late" in server.log

    await until(refused)
    await server.api("publish", {"channel": f"streams:{name}", "data": 1})
    assert redis.call("EXISTS", f"s.stream.streams:{name}") == 1
