"""Pings, pongs and what happens without them (01 §5.4, 02 §5, §6.6)."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.conversation import PATIENCE
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

LATE = 0.5
"""Seconds by which a busy machine may be late."""
ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_pings_come_on_time_on_a_busy_connection_too(quick: Server, is_protobuf: bool) -> None:  # 01-25, 01-22
    async with opened(quick, is_protobuf=is_protobuf) as client:
        result = await client.connect()
        assert (result["ping"], result["pong"]) == (1, True)
        connected_at, busy = now(), True

        async def chatter() -> None:
            while busy:
                await client.call(unsubscribe={"channel": "x"})
                await asyncio.sleep(0.02)

        chatting = asyncio.create_task(chatter())
        times = [await client.ping() for _ in range(3)]
        busy = False
        await chatting
        assert 0.45 <= times[0] - connected_at <= 1 + LATE
        assert all(0.9 <= later - earlier <= 1 + LATE for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_without_a_pong_the_connection_ends(quick: Server, is_protobuf: bool) -> None:  # 01-24, 02-15
    async with connected(quick, is_protobuf=is_protobuf, answers_pings=False) as client:
        pinged = await client.ping()
        assert client.frames[-1] == (b"\0" if is_protobuf else "{}")
        await client.call(unsubscribe={"channel": "a command is no pong"})
        assert await client.closed() == (3012, "no pong")
        assert 0.35 <= now() - pinged <= 0.4 + LATE


async def test_one_ping_takes_one_pong(quick: Server) -> None:  # 01-24
    async with connected(quick, answers_pings=False) as client:
        await client.ping()
        await client.pong()
        await client.pong()
        assert await client.closed() == (3501, "bad request")


async def test_nobody_is_lost_by_a_server_that_was_stopped_for_a_while(private_server: StartServer) -> None:
    settings = {"allow_anonymous_connect_without_token": True, "ping_interval": "1500ms", "pong_timeout": "1s"}
    server = private_server({"client": settings})
    async with connected(server, answers_pings=False) as client:
        await client.ping()
        os.kill(server.pid, signal.SIGSTOP)
        await client.pong()
        await asyncio.sleep(3.2)
        os.kill(server.pid, signal.SIGCONT)
        for _ in range(2):
            await client.ping()
            await asyncio.sleep(0.2)  # as far away as clients are
            await client.pong()
        await client.call(unsubscribe={"channel": "x"})


async def test_pings_and_pongs_may_be_switched_off(private_server: StartServer) -> None:  # 02-44
    client_config: dict[str, Any] = {"allow_anonymous_connect_without_token": True}
    server = private_server({"client": {**client_config, "ping_interval": "-1s", "pong_timeout": "-2s"}})
    async with opened(server) as client:
        assert (await client.connect()).keys() == {"client", "version"}


async def test_without_pong_timeout_pings_need_no_answer(private_server: StartServer) -> None:  # 01 5.4
    client_config: dict[str, Any] = {"allow_anonymous_connect_without_token": True}
    server = private_server({"client": {**client_config, "ping_interval": "0.3s", "pong_timeout": "-1s"}})
    async with opened(server, answers_pings=False) as client:
        assert (await client.connect()).keys() == {"client", "version"}  # less than a second is not announced
        await client.ping()
        await client.ping()
        await client.pong()  # taken while a ping is unanswered
        await client.ping()


async def test_a_client_may_ask_for_websocket_pings(quick: Server) -> None:  # 02-16
    async with opened(quick, query="?cf_ws_frame_ping_pong=true") as client:
        assert (await client.connect()).keys() == {"client", "version"}
        pings = ping_frames(client.socket)
        assert await asyncio.wait_for(pings.get(), PATIENCE)
        await asyncio.wait_for(pings.get(), PATIENCE)
        await client.call(unsubscribe={"channel": "still there"})
        assert client.frames[-1] == '{"id":2,"unsubscribe":{}}'


def ping_frames(socket: Any) -> asyncio.Queue[bool]:
    """Tell of each ping frame that the library answers."""
    seen: asyncio.Queue[bool] = asyncio.Queue()
    receive = socket.protocol.recv_frame

    def recv_frame(frame: Any) -> None:
        if frame.opcode.name == "PING":
            seen.put_nowait(True)
        receive(frame)

    socket.protocol.recv_frame = recv_frame
    return seen


async def test_a_client_that_answers_no_websocket_ping_is_dropped(quick: Server) -> None:  # 02 6.6
    async with opened(quick, query="?cf_ws_frame_ping_pong=true") as client:
        await client.connect()
        client.socket.protocol.recv_frame = lambda frame: None  # type: ignore[method-assign]
        started = now()
        assert await client.closed() == (1006, "")
        assert now() - started <= 1.4 + 1 + LATE
