"""A server with short deadlines, and a bystander on it who must not notice anything."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile.waiting import until
from tests.support.tokens import token
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import StartServer
    from tests.support.server import Server
    from tests.support.wire_client import WireClient

CONFIG: dict[str, Any] = {
    "client": {
        "stale_close_delay": "1s",
        "ping_interval": "3s",
        "pong_timeout": "1s",
        "queue_max_size": 300_000,
        "concurrency": 4,
    },
    "websocket": {"write_timeout": "500ms"},
    "channel": {
        "without_namespace": {
            "allow_subscribe_for_client": True,
            "allow_publish_for_client": True,
            "allow_tags_filter": True,
            "history_size": 10,
            "history_ttl": "60s",
            "allow_history_for_client": True,
            "presence": True,
            "allow_presence_for_client": True,
        }
    },
    "rpc": {"ping": {"enabled": True}},
}


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(CONFIG)


class Bystander:
    """Publishes to itself all the time. Everything has to come back, in order and soon."""

    def __init__(self, client: WireClient, channel: str) -> None:
        self.client = client
        self.channel = channel
        self.sent = 0
        self.slowest = 0.0
        self.rounds = 0
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        while True:
            began = time.monotonic()
            self.sent += 1
            await self.client.call(publish={"channel": self.channel, "data": self.sent})
            assert (await self.client.publication())["data"] == self.sent
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.rounds += 1
            await asyncio.sleep(0.01)

    async def finish(self) -> None:
        """Raises what went wrong."""
        goal = self.rounds + 3

        async def heard() -> bool:
            return self.rounds >= goal or self._task.done()

        await until(heard)
        if self._task.done():
            await self._task
        self._task.cancel()
        await asyncio.wait([self._task])


@pytest.fixture(autouse=True)
async def bystander(server: Server) -> AsyncIterator[Bystander]:
    """A client that has nothing to do with what the test does."""
    async with connected(server, token("bystander")) as client:
        channel = f"bystander-{uuid.uuid4().hex}"
        await client.subscribe(channel)
        other = Bystander(client, channel)
        yield other
        await other.finish()
        assert other.slowest < 5.0  # Hypothesis stops our own loop for a while when it is imported


@pytest.fixture
def name() -> str:
    """A channel or user that no other test uses."""
    return uuid.uuid4().hex
