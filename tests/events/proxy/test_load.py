"""Many who wait for the backend cost nobody else anything."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from tests.events.proxy.configs import proxied
from tests.support.backend import Held, never
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Backend

MANY = 1000
PATIENT = {"client": {"proxy": {"connect": {"timeout": "60s"}}, "stale_close_delay": "60s"}}


async def test_a_thousand_clients_connect_while_the_backend_hangs(
    private_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = private_server(proxied(base, PATIENT))
    held = Held({"result": {"user": name, "channels": [f"open:{name}"]}})
    backend.on("connect", held)
    async with asyncio.timeout(100), AsyncExitStack() as stack:
        clients = await asyncio.gather(*(stack.enter_async_context(opened(server)) for _ in range(MANY)))
        connects = [asyncio.create_task(client.connect()) for client in clients]
        await backend.wait_for("connect", MANY)
        started = time.monotonic()
        async with connected(server, token("7")) as other:
            await other.call(publish={"channel": f"any:{name}", "data": 1})
        assert time.monotonic() - started < 2
        held.released.set()
        await asyncio.gather(*connects)
        assert (await server.api("presence_stats", {"channel": f"open:{name}"}))["num_clients"] == MANY


async def test_those_who_go_away_meanwhile_leave_nothing(
    private_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = private_server(proxied(base, {"rpc": {"proxy": {"timeout": "60s"}}, "client": {"concurrency": 2}}))
    backend.on("rpc", never)
    async with asyncio.timeout(60):
        async with AsyncExitStack() as stack:
            for number in range(100):
                client = await stack.enter_async_context(connected(server, token(name)))
                await client.send({"id": number + 5, "rpc": {"method": "m"}})
            await backend.wait_for("rpc", 100)
        await backend.wait_cancelled("rpc", 100)

        async def nobody_is_left() -> bool:  # the node counts itself every three seconds
            return not (await server.api("info"))["nodes"][0].get("num_clients")

        await until(nobody_is_left)
