"""How a server goes down, seen by clients and by who started it (02 §15)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import OPEN
from tests.support.stalling_client import StallingClient
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer


SOON = 20
"""Seconds: less than the timeout, after which the process ends anyway, and as many as a busy machine may need."""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_every_client_is_told_and_the_process_ends_well(  # 01-49, 02-52
    private_server: StartServer, name: str, how: signal.Signals
) -> None:
    server = private_server(OPEN)
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connected(server, is_protobuf=is_protobuf))
            for is_protobuf in (False, True) * 20
        ]
        for client in clients:
            await client.subscribe(f"joins:{name}")
        began = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop, how))
        assert {await client.closed() for client in clients} == {(3001, "shutdown")}
        assert await stopping == 0
        assert time.monotonic() - began < SOON


async def test_who_has_not_connected_yet_is_sent_away_too(private_server: StartServer) -> None:  # 02 15
    server = private_server(OPEN)
    async with opened(server) as client:
        began = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert (await client.closed())[0] in {3001, 1006}
        assert time.monotonic() - began < SOON


async def test_after_the_timeout_the_process_ends_without_waiting(private_server: StartServer) -> None:  # 02-52
    config: dict[str, Any] = {**OPEN, "shutdown": {"timeout": "300ms"}}
    server = private_server(config)
    async with StallingClient(server) as client:
        await client.send({"id": 1, "connect": {}})
        async with connected(server):
            assert await asyncio.to_thread(server.stop) == 1
    assert "shutdown timeout reached" in server.log
