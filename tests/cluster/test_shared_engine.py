"""Two workers whose engine fails, as clients and operators see it (07 §11)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.support.family import SLOW, Family
from tests.support.following import Publisher, following
from tests.support.server import ApiError, Server
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.conftest import StartServer

OPEN = {
    "allow_subscribe_for_client": True,
    "allow_subscribe_for_anonymous": True,
    "allow_presence_for_client": True,
    "allow_presence_for_anonymous": True,
    "presence": True,
}
RECOVERED = OPEN | {"history_size": 1000, "history_ttl": "300s", "force_recovery": True}
CONFIG: dict[str, Any] = {
    "fanjet": {"workers": 2},
    "client": {"allow_anonymous_connect_without_token": True},
    "channel": {"without_namespace": RECOVERED, "namespaces": [{"name": "plain"} | OPEN]},
    "health": {"enabled": True},
}


@pytest.fixture
async def server(private_server: StartServer) -> Server:
    """Two workers and their engine."""
    started = private_server(CONFIG)
    await Family(started).complete()
    return started


async def is_ready(server: Server) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/health/ready") as response:
        return response.status == 200


async def test_subscribers_learn_of_a_new_engine_without_a_publication(server, name):
    family = Family(server)
    async with connected(server) as client:
        subscribed = await client.subscribe(name)
        killed = family.engine()
        family.kill(killed)
        push = await asyncio.wait_for(client.push(), SLOW)
        assert push["unsubscribe"]["code"] == 2500
        again = await client.subscribe(
            name, recover=True, epoch=subscribed["epoch"], offset=subscribed.get("offset", 0)
        )
        assert not again.get("recovered")
        assert again["epoch"] != subscribed["epoch"]


async def test_presence_is_back_with_a_new_engine(server, name):
    family, channel = Family(server), f"plain:{name}"
    async with connected(server) as client:
        await client.subscribe(channel)
        family.kill(family.engine())
        await family.logged("connected to the engine again", 2)
        assert len((await server.api("presence", {"channel": channel}))["presence"]) == 1


async def test_a_paused_engine_fails_calls_in_time_and_is_no_reason_to_miss_anything(server, name):
    family, publisher = Family(server), Publisher(server, name)
    async with following(server, name, 4) as followers:
        await publisher.publish()
        assert await is_ready(server)
        engine = family.engine()
        family.kill(engine, signal.SIGSTOP)
        with pytest.raises(ApiError, match="100"):
            await asyncio.wait_for(server.api("history", {"channel": name}), 20)

        async def is_not_ready() -> bool:
            return not await is_ready(server)

        await until(is_not_ready, SLOW)
        family.kill(engine, signal.SIGCONT)
        await until(lambda: is_ready(server), SLOW)
        await publisher.publish()

        async def have_all() -> bool:
            return all(set(publisher.acknowledged) <= set(follower.got) for follower in followers)

        await until(have_all, SLOW)
    assert len(publisher.acknowledged) == 2
    for follower in followers:
        assert not follower.unrecovered
        assert len(follower.got) == len(set(follower.got))


async def test_nodes_know_each_other_and_forget_who_is_killed(server):
    family = Family(server)

    async def uids() -> set[str]:
        return {node["uid"] for node in (await server.api("info"))["nodes"]}

    async def are_two() -> bool:
        return len(await uids()) == 2

    await until(are_two, SLOW)
    before = await uids()
    family.kill(family.worker(2))

    async def is_another() -> bool:
        with contextlib.suppress(aiohttp.ClientError):  # some ask the one that is killed
            return len(now := await uids()) == 2 and len(now & before) == 1
        return False

    await until(is_another, SLOW)
    assert (await server.api("channels"))["channels"] == {}
