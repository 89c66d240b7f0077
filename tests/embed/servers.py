"""Servers in the test's process and event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import fanjet
from tests.support import wire_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHAT = {
    "channel": {
        "without_namespace": {"allow_subscribe_for_client": True},
        "namespaces": [
            {"name": "chat", "history_size": 10, "history_ttl": "1m", "presence": True},
            {"name": "news", "allow_subscribe_for_client": True},
        ],
    },
    "shutdown": {"timeout": "5s"},
}


def make_server(over: dict[str, Any] | None = None, **how: Any) -> fanjet.Server:
    """A server that is not started, on any free port."""
    return fanjet.Server(CHAT | (over or {}), address="127.0.0.1", port=0, **how)


@asynccontextmanager
async def opened(server: fanjet.Server, **how: Any) -> AsyncIterator[wire_client.WireClient]:
    """A client whose WebSocket is open."""
    url = f"ws://127.0.0.1:{server.port}/connection/websocket"
    async with wire_client.opened(server, url=url, **how) as client:  # type: ignore[arg-type]
        yield client


@asynccontextmanager
async def connected(server: fanjet.Server, **how: Any) -> AsyncIterator[wire_client.WireClient]:
    """A client that has connected."""
    async with opened(server, **how) as client:
        await client.connect()
        yield client
