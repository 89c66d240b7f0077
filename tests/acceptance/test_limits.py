"""Admission, and clients that take too much (01 §5.7, 02 §11, §14)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import websockets

from tests.acceptance.configs import OPEN
from tests.support.stalling_client import StallingClient
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import WireClient, connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

ANONYMOUS = {"allow_anonymous_connect_without_token": True}
TAKEN_EARLIER = 9000
"""Bytes of one payload, below the limit of the queue."""


def narrow(**client: Any) -> dict[str, Any]:
    """A server whose clients may have ten thousand bytes waiting."""
    return {**OPEN, "client": {**ANONYMOUS, "queue_max_size": 10000, **client}}


async def flood(server: Server, channel: str, reader: WireClient, *, megabytes: int) -> None:
    """Publish more than a socket holds, and see that someone who reads gets everything."""
    for number in range(megabytes * 1000000 // TAKEN_EARLIER):
        await server.api("publish", {"channel": channel, "data": f"{number}:" + "x" * TAKEN_EARLIER})
        assert str((await reader.publication())["data"]).startswith(f"{number}:")


@pytest.mark.parametrize("namespace", [pytest.param("", id="01-48-02-43"), pytest.param("long:", id="with-history")])
async def test_who_does_not_read_is_closed_and_others_do_not_notice(
    shared_server: StartServer, name: str, namespace: str
) -> None:
    server = shared_server(narrow())
    channel = namespace + name
    async with StallingClient(server) as slow, connected(server) as reader:
        await slow.send({"id": 1, "connect": {}}, {"id": 2, "subscribe": {"channel": channel}})
        await reader.subscribe(channel)
        await flood(server, channel, reader, megabytes=8)
        assert await slow.ended() in {3008, None}
        assert await subscribers(server, channel) == 1


async def test_a_message_larger_than_the_queue_closes_too(shared_server: StartServer, name: str) -> None:  # 01 5.7
    server = shared_server(narrow())
    async with connected(server) as client, connected(server) as other:
        await client.subscribe(name)
        await server.api("publish", {"channel": name, "data": "x" * 20000})
        assert await client.closed() == (3008, "slow")
        await other.subscribe(f"{name}-2")


async def test_a_blocked_client_is_given_up_after_the_write_timeout(  # 02 4.2, 14
    private_server: StartServer, name: str
) -> None:
    without_limit = {**ANONYMOUS, "queue_max_size": -1}
    server = private_server({**OPEN, "client": without_limit, "websocket": {"write_timeout": "300ms"}})
    async with StallingClient(server) as slow, connected(server, token(name)) as reader:
        await slow.send({"id": 1, "connect": {}}, {"id": 2, "subscribe": {"channel": name}})
        await reader.subscribe(name)
        for _ in range(80):
            await server.api("publish", {"channel": name, "data": "x" * 100000})
            await reader.publication()

        async def alone() -> bool:
            return await subscribers(server, name) == 1

        await until(alone)
        assert await slow.ended() is None


async def test_one_connected_client_may_be_the_limit(private_server: StartServer) -> None:  # 02-39
    server = private_server({"client": {**ANONYMOUS, "connection_limit": 1}, "init": {"enabled": True}})
    async with opened(server) as waiting:  # only who has connected counts
        async with connected(server):
            assert await refused(server) == (503, b"")
            await waiting.connect()
            assert await refused(server) == (503, b"")
        assert await refused(server) == (503, b"")

    async def empty() -> bool:
        return int((await server.api("info"))["nodes"][0]["num_clients"]) == 0

    await until(empty)
    async with connected(server):
        pass


async def subscribers(server: Server, channel: str) -> int:
    channels = (await server.api("channels", {"pattern": channel}))["channels"]
    return int(channels[channel]["num_clients"])


async def refused(server: Server) -> tuple[int, bytes]:
    """Status and body with which an upgrade is refused."""
    with pytest.raises(websockets.InvalidStatus) as failure:
        async with opened(server):
            pass
    response = failure.value.response
    return response.status_code, bytes(response.body or b"")


async def test_so_many_connections_a_second(private_server: StartServer) -> None:  # 02-40, d13
    server = private_server({"client": {**ANONYMOUS, "connection_rate_limit": 3}})

    async def check() -> None:
        began = time.monotonic()
        admitted = [await attempt(server) for _ in range(8)].count(101)
        refilled = int(3 * (time.monotonic() - began)) + 1  # on a busy machine the attempts take their time
        assert 3 <= admitted <= 3 + refilled

    await check()
    await asyncio.sleep(1.05)
    await check()


async def attempt(server: Server) -> int:
    try:
        async with opened(server):
            return 101
    except websockets.InvalidStatus as failure:
        return failure.response.status_code


async def test_ten_thousand_pipelined_commands_are_answered_in_order(server: Server, name: str) -> None:
    async with connected(server) as client:
        for start in range(0, 10000, 500):
            commands = ({"id": start + n + 1, "unsubscribe": {"channel": name}} for n in range(500))
            await client.send(*commands)
        assert [(await client.receive())["id"] for _ in range(10000)] == list(range(1, 10001))
