"""Spreading the disconnects of a shutdown over time (extension: fanjet.drain_time)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import OPEN
from tests.acceptance.launching import accepts_connections, logged
from tests.support.server import merge
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer

CLIENTS = 40
DRAIN_SECONDS = 2.0
DRAINING: dict[str, Any] = merge(OPEN, {"fanjet": {"drain_time": f"{DRAIN_SECONDS}s"}, "health": {"enabled": True}})


async def test_clients_are_sent_away_one_after_the_other(private_server: StartServer) -> None:
    server = private_server(DRAINING)
    ended: list[float] = []

    async def note_end(client: Any) -> None:
        assert await client.closed() == (3001, "shutdown")
        ended.append(time.monotonic())

    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server)) for _ in range(CLIENTS)]
        noting = [asyncio.create_task(note_end(client)) for client in clients]
        began = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        await asyncio.gather(*noting)
    spread = [end - began for end in sorted(ended)]
    assert spread[-1] >= DRAIN_SECONDS * 0.9
    assert spread[CLIENTS // 2] >= DRAIN_SECONDS * 0.4  # they cannot come sooner, only later on a busy machine
    assert len({round(end, 1) for end in spread}) >= 5


async def test_while_draining_nobody_else_is_let_in_and_what_there_is_works(private_server: StartServer) -> None:
    server = private_server(merge(DRAINING, {"fanjet": {"drain_time": "20s"}}))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with connected(server) as first, connected(server) as last, opened(server) as silent:
        await first.subscribe("a")
        await last.subscribe("a")
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        await logged(server, "draining")
        assert not accepts_connections(server)
        writer.write(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
        assert (await silent.closed())[0] == 3001  # who has not said who he is need not be spread
        ended, waiting = await asyncio.wait(
            [asyncio.create_task(each.socket.wait_closed(), name=each.client_id) for each in (first, last)],
            return_when=asyncio.FIRST_COMPLETED,
        )
        [left] = [each for each in (first, last) if each.client_id not in {task.get_name() for task in ended}]
        await left.call(presence_stats={"channel": "a"})
        for task in waiting:
            task.cancel()
    writer.close()
    await asyncio.to_thread(server.process.wait)


@pytest.mark.parametrize("clients", [0, 3])
async def test_a_shutdown_ends_as_soon_as_nobody_is_left(private_server: StartServer, clients: int) -> None:
    server = private_server(merge(DRAINING, {"fanjet": {"drain_time": "29s"}}))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(clients):
            await stack.enter_async_context(connected(server))
    began = time.monotonic()
    assert await asyncio.to_thread(server.stop) == 0
    assert time.monotonic() - began < 25
