"""Publishers and subscribers that carry on while servers, or what is behind them, come and go."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from websockets.exceptions import WebSocketException

from tests.support.server import ApiError, Server
from tests.support.wire_client import WireClient, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLOSED: Final = (AssertionError,)
"""What the clients of the tests say when the server has closed their connection."""
LOSSES: Final = (*CLOSED, OSError, WebSocketException, TimeoutError)
"""The server may be gone, too."""


class Follower:
    """A subscriber that comes back when it has lost its connection or its subscription, and keeps what it got. `losses`
    are what may end a connection."""

    def __init__(self, server: Server, channel: str, losses: tuple[type[Exception], ...] = LOSSES) -> None:
        self.got: list[int] = []
        self.connections = 0
        self.unrecovered = 0
        self.subscribed = asyncio.Event()
        self._server = server
        self._channel = channel
        self._losses = losses
        self._epoch = ""
        self._offset = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            with contextlib.suppress(*self._losses):
                async with connected(self._server) as client:
                    self.connections += 1
                    await self._follow(client)
            await asyncio.sleep(0.05)

    async def _follow(self, client: WireClient) -> None:
        await self._subscribe(client)
        while True:
            push = await client.push()
            if "pub" in push:
                self._take(push["pub"])
            else:
                assert push["unsubscribe"]["code"] == 2500, push
                await self._subscribe(client)

    async def _subscribe(self, client: WireClient) -> None:
        recovery = {"recover": True, "epoch": self._epoch, "offset": self._offset} if self._epoch else {}
        result = await client.subscribe(self._channel, **recovery)
        if recovery and not result.get("recovered"):
            self.unrecovered += 1
        self._epoch, self._offset = result["epoch"], result.get("offset", 0)
        for publication in result.get("publications", ()):
            self._take(publication)
        self.subscribed.set()

    def _take(self, publication: dict[str, Any]) -> None:
        self.got.append(publication["data"])
        self._offset = publication["offset"]


class Publisher:
    """Publishes growing numbers; one whose publish failed is not tried again."""

    def __init__(self, server: Server, channel: str) -> None:
        self.acknowledged: list[int] = []
        self._number = 0
        self._server = server
        self._channel = channel

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self.publish()
            await asyncio.sleep(0.01)

    async def publish(self) -> None:
        """Publish one number."""
        self._number += 1
        with contextlib.suppress(ApiError, aiohttp.ClientError, OSError):
            await self._server.api("publish", {"channel": self._channel, "data": self._number})
            self.acknowledged.append(self._number)


@contextlib.asynccontextmanager
async def following(server: Server, channel: str, count: int) -> AsyncIterator[list[Follower]]:
    """So many followers that have subscribed."""
    followers = [Follower(server, channel) for _ in range(count)]
    async with running(*(follower.run() for follower in followers)):
        for follower in followers:
            await follower.subscribed.wait()
        yield followers


@contextlib.asynccontextmanager
async def running(*work: Any) -> AsyncIterator[None]:
    """Run this meanwhile."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), result
