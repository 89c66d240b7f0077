"""A connection to the HTTP API."""

import asyncio
from typing import cast

import pytest

from fanjet.bench.clients.http_api import ApiConnection


class NoTransport:
    """A transport without a peer; writes are ignored."""

    def write(self, data: bytes) -> None:
        pass


async def test_a_cancellation_is_not_lost_when_the_response_has_just_arrived() -> None:
    connection = ApiConnection("localhost", "key")
    connection.connection_made(cast("asyncio.Transport", NoTransport()))
    posting = asyncio.ensure_future(connection.post(b"/api/info", b"{}"))
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    posting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await posting
