"""Pytest fixtures, found automatically where Fanjet is installed.

    async def test_news_arrives(fanjet_server):
        async with fanjet_server.client("news") as client:
            await fanjet_server.api.publish("news", {"n": 1})
            assert await client.publication() == {"n": 1}

They need a plugin for async fixtures: pytest-asyncio in auto mode, or anyio. Their dependencies are imported when they
are used, since every run of pytest imports this module.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from fanjet.embed.server import Server
    from fanjet.testing import TestServer


@pytest.fixture
def fanjet_config() -> Mapping[str, Any]:
    """The configuration of `fanjet_server`, which allows everything.

    Override it to change that.
    """
    from fanjet.testing import OPEN  # noqa: PLC0415

    return OPEN


@pytest.fixture
async def start_fanjet() -> AsyncIterator[Callable[[Server], Awaitable[Any]]]:
    """A function that starts a server, which is stopped when the test ends."""
    async with AsyncExitStack() as stack:
        yield stack.enter_async_context


@pytest.fixture
async def fanjet_server(
    fanjet_config: Mapping[str, Any], start_fanjet: Callable[[Server], Awaitable[Any]]
) -> TestServer:
    """A server that runs on a free port."""
    from fanjet.testing import TestServer  # noqa: PLC0415

    server = TestServer(fanjet_config)
    await start_fanjet(server)
    return server
